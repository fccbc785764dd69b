"""LoRAs on a loaded pipeline: put on, counted, and taken off again without a trace.

diffusers takes a file that fits nothing without a word, so the layers that got something are
counted, and none is an error. Nothing is merged into the weights: what is taken off leaves them as
they were, bit for bit.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file

from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.loras import Lora
from tiomagic_local.loras import FoundLora
from tiomagic_local.quiet import quiet

if TYPE_CHECKING:
    import torch

MODEL, TURBO, CALL = "model", "turbo", "call"
"""First parts of the names of adapters: those that stay with a model, those that a call has on for
the sake of speed, and those that it names."""
MODEL_FAILED = (
    "the model is made by a LoRA that could not be put on its weights, and does not run without it"
)
FEW_STEPS_FAILED = "turbo is a LoRA on the model that could not be put on its weights"
PREFIXES = ("transformer.", "diffusion_model.", "lora_unet_")
"""How the names of tensors begin that diffusers knows what to do with."""
WRAPPED = "base_model.model."
"""How they begin in a file that peft has saved."""
SECOND = "transformer_2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """What is on a pipeline for a call; each as a recipe names it, with its number of layers."""

    call: Sequence[Mapping[str, Any]] = ()
    few_steps: Sequence[Mapping[str, Any]] = ()


class Adapters:
    """The LoRAs on one pipeline.

    Args:
        pipeline: Loaded and placed; nobody else puts LoRAs on it.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._scales: dict[str, dict[str, float]] = {}
        self._kept: dict[str, dict[str, float]] = {}
        """Those that belong to the model."""

    def keep(self, found: Sequence[FoundLora]) -> list[dict[str, Any]]:
        """Put on the LoRAs that belong to the model, for as long as it is loaded.

        Returns:
            For the record, each as a recipe names it and with the number of layers it changes.

        Raises:
            ConfigurationError: when one is for another architecture, or fits no layer.
        """
        facts = self._put_on_own(found, MODEL, MODEL_FAILED)
        self._kept = copy.deepcopy(self._scales)
        return facts

    @contextlib.contextmanager
    def worn(
        self,
        found: Sequence[FoundLora],
        *,
        few_steps: Sequence[FoundLora] = (),
        strength: float | None = None,
    ) -> Iterator[Worn]:
        """Have the LoRAs of a call on for the time of the block.

        Args:
            found: Those of the call.
            few_steps: Those that it has on for the sake of speed.
            strength: Scale of the model's own in this call; None for the one that they have.

        Raises:
            ValidationError: when one of the call's does not fit.
            ConfigurationError: when one for few steps does not.
        """
        if not found and not few_steps and strength is None:
            yield Worn()
            return
        try:
            with quiet(), _several_are_meant():
                if strength is not None:
                    self._strengthen(strength)
            quick = self._put_on_own(few_steps, TURBO, FEW_STEPS_FAILED)
            with quiet(), _several_are_meant():
                facts = [self._put_on(item, f"{CALL}_{index}") for index, item in enumerate(found)]
            yield Worn(call=facts, few_steps=quick)
        finally:
            with quiet(), _several_are_meant():
                self._take_off()

    def _put_on_own(self, found: Sequence[FoundLora], kind: str, why: str) -> list[dict[str, Any]]:
        """Put on LoRAs that no call has named, so that none can be blamed for them."""
        try:
            with quiet(), _several_are_meant():
                return [self._put_on(item, f"{kind}_{index}") for index, item in enumerate(found)]
        except ValidationError as error:
            raise ConfigurationError(f"{why}: {error.message}", details=error.details) from error

    def _put_on(self, found: FoundLora, name: str) -> dict[str, Any]:
        lora = found.lora
        part = getattr(self._pipeline, lora.component, None)
        if part is None:
            raise _unfit(lora, f"this model has no component {lora.component!r}")
        # Only the pipelines of models with two experts know the word.
        second = {"load_into_transformer_2": True} if lora.component == SECOND else {}
        try:
            tensors = named(load_file(found.path), part)
            self._pipeline.load_lora_weights(tensors, adapter_name=name, **second)
        # What a conversion makes of a file of another architecture; each has its own words.
        except (ValueError, RuntimeError, KeyError, IndexError, TypeError, AttributeError) as error:
            said = " ".join(str(error).split())[:300]
            message = f"does not fit this model ({type(error).__name__}: {said})"
            raise _unfit(lora, message) from error
        layers = _layers(part, name)
        if layers == 0:
            message = "fits no layer of this model: it was made for another architecture"
            raise _unfit(lora, message)
        scales = self._scales.setdefault(lora.component, {})
        scales[name] = lora.scale
        part.set_adapters(list(scales), list(scales.values()))
        return {**found.pinned.to_dict(), "layers": layers}

    def _strengthen(self, strength: float) -> None:
        """Give the model's own LoRAs another scale, until the call's are taken off."""
        for component, scales in self._scales.items():
            scales.update(dict.fromkeys(scales, strength))
            getattr(self._pipeline, component).set_adapters(list(scales), list(scales.values()))

    def _take_off(self) -> None:
        """Take off what belongs to a call; what belongs to the model stays as it was."""
        self._scales = copy.deepcopy(self._kept)
        if not any(self._scales.values()):
            self._pipeline.unload_lora_weights()
            return
        for component in self._pipeline._lora_loadable_modules:  # noqa: SLF001 - no other word for it
            part = getattr(self._pipeline, component, None)
            stays = self._scales.get(component, {})
            # One that failed half way is not among the scales, but may be in the component.
            goes = [name for name in getattr(part, "peft_config", {}) if name not in stays]
            if part is not None and goes:
                part.delete_adapters(goes)
            if part is not None and stays:
                part.set_adapters(list(stays), list(stays.values()))


def named(tensors: dict[str, torch.Tensor], part: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return tensors with names that diffusers knows what to do with.

    Files that were saved from a bare network have no prefix or that of peft, and sometimes the name
    of a default adapter inside; diffusers would pass them over in silence.
    """
    if any(key.startswith(PREFIXES) for key in tensors):
        return tensors
    plain = {
        key.removeprefix(WRAPPED).replace(".default.", "."): value for key, value in tensors.items()
    }
    ours = {name for name, _ in part.named_modules()}
    is_ours = any(key.partition(".lora_")[0] in ours for key in plain)
    prefix = "transformer." if is_ours else "diffusion_model."
    return {prefix + key: value for key, value in plain.items()}


@contextlib.contextmanager
def _several_are_meant() -> Iterator[None]:
    """Silence peft's warnings that there is another adapter, and that one has gone."""
    with warnings.catch_warnings():
        for words in ("Already found a `peft_config`", "Adapter .* was active which is now"):
            warnings.filterwarnings("ignore", words, UserWarning)
        yield


def _layers(part: torch.nn.Module, name: str) -> int:
    tuned = (module for module in part.modules() if isinstance(module, BaseTunerLayer))
    return sum(
        any(name in getattr(module, kind) for kind in module.adapter_layer_names)
        for module in tuned
    )


def _unfit(lora: Lora, message: str) -> ValidationError:
    problem = Problem(field="loras", message=f"{lora.label}: {message}", given=repr(lora.label))
    return ValidationError.of([problem], subject="the LoRAs")
