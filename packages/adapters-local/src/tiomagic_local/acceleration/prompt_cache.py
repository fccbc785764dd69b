"""Caches encoded prompts of the text encoders.

Another seed of the same prompt then needs no encoder: this saves seconds if all weights are on the
GPU, and the transfer of 11 GB to the GPU and back if they are offloaded.
"""

from __future__ import annotations

import contextlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import torch

MAX_ENTRIES = 64
"""Most cached prompts, each with its negative prompt."""
MAX_BYTES = 512 * 2**20
"""Most bytes in main memory. 512 tokens of 4096 numbers in bf16 take 4 MiB."""

TEXT_BLOCK = "text_encoder"
"""The block of a modular pipeline that encodes the prompt."""
GUIDED = "requires_unconditional_embeds"

_PLAIN = (str, int, float, bool, type(None), torch.dtype, torch.device)

Key = tuple[object, ...]


class PromptCache:
    """The newest encoded prompts of one loaded pipeline, on the CPU.

    The numbers are bit for bit the encoder's.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, Any] = OrderedDict()
        self.hits: int = 0
        """Cache hits since the last `used` began."""

    @contextlib.contextmanager
    def activate(self, pipeline: Any) -> Iterator[None]:
        """Answer the pipeline's calls of ``encode_prompt`` from the cache within the block.

        A modular pipeline has a block in place of this method. One without both is unchanged.
        """
        self.hits = 0
        blocks = getattr(getattr(pipeline, "_blocks", None), "sub_blocks", {})
        if TEXT_BLOCK in blocks:
            encodes = blocks[TEXT_BLOCK]
            blocks[TEXT_BLOCK] = _RememberingBlock(encodes, self._recall)
            try:
                yield
            finally:
                blocks[TEXT_BLOCK] = encodes
            return
        original = getattr(pipeline, "encode_prompt", None)
        if original is None:
            yield
            return
        pipeline.encode_prompt = self._remembering(original)
        try:
            yield
        finally:
            del pipeline.encode_prompt

    def _remembering(self, original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        def encode_prompt(*given: Any, **named: Any) -> Any:
            bound = signature.bind(*given, **named)
            bound.apply_defaults()
            return self._recall(bound.arguments, lambda: original(*given, **named))

        return encode_prompt

    def _recall(self, arguments: Mapping[str, Any], encode: Callable[[], Any]) -> Any:
        """Return what a call gave before, or make the call."""
        key = _key(arguments)
        if key is None:
            return encode()
        if key in self._entries:
            self.hits += 1
            self._entries.move_to_end(key)
            return _map(self._entries[key], lambda kept: kept[0].to(kept[1], copy=True))
        result = encode()
        # A copy, because a pipeline may write into what it was given.
        self._entries[key] = _map(result, lambda t: (t.detach().to("cpu", copy=True), t.device))
        self._forget()
        return result

    def _forget(self) -> None:
        while len(self._entries) > MAX_ENTRIES or self._bytes() > MAX_BYTES:
            self._entries.popitem(last=False)

    def _bytes(self) -> int:
        sizes: list[int] = []
        for entry in self._entries.values():
            _map(entry, lambda kept: sizes.append(kept[0].nbytes))
        return sum(sizes)


class _RememberingBlock:
    """Stands where a modular pipeline has the block that encodes the prompt.

    Args:
        block: That one.
        recall: Gets its inputs and a function that runs it, and returns its outputs.
    """

    def __init__(
        self, block: Any, recall: Callable[[Mapping[str, Any], Callable[[], Any]], Any]
    ) -> None:
        self._block, self._recall = block, recall

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)

    def __deepcopy__(self, _memo: object) -> Self:
        # The library copies all blocks to look at one of them.
        return self

    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        names = [output.name for output in self._block.intermediate_outputs]

        def encode() -> tuple[Any, ...]:
            self._block(components, state)
            return tuple(state.get(name) for name in names)

        # What guides the run decides whether a negative prompt is encoded.
        guided = getattr(components, GUIDED, None)
        given = {one.name: state.get(one.name) for one in self._block.inputs} | {GUIDED: guided}
        for name, value in zip(names, self._recall(given, encode), strict=True):
            state.set(name, value)
        return components, state


def _key(arguments: Mapping[str, Any]) -> Key | None:
    """Return the cache key of a call; None for one with tensors or objects as arguments."""
    key: list[object] = []
    for name, value in arguments.items():
        plain = tuple(value) if isinstance(value, list) else value
        for item in plain if isinstance(plain, tuple) else (plain,):
            if not isinstance(item, _PLAIN):
                return None
        # 1 and True compare equal, but are different arguments.
        key.append((name, type(plain), plain))
    return tuple(key)


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested tuples and lists with a function applied to each tensor or cached one."""
    if isinstance(value, torch.Tensor) or _is_kept(value):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_map(item, change) for item in value)
    return value


def _is_kept(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], torch.Tensor)
        and isinstance(value[1], torch.device)
    )
