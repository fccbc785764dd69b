"""Checks a file in place of a component by its header, and loads the component from it.

The file is in safetensors or GGUF. What it stores in 8 bits or fewer stays so in memory (see
``quantized``).

The file does not describe its architecture: class and sizes come from the model's configuration.
Each tensor of the file must be used or belong to another component, and each tensor of the model
must be in the file; else the file is refused, by its header alone and before large downloads.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.quantities import GIB
from tiomagic_local.checkpoint.factors import FormError, multiplied, weights_of
from tiomagic_local.checkpoint.folders import build_empty, is_of_diffusers
from tiomagic_local.checkpoint.gguf_files import ARCHITECTURE, SUFFIX, count_packed_bytes
from tiomagic_local.checkpoint.header import EIGHT_BITS, Entry, WeightsHeader, text_of
from tiomagic_local.checkpoint.weight_files import open_weights, read_header

if TYPE_CHECKING:
    import torch

    from tiomagic_local.component_files.encoder_names import Change
    from tiomagic_local.quantized.tensors import Loaded

PREFIXES = (
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "module.",
    "net.",
    "model.",
)
"""Prefixes of a transformer's tensors in files of other programs."""

OTHERS = {
    "VAE": ("vae.", "first_stage_model.", "audio_vae.", "vocoder."),
    "text encoder": ("text_encoder", "cond_stage_model.", "conditioner."),
    "text connectors": (
        "text_embedding_projection.",
        "video_embeddings_connector.",
        "audio_embeddings_connector.",
    ),
}
"""Prefixes of tensors of other components, which keep their own weights."""

RENAMED = {
    "img_emb.emb_pos": "condition_embedder.image_embedder.pos_embed",
    **{
        f"fps_projection.{theirs}.{kind}": f"fps_projection.net.{ours}.{kind}"
        for theirs, ours in ((0, "0.proj"), (2, "2"))
        for kind in ("weight", "bias")
    },
}
"""Authors' names that diffusers' conversion lacks."""


BESIDE = "decoder, and of what sees pictures"
"""What tensors of an encoder's file are of that are not the encoder's."""

COMPUTED = re.compile(r"(?:freqs|motion_encoder\..+\.kernel)$")
"""Tensors of authors' files that the model computes itself: the frequencies of positions, and the
blur kernels of Animate's motion encoder."""


@dataclass(frozen=True, slots=True)
class SingleFileContents:
    """The contents of a file."""

    names: Mapping[str, str]
    """The component's tensors in the file, by their names without a prefix."""
    factors: Mapping[str, str]
    """Names of factors by the names of weights, both as in the file."""
    others: Mapping[str, int]
    """Number of tensors of other components."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """What a tensor as it is stored needs to be the model's, by its name without a prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is known of a file that was compared with a model."""

    stored_as: Mapping[str, int]
    """Number of its tensors by their type, such as ``Q8_0`` or ``F8_E4M3``."""
    gib: float
    """In memory, in a run in 16 bits."""
    unused: Mapping[str, int]
    """Number of its unused tensors, by the component that they belong to."""


def check_file(file: Path, kind: Any, configuration: Path) -> FileFacts:
    """Check that a file has a whole component of this size, and no unknown tensors.

    Reads only the header of the file.

    Args:
        file: In safetensors or GGUF.
        kind: What `find_class` gave.
        configuration: The folder with the configuration of the one that it replaces.

    Raises:
        ConfigurationError: when it does not fit; names the parts that do not.
        MissingDependencyError: when it is in GGUF, and the library is missing.
    """
    import torch

    said = ""
    try:
        header = read_header(file)
        said = _made_for(header)
        model = build_empty(kind, configuration)
        found = _look(file, header, model)
        shapes = {
            short: torch.empty(header.tensors[name].shape, device="meta")
            for short, name in found.names.items()
        }
        for weight, factor in found.factors.items():
            multiplied(*(_on_meta(header, name) for name in (weight, factor)))
        _compare(_converted(kind, model, shapes), model)
    except (ValueError, RuntimeError, KeyError, IndexError, OSError) as error:
        raise ConfigurationError(
            f"the weights in {str(file)!r} cannot be loaded: {error}{said}",
            details={"file": str(file), "kind": kind.__name__},
        ) from error
    entries = [header.tensors[name] for name in found.names.values()]
    return FileFacts(
        stored_as=Counter(entry.type for entry in entries),
        gib=sum(map(count_bytes, entries)) / GIB,
        unused=found.others,
    )


def check_header(file: Path) -> None:
    """Check that a file is whole and in a format that is read. Loads no torch.

    Raises:
        ConfigurationError: when it is not.
        MissingDependencyError: when it is in GGUF, and the library is missing.
    """
    try:
        read_header(file)
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"the weights in {str(file)!r} cannot be loaded: {error}", details={"file": str(file)}
        ) from error


def load_file(file: Path, kind: Any, configuration: Path, dtype: torch.dtype) -> Any:
    """Load a component from one file, in the authors' naming or in that of its library.

    Args:
        file: In safetensors or GGUF, as `check_file` has found it.
        kind: What `find_class` gave.
        configuration: The folder with the configuration of the one that it replaces.
        dtype: The type of the run; diffusers keeps some weights in fp32.

    Raises:
        OSError, ValueError, RuntimeError, KeyError, TypeError: when the file does not fit.
    """
    from tiomagic_local.quantized.assembling import assemble
    from tiomagic_local.quantized.selection import kept_in_fp32

    header = read_header(file)
    model = build_empty(kind, configuration)
    found = _look(file, header, model)
    loaded = _read(file, header, found)
    if not _is_named(kind, model, loaded):
        loaded = _renamed(kind, model, loaded)
    return assemble(model, loaded, dtype, kept=kept_in_fp32(kind, dtype))


def _read(file: Path, header: WeightsHeader, found: SingleFileContents) -> Loaded:
    """Return the tensors of the component as they are stored, by their short names."""
    from tiomagic_local.quantized.tensors import keep_stored

    loaded: Loaded = {}
    with open_weights(file) as opened:
        for short, name in found.names.items():
            tensor, factor = opened.get_tensor(name), found.factors.get(name)
            scale = None if factor is None else opened.get_tensor(factor)
            type_ = header.tensors[name].type
            change = found.changes.get(short)
            tensor = tensor if change is None else change(tensor)
            stored = keep_stored(tensor, type_, scale)
            if stored is None and scale is not None:
                tensor = multiplied(tensor, scale)
            loaded[short] = tensor if stored is None else stored
    return loaded


def _made_for(header: WeightsHeader) -> str:
    """Return what a file says that it is for; empty for one that says nothing."""
    said = header.metadata.get(ARCHITECTURE)
    return f"; the file says that it is for {said!r}" if said else ""


def _look(file: Path, header: WeightsHeader, model: Any) -> SingleFileContents:
    """Return the contents of a file, from its header."""
    if not is_of_diffusers(type(model)):
        return _look_for_encoder(file, header, model)
    weights, factors = header.tensors, dict[str, str]()
    if file.suffix.lower() != SUFFIX:
        weights, factors = weights_of(header.tensors, lambda name: _said(file, name))
    others = {name: other for name in weights if (other := _other(name)) is not None}
    own = [name for name in weights if name not in others]
    prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in own)), "")
    names, strange = {}, []
    for name in own:
        short = name.removeprefix(prefix)
        if prefix and short == name:
            strange.append(name)
        other = _other(short)
        if COMPUTED.match(short):
            continue
        if other is None:
            names[short] = name
        else:
            others[name] = other
    if strange:
        raise FormError(
            f"{len(strange)} of its tensors are of nothing that is known, such as {strange[0]!r}"
        )
    return SingleFileContents(names, factors, Counter(others.values()))


def _look_for_encoder(file: Path, header: WeightsHeader, model: Any) -> SingleFileContents:
    """Return the contents of a text encoder's file, from its header."""
    from tiomagic_local.component_files.encoder_names import (
        is_no_weight,
        leave_out_sight,
        name_tensors,
    )

    leave_out_sight(model, header)
    weights, factors = header.tensors, dict[str, str]()
    packed = file.suffix.lower() == SUFFIX
    if not packed:
        given = {n: entry for n, entry in header.tensors.items() if not is_no_weight(n)}
        weights, factors = weights_of(given, lambda name: _said(file, name))
    found = name_tensors(weights, header, model, packed=packed)
    others = {BESIDE: found.others} if found.others else {}
    return SingleFileContents(found.names, factors, others, found.changes)


def _said(file: Path, name: str) -> Any:
    from safetensors import safe_open

    with safe_open(file, framework="np") as opened:
        return text_of(opened.get_tensor(name).tobytes())


def _other(name: str) -> str | None:
    return next((other for other, starts in OTHERS.items() if name.startswith(starts)), None)


def _on_meta(header: WeightsHeader, name: str) -> torch.Tensor:
    import torch

    return torch.empty(header.tensors[name].shape, device="meta")


def _is_named(kind: Any, model: Any, tensors: Collection[str]) -> bool:
    """Say whether tensors have the model's names; an encoder's have got them when it was read."""
    return not is_of_diffusers(kind) or model.state_dict().keys() <= set(tensors)


def _converted(kind: Any, model: Any, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors with diffusers' names."""
    if _is_named(kind, model, tensors):
        return tensors
    return _conversion(kind, model)(tensors)


def _renamed(kind: Any, model: Any, loaded: Loaded) -> Loaded:
    """Return the tensors of a file with diffusers' names."""
    from tiomagic_local.quantized.tensors import rename

    return rename(loaded, _conversion(kind, model))


def _conversion(kind: Any, model: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return diffusers' conversion of the authors' names for a model."""
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    convert = SINGLE_FILE_LOADABLE_CLASSES[kind.__name__]["checkpoint_mapping_fn"]

    def converted(tensors: dict[str, Any]) -> dict[str, Any]:
        given = {RENAMED.get(name, name): tensor for name, tensor in tensors.items()}
        made: dict[str, Any] = convert(checkpoint=given, config=dict(model.config))
        return made

    return converted


def count_bytes(entry: Entry) -> int:
    """Return the bytes of a tensor in memory: as it is stored in 8 bits or fewer, else in 16."""
    size = math.prod(entry.shape)
    if entry.type in EIGHT_BITS or entry.type == "I8":
        return size
    return count_packed_bytes(entry) or 2 * size


def _compare(state: Mapping[str, torch.Tensor], model: Any) -> None:
    """Compare names and shapes.

    Raises:
        ValueError: names the differences.
    """
    from tiomagic_local.quantized.assembling import tied_names

    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    ignored = tuple(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ())
    shapes = [n for n, shape in wanted.items() if n in state and tuple(state[n].shape) != shape]
    tied = tied_names(model)
    lacking = [name for name in wanted if name not in state and tied.get(name) not in state]
    unused = [
        n
        for n in state
        if n not in wanted and n not in tied and not any(word in n for word in ignored)
    ]
    said = []
    if shapes:
        first = shapes[0]
        here, there = tuple(state[first].shape), wanted[first]
        said.append(
            f"{len(shapes)} of its tensors have another shape, such as {first!r}: {here} in the "
            f"file, {there} in the model"
        )
    if lacking:
        said.append(f"it lacks {len(lacking)} tensors, such as {lacking[0]!r}")
    if unused:
        said.append(f"{len(unused)} of its tensors are not the model's, such as {unused[0]!r}")
    if said:
        raise ValueError("; ".join(said))


def measure_file(path: Path) -> float | None:
    """Return the GiB of the weights of a file in memory; None for one that cannot be read.

    The run itself says what is wrong with such a file.
    """
    state = path.stat()
    return _measure(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _measure(path: Path, _size: int, _changed: int) -> float | None:
    try:
        header = read_header(path)
    except (ValueError, OSError, TioMagicError):
        return None
    return sum(map(count_bytes, header.tensors.values())) / GIB
