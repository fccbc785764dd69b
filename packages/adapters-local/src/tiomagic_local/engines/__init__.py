"""The engines: one module each, found by the name on a model's card.

An engine module has a class ``ENGINE``. Another distribution adds one by an entry point of the
group ``tiomagic.engines``, named as the card says and pointing at the class::

    class MyEngine:
        pipeline = "WanPipeline"            # the class in diffusers that holds the weights
        fp32 = ("vae",)                     # components that stay in fp32 whatever the rest is

        def __init__(self, pipeline, card): ...
        def text_to_video(self, inputs, settings, progress, cancel): ...

An engine has a method for each feature of the cards that name it, as the feature ports of
``tiomagic_domain.ports`` describe. It neither loads weights nor picks a device. What a class may
leave out has its default in :class:`EngineOptions`. One over a pipeline of diffusers is shorter as
a subclass of ``PipelineEngine`` of ``engines._shared.pipeline``, which has the four methods.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.plugins import load_plugin
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.entry_points import find_entry_points
from tiomagic_domain.errors import ConfigurationError

ENTRY_POINTS = "tiomagic.engines"


class Engine(Protocol):
    """What the class of an engine has beside the methods of its features."""

    pipeline: ClassVar[str]
    """The name of the pipeline class in diffusers."""
    fp32: ClassVar[tuple[str, ...]]
    """Components that stay in fp32 whatever the rest runs in."""

    def __init__(self, pipeline: Any, card: ModelCard) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What the class of an engine may say beside, by attributes of these names."""

    masked: bool = True
    """False where the transformer's attention has no mask, so that every kernel can run it."""
    components: Callable[[Path], Mapping[str, Any]] | None = None
    """Takes the folder of the weights, and returns by name what diffusers does not load as it
    should. Nothing of the model is then shared with the one before."""

    @classmethod
    def of(cls, engine: type[Engine]) -> Self:
        """Return what a class says, and the defaults for what it leaves out."""
        names = (option.name for option in fields(cls))
        return cls(**{name: getattr(engine, name) for name in names if hasattr(engine, name)})


def has_engine(name: str) -> bool:
    """Say whether there is an engine of this name, without importing it."""
    return _built_in(name) or _added(name) is not None


def can_run(card: ModelCard) -> bool:
    """Say whether the engine of a model is here."""
    return has_engine(card.engine)


def find_engine(name: str) -> type[Engine]:
    """Return the class of an engine.

    Raises:
        ConfigurationError: when there is none of this name, or it cannot be imported.
    """
    if _built_in(name):
        return cast("type[Engine]", importlib.import_module(f"{__name__}.{name}").ENGINE)
    entry = _added(name)
    if entry is None:
        raise ConfigurationError(
            f"there is no engine {name!r}: update tiomagic, or install what brings it",
            details={"engine": name},
        )
    engine, problem = load_plugin(entry)
    if problem is not None:
        raise ConfigurationError(
            str(problem), code=ErrorCode.BROKEN_PLUGIN, details={"engine": name}
        )
    return cast("type[Engine]", engine)


@cache  # Each list of models asks for all of them, and each answer takes a look at the disk.
def _built_in(name: str) -> bool:
    # A leading underscore marks what engines share.
    if not name.isidentifier() or name.startswith("_"):
        return False
    return importlib.util.find_spec(f"{__name__}.{name}") is not None


def _added(name: str) -> EntryPoint | None:
    return next((entry for entry in find_entry_points(ENTRY_POINTS) if entry.name == name), None)
