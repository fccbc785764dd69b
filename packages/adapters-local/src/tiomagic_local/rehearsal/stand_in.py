"""Builds a pipeline of the true shapes with random weights, from its configuration files."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tiomagic_local.engines import EngineOptions
from tiomagic_local.footprint.architectures import weights
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.rehearsal.completeness import is_network
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.torch_env.quiet import silence_libraries
from tiomagic_local.weights.locate import Weights


class StandIn:
    """Builds the networks of a pipeline.

    Args:
        found: Folders with the configuration files of the pipeline and its components.
        networks: Library and class of each component, by its name.
        fp32: Components that stay in fp32.
        dtype: Type of all others.
    """

    def __init__(
        self,
        found: Weights,
        networks: Mapping[str, tuple[str, str]],
        *,
        fp32: tuple[str, ...],
        dtype: torch.dtype,
    ) -> None:
        self._found = found
        parts = {one.part.name: one for one in found.parts}
        theirs = {name: (one.part.library, one.part.kind) for name, one in parts.items()}
        both = {**networks, **theirs}
        self._networks = {name: value for name, value in both.items() if is_network(value[1])}
        self._folders = {name: found.folder / name for name in self._networks}
        self._folders |= {name: one.folder for name, one in parts.items() if name in both}
        self._fp32, self._dtype = fp32, dtype

    def gib(self) -> dict[str, float]:
        """Return the GiB of each network, counted on the meta device."""
        with silence_libraries():
            made = {name: self._made(name, torch.device("meta")) for name in self._networks}
        return {name: weights(network) / 2**30 for name, network in made.items()}

    def pipeline(self, engine: Any, *, device: torch.device, plan: MemoryPlan) -> Any:
        """Return the pipeline with random weights, placed like a real one.

        Args:
            engine: The class of the engine that will call it.
            device: Its device.
            plan: The memory plan.
        """
        place = device if plan is MemoryPlan.RESIDENT else torch.device("cpu")
        with silence_libraries():
            made = {name: self._made(name, place) for name in self._networks}
        return load_pipeline(
            self._found,
            pipeline=engine.pipeline,
            fp32=engine.fp32,
            dtype=self._dtype,
            device=device,
            plan=plan,
            components=EngineOptions.of(engine).components,
            loaded=made,
        )

    def _made(self, name: str, device: torch.device) -> torch.nn.Module:
        library, kind = self._networks[name]
        folder = self._folders[name]
        dtype = torch.float32 if name in self._fp32 else self._dtype
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with device:
                made = _network(_class(library, kind), folder)
        finally:
            torch.set_default_dtype(before)
        kept = set(getattr(made, "_keep_in_fp32_modules", None) or ())
        if library == "transformers" and dtype is not torch.float16:
            kept = set()
        for path, tensor in made.named_parameters():
            if kept & set(path.split(".")):
                tensor.data = tensor.data.float()
        return made.eval().requires_grad_(requires_grad=False)


def _class(library: str, kind: str) -> Any:
    """Return a class of a pipeline's index; some pipelines have classes of their own."""
    known = library in {"diffusers", "transformers"}
    found = importlib.import_module(library if known else f"diffusers.pipelines.{library}")
    return getattr(found, kind)


def _network(kind: Any, folder: Path) -> torch.nn.Module:
    if hasattr(kind, "load_config"):
        made: torch.nn.Module = kind.from_config(kind.load_config(folder, local_files_only=True))
        return made
    config = kind.config_class.from_pretrained(folder, local_files_only=True)
    network: torch.nn.Module = kind._from_config(config)  # noqa: SLF001 - the only way with no weights
    return network
