"""Counts the bytes that live at once while modules run on the meta device.

A storage counts from the moment an operation makes it until the last tensor on it is gone, rounded
up as CUDA's allocator rounds. Weights are held and not counted. Views and what is done in place
make no storage. Two things that torch does on a GPU do not show on the meta device:

* Attention runs in one kernel, which writes its output and keeps nothing of the size of a score
  matrix; a mask of bools becomes one of numbers.
* cuDNN multiplies in TF32 and in halves with the channels last. A convolution whose tensors lie
  otherwise copies its input and its output into a workspace.
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
"""CUDA's allocator gives bytes in multiples of this."""

CONVOLUTIONS = frozenset({"aten::convolution", "aten::_convolution"})


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's are untyped.
    """Follows the storages of tensors for the time of a block.

    Args:
        held: Modules whose weights and buffers are there anyway.
        channels_last: True where the weights of convolutions are laid so, and need no workspace.
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
        """Run an operation and count what it has made."""
        del types
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor)
        self.peak = max(self.peak, self._live + self._workspace(func, args, made))
        return made

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        # Masks and numbers on the CPU take nothing of the device.
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
        # Of one dimension they are matrix products.
        return int(args[0].nbytes + made.nbytes) if made.dim() > 3 else 0


class AsOnAGpu(TorchFunctionMode):
    """Has attention be one kernel and masks let all words through, for the time of a block.

    Some pipelines choose by what is in a mask, which a tensor without values cannot say.
    """

    def __init__(self) -> None:
        super().__init__()
        self._nowhere: list[torch.Tensor] = []
        """Masks that are the opposite of one that lets all through."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function, or make what it would make on a GPU."""
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
    """Return a slice up to a length that is not known as one up to the end."""
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
    """Return a tensor like the output of attention."""
    del key
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # It lives as long as the kernel runs, beside the output.
        attn_mask = torch.empty(attn_mask.shape, dtype=query.dtype, device=query.device)
    shape = (*query.shape[:-1], value.shape[-1])
    return torch.empty(shape, dtype=query.dtype, device=query.device)
