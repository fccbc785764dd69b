"""Counts the peak of live bytes while modules run on the meta device.

A storage counts from its creation until its last tensor is freed, rounded up like CUDA's allocator.
Weights are not counted. Views and in-place operations make no storage. Two effects of a GPU do not
occur on the meta device and are modelled:

* Attention runs in one kernel, which allocates no score matrix; a mask of bools becomes one of
numbers.
* cuDNN computes TF32 and 16-bit convolutions channels last. With another layout it copies input and
output into a workspace.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ALLOCATION_BLOCK_BYTES = 512
"""CUDA's allocator rounds sizes up to multiples of this."""

CONVOLUTIONS = frozenset({"aten::convolution", "aten::_convolution"})


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's are untyped.
    """Follows the storages of tensors for the time of a block.

    Args:
        held: Modules whose weights and buffers are not counted.
        channels_last: True if convolutions have channels-last weights, and need no workspace.
    """

    def __init__(self, *held: torch.nn.Module, channels_last: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        """The most bytes at once."""
        self._live = 0
        self._channels_last = channels_last
        self._seen: weakref.WeakKeyDictionary[torch.UntypedStorage, int] = (
            weakref.WeakKeyDictionary()
        )
        for module in held:
            for tensor in (*module.parameters(), *module.buffers()):
                self._seen[tensor.untyped_storage()] = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation and count the storages that it makes."""
        del types
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor)
        self.peak = max(self.peak, self._live + self._workspace(func, args, made))
        return made

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        # Masks and numbers on the CPU take no device memory.
        if tensor.device.type != "meta" or storage in self._seen:
            return
        size = -(-storage.nbytes() // ALLOCATION_BLOCK_BYTES) * ALLOCATION_BLOCK_BYTES
        self._seen[storage] = size
        self._live += size
        weakref.finalize(storage, self._drop, size)

    def _drop(self, size: int) -> None:
        self._live -= size

    def _workspace(self, func: Any, args: Sequence[Any], made: Any) -> int:
        if self._channels_last or func._schema.name not in CONVOLUTIONS:  # noqa: SLF001
            return 0
        # In one dimension they are matrix products.
        return int(args[0].nbytes + made.nbytes) if made.dim() > 3 else 0


class AsOnAGpu(TorchFunctionMode):
    """Replaces attention by one kernel and makes masks let all tokens through, within the block.

    Some pipelines branch on the values of a mask, which a meta tensor does not have.
    """

    def __init__(self) -> None:
        super().__init__()
        self._nowhere: list[torch.Tensor] = []
        """Inverted masks."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function, or return the result that it would have on a GPU."""
        del types
        named = dict(kwargs or {})
        if func is torch.nn.functional.scaled_dot_product_attention:
            return _attend(*args, **named)
        if func is torch.all and args[0].is_meta:
            return torch.zeros((), dtype=torch.bool)
        if func is torch.Tensor.__getitem__:
            return self._chosen(func, *args)
        made = func(*args, **named)
        if func is torch.Tensor.__invert__:
            self._nowhere.append(made)
        return made

    def _chosen(self, func: Any, tensor: torch.Tensor, index: Any) -> Any:
        if isinstance(index, torch.Tensor) and index.is_meta and index.dtype == torch.bool:
            none = any(index is mask for mask in self._nowhere)
            rows = 0 if none else index.shape[0]
            return tensor.new_empty((rows, *tensor.shape[index.dim() :]))
        if isinstance(index, tuple):
            index = tuple(_whole(part) for part in index)
        return func(tensor, index)


def _whole(part: Any) -> Any:
    """Return a slice with an unknown length as one up to the end."""
    unknown = isinstance(part, slice) and isinstance(part.stop, torch.Tensor) and part.stop.is_meta
    return slice(None) if unknown else part


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    *_rest: Any,
    **_named: Any,
) -> torch.Tensor:
    """Return a tensor of the shape of attention's output."""
    del key
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # It exists while the kernel runs, together with the output.
        attn_mask = torch.empty(attn_mask.shape, dtype=query.dtype, device=query.device)
    shape = (*query.shape[:-1], value.shape[-1])
    return torch.empty(shape, dtype=query.dtype, device=query.device)
