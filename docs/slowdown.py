"""How much longer a step takes than with all weights on the GPU, computed and not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.preflight.speeds import gpu_flops
from tiomagic_domain.quantities import GIB
from tiomagic_local.footprint.estimates import find_estimate
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.memory.quality import share_of
from tiomagic_local.preflight.run_time import count_operations


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCard:
    """A GPU that stands for its size."""

    title: str
    memory_bytes_a_second: float
    """Of its own memory, from its maker's data sheet."""
    link_bytes_a_second: float = 25e9
    """From main memory: PCIe 4.0 with 16 lanes, of whose 31.5 GB a second 25 are usual."""
    disk_bytes_a_second: float = 3e9
    """From the disk: an SSD (NVMe), of which 3 to 7 GB a second are usual."""


EXAMPLES: Final[Mapping[int, ExampleCard]] = {
    8: ExampleCard(title="RTX 3070", memory_bytes_a_second=448e9),
    12: ExampleCard(title="RTX 4070", memory_bytes_a_second=504e9),
    16: ExampleCard(title="RTX 4080", memory_bytes_a_second=717e9),
    24: ExampleCard(title="RTX 4090", memory_bytes_a_second=1008e9),
}
"""By their memory in GB."""
READING: Final[Mapping[str, int]] = {"int8": 19, "fp8": 19, "nf4": 29, "q4_1": 31, "q5_1": 45}
"""Bytes that are read and written to get a number of a weight in 16 bits, summed over the
operations of ``quantized.tensors.read_stored``, each with its result in memory."""

EXPLANATION: Final = """\
The factor behind a figure is how much longer a step takes than on a GPU with room for all weights:
computed from the rates of one card of each size, and not measured.

```text
compute  = operations of a pass / (0.4 x the card's bf16 peak)
transfer = bytes of the transformer / 25 GB a second                 (group_offload, each pass)
           or / 3 GB a second                                        (disk_offload, each pass)
read     = numbers of the transformer x b / the card's memory rate   (weights in fewer bits)
factor   = (max(compute, transfer) + read) / compute
```

`b` is 19 bytes for `int8`, 45 for `q5_1` and 31 for `q4_1`: what is read and written to have a
number in 16 bits. The cards are RTX 3070, 4070, 4080 and 4090. Layers come while others multiply,
so a transfer costs nothing where a pass is long enough to hide it: 26.7 GiB take 1.15 s, and a
short or small video waits for them. `model_offload` moves each component once a video, which is not
counted: two seconds for 40 GiB.
"""


def compute_slowdown(
    card: ModelCard, settings: Mapping[str, Any], choice: MemoryChoice, gpu: ExampleCard
) -> float | None:
    """Return the factor by which a step takes longer; None for an unknown model or rate of a disk.

    Args:
        card: The model.
        settings: Its size and length.
        choice: The plan and the formats.
        gpu: What it runs on.
    """
    known, flops = find_estimate(card.name), gpu_flops(gpu.title)
    assert flops is not None, "the examples are in the table"
    if known is None or choice.plan is MemoryPlan.DISK_OFFLOAD:
        return None
    full = known.weights["transformer"] * GIB
    once = {**settings, "num_inference_steps": 1, "guidance_scale": 1.0}
    operations = count_operations(card, once, full / 2)
    if operations is None:
        return None
    compute = operations / flops
    format_ = choice.quantization.get("transformer")
    share = 1.0 if format_ is None else share_of(card.name, "transformer", format_)
    rates = {
        MemoryPlan.GROUP_OFFLOAD: gpu.link_bytes_a_second,
        MemoryPlan.DISK_OFFLOAD: gpu.disk_bytes_a_second,
    }
    transfer = full * share / rates[choice.plan] if choice.plan in rates else 0.0
    read = 0.0
    if format_ is not None:
        read = full / 2 * READING[format_] / gpu.memory_bytes_a_second
    return (max(compute, transfer) + read) / compute
