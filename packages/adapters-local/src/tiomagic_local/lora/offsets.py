"""Changes of a model's tensors that come off again, to the last bit.

What peft has no layer for (norms, biases, modulation, LoHa, LoKr, DoRA, convolutions) is added to
the tensor itself. What the tensor was is kept in main memory, and put back. It is changed in place,
wherever it lies, so that hooks that move weights find it changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch

from tiomagic_local.lora.changes import Change
from tiomagic_local.lora.fitting import tensor_of

Key = tuple[str, str]


class Offsets:
    """The changes of one component.

    Args:
        part: Loaded and placed.
    """

    def __init__(self, part: torch.nn.Module) -> None:
        self._part = part
        self._changes: dict[str, list[Change]] = {}
        self._kept: dict[Key, torch.Tensor] = {}
        """What was there, by module and attribute."""

    def prepare(self, adapter: str, changes: Sequence[Change]) -> None:
        """Have changes ready under the name of an adapter; `show` puts them on."""
        if changes:
            self._changes[adapter] = list(changes)

    def remove(self, stays: Collection[str]) -> None:
        """Forget all adapters but some; `show` takes them off."""
        self._changes = {name: made for name, made in self._changes.items() if name in stays}

    @torch.no_grad()
    def apply(self, scales: Mapping[str, float]) -> None:
        """Have each tensor as it was, plus the changes of adapters at their scales.

        Args:
            scales: Of adapters by name; one that has no scale is not on.
        """
        wanted: dict[Key, list[tuple[float, Change]]] = {key: [] for key in self._kept}
        for adapter, made in self._changes.items():
            for change in made:
                key = (change.name, change.attribute)
                wanted.setdefault(key, []).append((scales.get(adapter, 0.0), change))
        resting = _resting(self._part)
        for key, listed in wanted.items():
            self._write(key, [(scale, change) for scale, change in listed if scale], resting)

    def _write(
        self,
        key: Key,
        listed: Sequence[tuple[float, Change]],
        resting: Mapping[torch.Tensor, Sequence[torch.Tensor]],
    ) -> None:
        name, attribute = key
        where = Change(name=name, attribute=attribute, kind="bias", tensors={})
        tensor = tensor_of(self._part, where)
        if not listed:
            before = self._kept.pop(key, None)
            if before is not None:
                _fill(tensor, before, resting)
            return
        if key not in self._kept:
            self._kept[key] = tensor.detach().to("cpu", copy=True)
        original = self._kept[key].to(tensor.device).float()
        total = original.clone()
        for scale, change in listed:
            total += scale * change.of(original)
        _fill(tensor, total.to(tensor.dtype), resting)


def _fill(
    tensor: torch.nn.Parameter,
    values: torch.Tensor,
    resting: Mapping[torch.Tensor, Sequence[torch.Tensor]],
) -> None:
    tensor.data.copy_(values)
    for copy in resting.get(tensor, ()):
        copy.copy_(values)


def _resting(part: torch.nn.Module) -> dict[torch.Tensor, list[torch.Tensor]]:
    """Return the copies in main memory of what comes to the device layer by layer.

    After a run that was stopped the tensor itself may be the copy on the device.
    """
    found: dict[torch.Tensor, list[torch.Tensor]] = {}
    for group in _groups(part):
        for tensor, copy in group.items():
            found.setdefault(tensor, []).append(copy)
    return found


def _groups(part: torch.nn.Module) -> Iterator[Mapping[torch.Tensor, torch.Tensor]]:
    for module in part.modules():
        registry = getattr(module, "_diffusers_hook", None)
        for hook in registry.hooks.values() if registry is not None else ():
            group = getattr(hook, "group", None)
            if group is not None:
                yield getattr(group, "cpu_param_dict", {})
