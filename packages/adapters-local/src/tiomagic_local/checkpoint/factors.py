"""Reads weights that are stored in 8 bits with a scale factor for each matrix (fp8_scaled).

ComfyUI (``*_fp8_scaled``), LightX2V and others write them. A weight is its stored number times the
factor, which is one for the matrix, one for each row or column, or one for each block. Without
factors the numbers are useless, so a file that lacks one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tiomagic_local.checkpoint.header import EIGHT_BITS, Entry

if TYPE_CHECKING:
    import torch

FACTOR = re.compile(r"(?P<layer>.+)\.(?:scale_weight|weight_scale|weight_scale_inv|weight\.scale)$")
"""Names of factors, by the layer whose ``weight`` they are for. ``inv`` is multiplied as well: it
is the inverse of what the weight was multiplied with."""
OF_INPUTS = re.compile(
    r".+\.(?:scale_input|input_scale|scale_output|output_scale|activation_scale)$"
)
"""Scales for the inputs of 8-bit products; the weights do not depend on them."""
MARK = re.compile(r"(?:.+\.)?scaled_fp8$")
"""An empty tensor that marks a file with factors."""
FORM = re.compile(r"(?P<layer>.+)\.comfy_quant$")
"""A tensor of bytes with JSON: the storage format of a layer."""
FORMS = frozenset({"float8_e4m3fn", "float8_e5m2", "int8_tensorwise", "int8"})
"""Formats of `FORM` that are a number times a factor."""
KNOWN_WORDS = frozenset({"format", "full_precision_matrix_mult"})
"""Fields of such a format that do not change the weights."""
PACKED = {
    "bitsandbytes": re.compile(r".+\.(?:absmax|quant_map|nested_\w+|quant_state\..+|SCB)$"),
    "NVFP4": re.compile(r".+\.weight_scale_2$"),
    "GPTQ or AWQ": re.compile(r".+\.(?:qweight|qzeros|g_idx)$"),
    "weights with zero points": re.compile(r".+\.weight_(?:zero_point|zp)$"),
    "SVDQuant": re.compile(r".+\.(?:smooth_factor(?:_orig)?|wscales|wtscale|proj_down|proj_up)$"),
}
"""Names of tensors of formats whose numbers are packed or more than a product."""


class FormError(ValueError):
    """The weights are in an unsupported format; the text names it."""


def is_helper(name: str) -> bool:
    """Return True for a tensor that only describes the storage of another one."""
    patterns = (FACTOR, OF_INPUTS, MARK, FORM, *PACKED.values())
    return any(pattern.match(name) for pattern in patterns)


def weights_of(
    tensors: Mapping[str, Entry], form: Callable[[str], object]
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return the weights of a file, and the names of factors by names of weights.

    Args:
        tensors: All of the file.
        form: Returns the content of a tensor of `FORM`.

    Raises:
        FormError: when the format is another, when a weight lacks its factor, or a factor its
            weight.
    """
    # First: packed weights have factors too, and would be multiplied as if they were plain numbers.
    _refuse_packed(tensors)
    factors: dict[str, str] = {}
    weights: dict[str, Entry] = {}
    marked = False
    for name, entry in tensors.items():
        factor, said = FACTOR.match(name), FORM.match(name)
        if factor is not None:
            factors[f"{factor['layer']}.weight"] = name
        elif said is not None:
            _check_form(name, form(name))
        elif MARK.match(name):
            marked = True
        elif not OF_INPUTS.match(name):
            weights[name] = entry
    # Sorted names do not put a factor beside its weight, so both are known only at the end.
    orphans = [factor for weight, factor in factors.items() if weight not in weights]
    if orphans:
        raise FormError(f"{len(orphans)} factors are of no weight, such as {orphans[0]!r}")
    _check_stored(weights, factors, marked=marked or bool(factors))
    return weights, factors


def _refuse_packed(names: Iterable[str]) -> None:
    for name in names:
        for form, pattern in PACKED.items():
            if pattern.match(name):
                raise FormError(
                    f"its weights are stored as {form} does, which is not read ({name!r}); take "
                    "the file in 16 bits, or in 8 bits with factors (fp8_scaled)"
                )


def _check_form(name: str, said: object) -> None:
    if isinstance(said, dict) and said.get("format") in FORMS and not set(said) - KNOWN_WORDS:
        return
    raise FormError(f"{name!r} says {said!r}, a form that is not read")


def _check_stored(
    weights: Mapping[str, Entry], factors: Mapping[str, str], *, marked: bool
) -> None:
    whole = [
        name for name, entry in weights.items() if entry.type[0] in "IUB" and entry.type != "BF16"
    ]
    bare = [name for name in whole if name not in factors or weights[name].type != "I8"]
    if bare:
        kind = weights[bare[0]].type
        raise FormError(
            f"{len(bare)} of its tensors are whole numbers ({kind}), such as {bare[0]!r}: packed "
            "or quantised weights are not read"
        )
    small = [n for n, e in weights.items() if e.type in EIGHT_BITS and n not in factors]
    # Eight bits without any factor are plain numbers of a small type; beside others that have one,
    # a factor was lost.
    if marked and small:
        raise FormError(
            f"it has factors beside its weights in eight bits, and none for {len(small)} of them, "
            f"such as {small[0]!r}"
        )


def multiplied(weight: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Return a weight in fp32, from its stored numbers and their factor.

    Args:
        weight: Of any type.
        factor: One number, one for each row or column, or one for each block of the matrix.

    Raises:
        FormError: when it is none of these.
    """
    # In fp32: a factor in bf16 has 8 bits, and the product would lose what the factor was stored
    # for.
    given, factor = weight.float(), factor.float()
    if factor.numel() == 1:
        return given * factor.reshape(())
    # One number a row; the shape that NumPy would spread over the columns.
    if factor.ndim == 1 and factor.shape[0] == given.shape[0]:
        return given * factor.view(-1, *([1] * (given.ndim - 1)))
    pairs = list(zip(factor.shape, given.shape, strict=False))
    if factor.ndim == given.ndim and all(f in (1, w) for f, w in pairs):
        return given * factor
    if factor.ndim == given.ndim:
        # Rounded up: the last block of a row may be shorter than the others.
        blocks = [-(-w // f) for f, w in pairs]
        if all(-(-w // block) == f for (f, w), block in zip(pairs, blocks, strict=True)):
            for axis, block in enumerate(blocks):
                factor = factor.repeat_interleave(block, dim=axis)
            return given * factor[tuple(slice(side) for side in given.shape)]
    raise FormError(f"a factor of {tuple(factor.shape)} does not go with {tuple(given.shape)}")
