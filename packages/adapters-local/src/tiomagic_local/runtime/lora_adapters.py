"""Applies LoRAs to a loaded pipeline, counts their layers, and removes them bit for bit.

The layers of a file are matched here (see ``lora``), because the library silently skips unknown
ones. Low-rank changes of linear layers become peft layers; all others are added to tensors, whose
originals are kept. Removal restores the weights bit for bit.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_local.lora.fitting import Fit, fit_lora, merge_fits
from tiomagic_local.lora.naming import LayerFinder
from tiomagic_local.lora.offsets import Offsets
from tiomagic_local.lora.scaling import Scaling
from tiomagic_local.lora.tensors import Contents, sort
from tiomagic_local.runtime.call_loras import CallLoras
from tiomagic_local.torch_env.quiet import silence_libraries
from tiomagic_local.weights.lora_files import FoundLora

if TYPE_CHECKING:
    import torch

MODEL, TURBO, CONTROL, CALL = "model", "turbo", "control", "call"
"""Prefixes of adapter names: LoRAs of the model, few-step LoRAs of a call, the one that reads its
control video, and the call's own."""
MODEL_FAILED = (
    "the model is made by a LoRA that could not be put on its weights, and does not run without it"
)
FEW_STEPS_FAILED = "turbo is a LoRA on the model that could not be put on its weights"
CONTROL_FAILED = "the LoRA that reads the control video could not be put on the model's weights"
SECOND = "transformer_2"
OTHER_EXPERT = "other expert"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedLoras:
    """The LoRAs on a pipeline for a call: their recipe entries, with the number of layers."""

    call: Sequence[Mapping[str, Any]] = ()
    few_steps: Sequence[Mapping[str, Any]] = ()
    control: Sequence[Mapping[str, Any]] = ()


class LoraAdapters:
    """The LoRAs on one pipeline.

    Args:
        pipeline: Loaded and placed; no other code adds LoRAs to it.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._scales: dict[str, dict[str, float]] = {}
        self._kept: dict[str, dict[str, float]] = {}
        """Those that belong to the model."""
        self._names: dict[str, LayerFinder] = {}
        self._offsets: dict[str, Offsets] = {}

    def apply_permanently(self, found: Sequence[FoundLora]) -> list[dict[str, Any]]:
        """Apply the LoRAs that belong to the model, for as long as it is loaded.

        Returns:
            For the record, each as a recipe names it and with the number of layers it changes.

        Raises:
            ConfigurationError: when one is for another architecture, or fits no layer.
        """
        facts = self._put_on_own(found, MODEL, MODEL_FAILED)
        self._kept = copy.deepcopy(self._scales)
        return facts

    @contextlib.contextmanager
    def apply_loras(
        self, loras: CallLoras, *, strength: float | None = None
    ) -> Iterator[AppliedLoras]:
        """Apply the LoRAs of a call within the block.

        Args:
            loras: Those of the call.
            strength: Scale of the model's own in this call; None for the one that they have.

        Raises:
            ValidationError: when one of the call's does not fit.
            ConfigurationError: when one that the card names does not.
        """
        if not any(loras) and strength is None:
            yield AppliedLoras()
            return
        try:
            with silence_libraries(), _several_are_meant():
                if strength is not None:
                    self._strengthen(strength)
            quick = self._put_on_own(loras.few_steps, TURBO, FEW_STEPS_FAILED)
            reads = self._put_on_own(loras.control, CONTROL, CONTROL_FAILED)
            with silence_libraries(), _several_are_meant():
                facts = [
                    self._put_on(item, f"{CALL}_{index}") for index, item in enumerate(loras.asked)
                ]
            yield AppliedLoras(call=facts, few_steps=quick, control=reads)
        finally:
            with silence_libraries(), _several_are_meant():
                self._take_off()

    def _put_on_own(self, found: Sequence[FoundLora], kind: str, why: str) -> list[dict[str, Any]]:
        """Apply LoRAs that the call did not name; errors are therefore not the caller's."""
        try:
            with silence_libraries(), _several_are_meant():
                return [self._put_on(item, f"{kind}_{index}") for index, item in enumerate(found)]
        except ValidationError as error:
            raise ConfigurationError(f"{why}: {error.message}", details=error.details) from error

    def _put_on(self, found: FoundLora, name: str) -> dict[str, Any]:
        lora = found.lora
        if getattr(self._pipeline, lora.component, None) is None:
            raise _unfit(lora, f"this model has no component {lora.component!r}")
        tensors, metadata = _read(found)
        contents = sort(tensors)
        scaling = Scaling.read(found.path, metadata)
        fits: dict[str, Fit] = {}
        meant = self._meant(lora, contents)
        for component, layers in meant.items():
            part = getattr(self._pipeline, component)
            names = self._names_of(component)
            found_fit = fit_lora(contents, tensors, part, names, scaling=scaling, layers=layers)
            refusal = found_fit.refusal()
            if refusal is not None:
                raise _unfit(lora, refusal)
            fits[component] = found_fit
        for component, found_fit in fits.items():
            self._wear(component, found_fit, name, lora)
        whole = merge_fits(list(fits.values()))
        other = len(contents.layers) - sum(map(len, meant.values()))
        if other:
            whole.elsewhere[OTHER_EXPERT] = other
        return {**found.pinned.to_dict(), **whole.facts()}

    def _meant(self, lora: Lora, contents: Contents) -> dict[str, list[str]]:
        """Return the layers of a file by component.

        A file may have both experts of a model, and says which is which in its names.
        """
        names = self._names_of(lora.component)
        experts = {layer: names.find(layer).expert for layer in contents.layers}
        second = [layer for layer, expert in experts.items() if expert == 2]
        others = [layer for layer in experts if layer not in set(second)]
        if not second:
            return {lora.component: list(experts)}
        if getattr(self._pipeline, SECOND, None) is None:
            return {lora.component: others or second}
        if lora.component == SECOND:
            return {SECOND: second}
        meant = {lora.component: others, SECOND: second}
        return {component: layers for component, layers in meant.items() if layers}

    def _names_of(self, component: str) -> LayerFinder:
        if component not in self._names:
            self._names[component] = LayerFinder(getattr(self._pipeline, component))
        return self._names[component]

    def _wear(self, component: str, found: Fit, name: str, lora: Lora) -> None:
        part = getattr(self._pipeline, component)
        if found.pairs:
            tensors = {}
            for layer, (down, up) in found.pairs.items():
                tensors[f"{layer}.lora_A.weight"], tensors[f"{layer}.lora_B.weight"] = down, up
            try:
                part.load_lora_adapter(
                    tensors,
                    prefix=None,
                    adapter_name=name,
                    low_cpu_mem_usage=True,
                    _pipeline=self._pipeline,
                )
            # All was compared before, so any exception here is unexpected.
            except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
                said = " ".join(str(error).split())[:300]
                message = f"does not fit this model ({type(error).__name__}: {said})"
                raise _unfit(lora, message) from error
        if found.changes:
            self._offsets.setdefault(component, Offsets(part)).prepare(name, found.changes)
        scales = self._scales.setdefault(component, {})
        scales[name] = lora.scale
        self._scale(component, scales)

    def _scale(self, component: str, scales: Mapping[str, float]) -> None:
        """Give each LoRA on a component its scale."""
        part = getattr(self._pipeline, component)
        paired = [name for name in scales if name in getattr(part, "peft_config", {})]
        if paired:
            part.set_adapters(paired, [scales[name] for name in paired])
        if component in self._offsets:
            self._offsets[component].apply(scales)

    def _strengthen(self, strength: float) -> None:
        """Give the model's own LoRAs another scale, until the call's are taken off."""
        for component, scales in self._scales.items():
            scales.update(dict.fromkeys(scales, strength))
            self._scale(component, scales)

    def _take_off(self) -> None:
        """Remove the call's LoRAs; the model's own stay."""
        self._scales = copy.deepcopy(self._kept)
        for component in {*self._names, *self._offsets}:
            stays = self._scales.get(component, {})
            if component in self._offsets:
                # Before peft rearranges tensors on the device.
                self._offsets[component].remove(stays)
                self._offsets[component].apply(stays)
            self._unload(getattr(self._pipeline, component), stays)

    def _unload(self, part: torch.nn.Module, stays: Mapping[str, float]) -> None:
        worn = list(getattr(part, "peft_config", {}))
        paired = [name for name in worn if name in stays]
        # After a partial failure an adapter has no scale, but may be in the component.
        goes = [name for name in worn if name not in stays]
        given: Any = part
        if goes and not paired:
            given.unload_lora()
        elif goes:
            given.delete_adapters(goes)
        if paired:
            given.set_adapters(paired, [stays[name] for name in paired])


def _read(found: FoundLora) -> tuple[dict[str, torch.Tensor], Mapping[str, str]]:
    """Return the tensors and the header of a file."""
    try:
        with safe_open(found.path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no mapping.
    except (SafetensorError, OSError) as error:
        raise _unfit(found.lora, f"cannot be read, or is damaged ({error})") from error


@contextlib.contextmanager
def _several_are_meant() -> Iterator[None]:
    """Silence peft's warnings that there is another adapter, and that one has gone.

    And that a name may also be the end of another layer's: the tensors decide which is meant.
    """
    with warnings.catch_warnings():
        for words in ("Already found a `peft_config`", "Adapter .* was active which is now"):
            warnings.filterwarnings("ignore", words, UserWarning)
        warnings.filterwarnings("ignore", "While injecting the PEFT adapters", RuntimeWarning)
        yield


def _unfit(lora: Lora, message: str) -> ValidationError:
    problem = Problem(field="loras", message=f"{lora.label}: {message}", given=repr(lora.label))
    return ValidationError.of([problem], subject="the LoRAs")
