"""The architectures of the large models, from their authors' published configurations.

``architectures.json`` has the values that differ from a class's defaults, with their source. The
modules have true shapes but no trained weights: on the meta device they take no memory.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FILE = "architectures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One network of a pipeline."""

    kind: str
    """Its class, with the module that has it."""
    config: Mapping[str, Any]
    """Arguments of the class that differ from its defaults."""
    source: str
    """Its publisher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The networks of one model, and how its pipeline uses them."""

    name: str
    parts: Mapping[str, Component]
    """By their names in the pipeline."""
    encodes: str = ""
    """The VAE's input before the first step: ``image``, ``video``, ``masked_video`` or nothing."""
    per_token: bool = False
    """True if each token has a time step of its own, which costs a modulation for each."""
    tiles: bool = False
    """True if the engine always decodes in tiles."""
    window: int | None = None
    """Most frames that are generated and decoded at once; None for all."""
    picture_frames: int = 0
    """Frames whose tokens a picture after the first frame has, which lie behind those of the video;
    0 where a picture takes the place of noise."""
    lora: Mapping[str, Any] = field(default_factory=dict)
    """``rank`` and ``targets`` of the LoRA that is part of the model."""


@functools.cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return found


def list_architectures() -> list[str]:
    """Return the names of the models with known architectures."""
    return list(_data()["models"])


def find_component_name(model: str, part: str) -> str | None:
    """Return the name of a model's network, such as ``wan-14b``; None for an unknown model."""
    known = _data()["models"].get(model)
    return None if known is None else known["parts"].get(part)


def find_window(model: str) -> int | None:
    """Return the most frames that a model generates at once; None for all, or if unknown."""
    window: int | None = _data()["models"].get(model, {}).get("window")
    return window


def find_picture_frames(model: str) -> int:
    """Return the frames whose tokens each picture after the first frame adds; 0 for none."""
    frames: int = _data()["models"].get(model, {}).get("picture_frames", 0)
    return frames


def count_added_frames(model: str, picture_frames: Iterable[int]) -> int:
    """Return how many frames longer a video is to the transformer, for the pictures it is given.

    Args:
        model: Its name.
        picture_frames: The frames of the pictures.
    """
    # The one at the first frame takes the place of noise.
    return find_picture_frames(model) * sum(frame > 0 for frame in picture_frames)


def find_architecture(model: str) -> Architecture:
    """Return the architecture of a model.

    Raises:
        KeyError: for a model without a known architecture.
    """
    data = _data()
    facts = dict(data["models"][model])
    parts = {name: _component(data["components"][key]) for name, key in facts.pop("parts").items()}
    return Architecture(name=model, parts=parts, **facts)


def _component(facts: Mapping[str, Any]) -> Component:
    return Component(kind=facts["class"], config=facts["config"], source=facts["source"])


def build_network(
    component: Component, *, device: torch.device, dtype: torch.dtype
) -> torch.nn.Module:
    """Return a network of its true shape with random weights.

    Args:
        component: Its description.
        device: ``meta`` for one that takes no memory.
        dtype: Type of its weights, except those that the library keeps in fp32.
    """
    import torch

    library, _, name = component.kind.rpartition(".")
    kind = getattr(importlib.import_module(library), name)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    given, named = _config(kind, component)
    try:
        with device:
            module: torch.nn.Module = kind(*given, **named)
    finally:
        torch.set_default_dtype(before)
    kept = set(getattr(module, "_keep_in_fp32_modules", None) or ())
    if component.kind.startswith("transformers.") and dtype is not torch.float16:
        # transformers does so only where fp16 would overflow.
        kept = set()
    for path, tensor in module.named_parameters():
        if kept & set(path.split(".")):
            tensor.data = tensor.data.float()
    return module.eval().requires_grad_(requires_grad=False)


def _config(kind: Any, component: Component) -> tuple[list[Any], dict[str, Any]]:
    """Return the class's arguments: values for diffusers, a configuration for transformers."""
    if not component.kind.startswith("transformers."):
        return [], dict(component.config)
    config = kind.config_class(**component.config)
    # The other implementation makes a matrix of scores.
    config._attn_implementation = "sdpa"  # noqa: SLF001 - the library's own word for it
    return [config], {}


def weights(module: torch.nn.Module) -> int:
    """Return the bytes of a network's weights and buffers."""
    return sum(tensor.nbytes for tensor in _tensors(module))


def largest_leaf(module: torch.nn.Module) -> int:
    """Return the bytes of the largest layer, the minimum on a device at a time."""
    return max(
        sum(tensor.nbytes for tensor in (*part.parameters(False), *part.buffers(False)))
        for part in module.modules()
    )


def largest_block(module: torch.nn.Module) -> int:
    """Return the bytes of the largest block and of all that is in none: the least at a time."""
    import torch

    lists = (torch.nn.ModuleList, torch.nn.Sequential)
    blocks = [b for part in module.children() if isinstance(part, lists) for b in part]
    inside = sum(weights(block) for block in blocks)
    return weights(module) - inside + max((weights(block) for block in blocks), default=0)


def _tensors(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    seen = set()
    for tensor in (*module.parameters(), *module.buffers()):
        # An encoder and its embedding may be two names of one tensor.
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor
