"""Applies changes to a model's tensors and removes them again, bit for bit.

Changes without a peft layer (norms, biases, modulation, LoHa, LoKr, DoRA, convolutions) are added
to the tensor itself. The original is kept in main memory and restored. The tensor is changed in
place, on any device, so that offload hooks move the changed one. A weight that is kept as it is
stored is changed each time it is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch

from tiomagic_local.lora.changes import Change
from tiomagic_local.lora.fitting import stored_layer_of, tensor_of

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
        """The original tensors, by module and attribute."""
        self._stored: set[Key] = set()
        """Weights that are kept as they are stored, and have no original."""

    def prepare(self, adapter: str, changes: Sequence[Change]) -> None:
        """Store changes under the name of an adapter; `show` applies them."""
        if changes:
            self._changes[adapter] = list(changes)

    def remove(self, stays: Collection[str]) -> None:
        """Forget all adapters but some; `show` removes their changes."""
        self._changes = {name: made for name, made in self._changes.items() if name in stays}

    @torch.no_grad()
    def apply(self, scales: Mapping[str, float]) -> None:
        """Set each tensor to its original plus the changes of adapters at their scales.

        Args:
            scales: By adapter; one without a scale is off.
        """
        before = (*self._kept, *self._stored)
        wanted: dict[Key, list[tuple[float, Change]]] = {key: [] for key in before}
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
        layer = stored_layer_of(self._part, where)
        if layer is not None:
            layer.changes = tuple(listed)
            self._stored.add(key)
            return
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
    """Return the main-memory copies of tensors that are offloaded layer by layer.

    After an interrupted run the tensor itself may be the copy on the device.
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
