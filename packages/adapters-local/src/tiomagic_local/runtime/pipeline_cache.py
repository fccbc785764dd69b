"""The pipeline cache: keeps the last loaded model, and runs one generation at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.kv_cache import CACHE_SETTING, EIGHT_BITS, IN_MAIN_MEMORY
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.progress import CancelToken, NeverCanceled, Phase, Progress, ProgressSink
from tiomagic_local.engines import EngineOptions
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.call_loras import find_call_loras, revisions_of
from tiomagic_local.runtime.component_reuse import Identity, identify_components
from tiomagic_local.runtime.loaded import KeepsCache, Loaded, run_on_one_device
from tiomagic_local.runtime.memory_choice import (
    HeldWeights,
    choose_by_free_memory,
    settings_for_ranks,
)
from tiomagic_local.runtime.sources import (
    ModelSources,
    choose_quantized_parts,
    describe_model,
    import_engine,
    load_from_sources,
)
from tiomagic_local.torch_env.devices import group_members, measure_peak_memory
from tiomagic_local.weights.given_files import GivenFiles, find_given_files, list_pinned
from tiomagic_local.weights.locate import Weights, find_weights, local_folder
from tiomagic_local.weights.lora_files import FoundLora, find_loras, read_reference_downscale

if TYPE_CHECKING:
    import torch

    from tiomagic_local.context_parallel.leader import Leader
    from tiomagic_local.runtime.lora_adapters import AppliedLoras

IMPORT_NOTE = "PyTorch and diffusers are imported, which takes some seconds"
"""What a run does before it loads its model."""

CANCEL_POLL_S = 0.2
"""Seconds between two checks for a cancel during the wait for another generation."""


class Runtime:
    """Loads models, keeps the last one, and lets one generation run at a time.

    Thread-safe. Two runtimes in one process do not know of each other's memory.

    Args:
        options: With the source of weights and the device.
        ranks: All processes of a group whose leader is another one, see ``context_parallel``; 1 in
            a process that helps none.
    """

    def __init__(self, options: LocalOptions | None = None, *, ranks: int = 1) -> None:
        self._options = options or LocalOptions()
        self._ranks = ranks
        self._group = group_members(self._options.device)
        self._leader: Leader | None = None
        self._lock = threading.Lock()
        self._key: tuple[object, ...] | None = None
        self._loaded: Loaded | None = None
        self._identities: Mapping[str, Identity] = {}
        self._pipeline: Any = None
        self._adapters: Any = None
        self._accelerator: Any = None
        self._device: torch.device | None = None
        self._tiling: Any = None
        self._cancel: CancelToken = NeverCanceled()

    @property
    def options(self) -> LocalOptions:
        """The options: source of weights, and device."""
        return self._options

    @contextlib.contextmanager
    def use(
        self,
        card: ModelCard,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Iterator[Loaded]:
        """Yield a model for one generation, loading it if it is not cached.

        Args:
            card: The model.
            settings: Of the generation; size, length and ``memory`` decide the plan, ``revisions``
                the commits of the weights. Its ``loras`` are on the model for the time of the
                block, and its ``lora_alpha`` is the scale of the LoRAs that make the model.
            progress: Gets events of waiting, downloads and loading.
            cancel: Checked during the wait for another generation, and before loading.

        Raises:
            ConfigurationError, AuthenticationError, APIError: when it cannot be loaded.
            ValidationError: when a LoRA is not there, or does not fit the model.
        """
        self._take_turn(progress, cancel)
        try:
            self._cancel = cancel
            cancel.raise_if_canceled()
            card, strength = card.at(settings.get("revisions", {})), settings.get("lora_alpha")
            watched: dict[str, Any] = {"progress": progress, "cancel": cancel}
            # Before the weights, the smaller ones first: what is missing then costs no loading.
            loras = find_call_loras(card, settings, self._options, **watched)
            files = find_given_files(card, settings, self._options, **watched)
            loaded = self._load(card, settings, files, progress)
            assert self._device is not None, "a model that is loaded is on a device"
            together = self._runs_on_all_ranks(loaded.transformers)
            with (
                self._adapters.apply_loras(loras, strength=strength) as worn,
                self._accelerator.activate(
                    settings, adapted=any(loras), together=together
                ) as running,
                measure_peak_memory(self._device) as peak,
            ):
                running.few_steps = worn.few_steps
                _set_reference_downscale(loaded.engine, loras.control)
                yield replace(
                    loaded,
                    facts=_at_strength(loaded.facts, strength) | self._describe_run(worn),
                    revisions={**loaded.revisions, **loras.revisions},
                    loras=worn.call,
                    files=list_pinned(files),
                    running=running,
                    peak=peak,
                    run_in_step=self._find_step(together=together),
                )
        except GenerationError as error:
            if error.code == ErrorCode.OUT_OF_MEMORY:
                self._drop()  # The retry starts with an empty device.
            raise
        finally:
            if self._leader is not None:
                self._leader.end_if_unused()
            self._lock.release()

    def _find_step(self, *, together: bool) -> Any:
        return self._leader.run_in_step if self._leader and together else run_on_one_device

    def _runs_on_all_ranks(self, transformers: Sequence[Any]) -> bool:
        led = self._leader is not None and self._leader.take_transformers(transformers)
        return self._ranks > 1 or led

    def unload(self) -> None:
        """Unload the cached model; waits for a running generation."""
        with self._lock:
            self._drop()
            if self._leader is not None:
                self._leader.end()

    def _take_turn(self, progress: ProgressSink, cancel: CancelToken) -> None:
        if self._lock.acquire(blocking=False):
            return
        progress(Progress(phase=Phase.WAITING, note="another run of this process comes first"))
        while not self._lock.acquire(timeout=CANCEL_POLL_S):
            cancel.raise_if_canceled()

    def _load(
        self,
        card: ModelCard,
        settings: Mapping[str, Any],
        files: GivenFiles,
        progress: ProgressSink,
    ) -> Loaded:
        if self._loaded is None:
            progress(Progress(phase=Phase.LOADING, note=IMPORT_NOTE))
        from tiomagic_local.acceleration.apply import check_acceleration
        from tiomagic_local.torch_env.devices import choose_device

        device = choose_device(self._options.device)
        masked = EngineOptions.of(import_engine(card)).masked
        check_acceleration(card.name, settings, device, masked=masked)
        commits = tuple(card.repositories.items())
        given = tuple(sorted(one.identity for one in files.values()))
        model = (card.name, commits, local_folder(card, self._options), str(device), given)
        same = self._loaded is not None and self._key is not None and self._key[:-2] == model
        found = None if same else self._find(card, device, files, progress)
        choice = self._choose(card, settings, device, found)
        key = (*model, tuple(sorted(choice.quantization.items())), choice.plan)
        if self._loaded is None or self._key != key:  # The same model where another plan fits.
            found = found or self._find(card, device, files, progress)
            self._call(card, settings_for_ranks(settings, choice))
            self._fill(card, device, choice, found, progress)
            self._key = key
        else:
            self._call(card, settings_for_ranks(settings, choice))
        assert self._loaded is not None
        self._tiling.use(tiles=choice.tiles)
        if isinstance(self._loaded.engine, KeepsCache):
            self._loaded.engine.place_cache(
                in_main_memory=choice.cache == IN_MAIN_MEMORY,
                eight_bits=settings.get(CACHE_SETTING) == EIGHT_BITS,
            )
        # The same weights and placement, but the video may be larger than the last one.
        facts = {**self._loaded.facts, "memory": choice.to_dict()}
        return replace(self._loaded, facts=facts, fallback_plan=choice.fallback_plan)

    def _count_sharing(
        self, card: ModelCard, settings: Mapping[str, Any], weights: Weights | None
    ) -> int:
        """Return how many devices will share the tokens of the call."""
        if not self._group:
            return self._ranks
        if self._leader is None:
            from tiomagic_local.context_parallel.leader import Leader

            self._leader = Leader(self._group, self._options)
        return self._leader.count_sharing(card, settings, weights)

    def _call(self, card: ModelCard, settings: Mapping[str, Any]) -> None:
        """Start loading the model on the other devices of a group, in parallel."""
        if self._leader is not None:
            self._leader.request_load(card, settings)

    def _describe_run(self, worn: AppliedLoras) -> dict[str, Any]:
        """Return the facts of one run: its GPUs, if it has several, and its control LoRA."""
        parallel = {} if self._leader is None else {"parallel": self._leader.facts()}
        return parallel | ({"control": list(worn.control)} if worn.control else {})

    def _find(
        self, card: ModelCard, device: torch.device, files: GivenFiles, progress: ProgressSink
    ) -> ModelSources:
        """Drop the cached model, except shared components, and find the next one."""
        from tiomagic_local.torch_env.devices import choose_dtype, release_memory

        engine = import_engine(card)
        known, spare = self._identities, self._take_off()
        self._drop()
        find = partial(find_weights, files=files, progress=progress, cancel=self._cancel)
        weights = find(card, self._options, pipeline=engine.pipeline)
        dtype = choose_dtype(card, device)
        # An engine that loads components by itself may do anything with them.
        own = EngineOptions.of(engine).components
        ids = {} if own else identify_components(weights, fp32=engine.fp32, dtype=dtype)
        kept = {
            name: part
            for name, part in spare.items()
            if name in ids and ids[name] == known.get(name)
        }
        if len(kept) < len(spare):
            spare.clear()
            release_memory(device)
        return ModelSources(engine=engine, weights=weights, dtype=dtype, identities=ids, kept=kept)

    def _take_off(self) -> dict[str, torch.nn.Module]:
        if self._pipeline is None or self._key is None or not self._identities:
            return {}
        from tiomagic_local.runtime.component_reuse import detach_text_encoders

        plan = self._key[-1]
        assert isinstance(plan, MemoryPlan), "the last of the key is the plan"
        return detach_text_encoders(self._pipeline, plan)

    def _fill(
        self,
        card: ModelCard,
        device: torch.device,
        choice: MemoryChoice,
        found: ModelSources,
        progress: ProgressSink,
    ) -> None:
        from tiomagic_local.acceleration.apply import Accelerator
        from tiomagic_local.acceleration.components import transformers
        from tiomagic_local.runtime.lora_adapters import LoraAdapters
        from tiomagic_local.runtime.vae_tiling import Tiling

        engine, weights, dtype = found.engine, found.weights, found.dtype
        # A model with LoRAs of its own is not loaded without them.
        kept: dict[str, Any] = {"model": weights.by_hand, "stays": True, "cancel": self._cancel}
        loras = find_loras(card.loras, self._options, progress=progress, **kept)
        progress(Progress(phase=Phase.LOADING))
        self._device = device
        quantized = choose_quantized_parts(choice, progress)
        self._pipeline = load_from_sources(found, device=device, choice=choice, quantized=quantized)
        # A component in a format is loaded anew for the next model.
        self._identities = {} if quantized else found.identities
        self._adapters = LoraAdapters(self._pipeline)
        self._accelerator = Accelerator(
            self._pipeline,
            device=device,
            dtype=dtype,
            masked=EngineOptions.of(engine).masked,
            model=card.name,
        )
        facts = describe_model(device, dtype, choice, weights)
        if quantized and quantized.made:
            facts["quantization"] = quantized.facts()
        if loras:
            facts["weights"]["loras"] = self._adapters.apply_permanently(loras)
        made = engine(self._pipeline, card)
        self._tiling = Tiling(self._pipeline)
        self._loaded = Loaded(
            engine=made,
            pipeline=self._pipeline,
            transformers=list(transformers(self._pipeline).values()),
            facts=facts,
            revisions={**weights.revisions, **revisions_of(loras)},
            fallback_plan=choice.fallback_plan,
            quantization=choice.quantization,
        )

    def _choose(
        self,
        card: ModelCard,
        settings: Mapping[str, Any],
        device: torch.device,
        found: ModelSources | None,
    ) -> MemoryChoice:
        held = HeldWeights(parts=found.kept) if found is not None else HeldWeights()
        if found is None and self._loaded is not None and self._key is not None:
            plan = self._key[-1]
            assert isinstance(plan, MemoryPlan), "the last of the key is the plan"
            held = HeldWeights(plan=plan, quantization=self._loaded.quantization)
        sharing = self._count_sharing(card, settings, None if found is None else found.weights)
        # The leader's choice is also for those ranks that follow it, which do not count again.
        ranks = sharing if self._group else 1
        return choose_by_free_memory(
            card, settings, device, self._options, held=held, ranks=ranks, devices=sharing
        )

    def _drop(self) -> None:
        """Drop the cached model and release its memory."""
        if self._pipeline is None:
            return
        from tiomagic_local.torch_env.devices import release_memory

        self._key = self._loaded = self._pipeline = self._adapters = self._accelerator = None
        self._identities = {}
        assert self._device is not None, "a pipeline is loaded on a device"
        release_memory(self._device)


def _set_reference_downscale(engine: Any, control: Iterable[FoundLora]) -> None:
    """Tell an engine how much smaller its control video is, which the control LoRA says."""
    for one in control:
        engine.reference_downscale = read_reference_downscale(one)


def _at_strength(facts: Mapping[str, Any], strength: float | None) -> dict[str, Any]:
    """Return the facts with the scale that the model's own LoRAs have in a call."""
    if strength is None:
        return dict(facts)
    weights = facts["weights"]
    loras = [{**lora, "scale": strength} for lora in weights.get("loras", ())]
    return {**facts, "weights": {**weights, "loras": loras}}
