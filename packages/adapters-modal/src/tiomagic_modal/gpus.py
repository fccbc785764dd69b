"""The list of Modal's GPUs: names, memory, prices, and the default GPU of a model. Add one here.

Memory is in GB as sold, prices in US dollars an hour as Modal lists them, rounded to cents.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import date

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.suggestions import closest, did_you_mean, list_names


@dataclass(frozen=True, slots=True)
class Gpu:
    """One kind of GPU."""

    name: str
    memory_gb: int
    dollars_per_hour: float


GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("T4", 16, 0.59),
        Gpu("L4", 24, 0.80),
        Gpu("A10", 24, 1.10),
        Gpu("A10G", 24, 1.10),
        Gpu("L40S", 48, 1.95),
        Gpu("A100", 40, 2.10),
        Gpu("A100-40GB", 40, 2.10),
        Gpu("A100-80GB", 80, 2.50),
        Gpu("RTX-PRO-6000", 96, 3.03),
        Gpu("H100", 80, 3.95),
        Gpu("H100!", 80, 3.95),
        Gpu("H200", 141, 4.54),
        Gpu("B200", 180, 6.25),
        Gpu("B200+", 180, 6.25),
    )
}
"""Modal's list, by name. ``H100!`` is never silently an H200, ``B200+`` may be something newer."""

PRICES_SOURCE = "modal.com/pricing"
PRICES_READ_ON = date(2026, 7, 1)
"""The day on which the prices were those of the page."""

RECOMMENDED_GPUS = ("L4", "L40S", "H100", "H200", "B200")
"""Defaults and advice, smallest first: at each size the GPU with the lowest cost for a video.

An A100 costs two thirds of an H100 an hour, and takes more than twice as long in bf16. A T4 has no
bf16 at all.
"""

HEADROOM_GIB = 9
"""Memory beside the weights: Wan's decoder needs 7.7 GiB at 832x480, and the plan keeps 1 free."""
USABLE_MEMORY_FRACTION = 0.93
"""Usable GiB for each advertised GB, after CUDA's own share."""
MAX_GPU_COUNT = 8
_GPU_PATTERN = re.compile(r"(?P<name>[A-Z0-9][A-Z0-9.\-]*[!+]?)(?::(?P<count>[0-9]+))?")


def check_gpu(text: str) -> str:
    """Return the name of a GPU in Modal's spelling.

    A well-formed name that is not on the list is passed on with a warning: Modal adds GPUs.

    Args:
        text: Such as ``h100``, ``A100-80GB`` or ``L40S:2``.

    Raises:
        ConfigurationError: when it is not the name of a GPU; suggests the nearest one.
    """
    given = text.strip().upper()
    match = _GPU_PATTERN.fullmatch(given)
    name = match["name"] if match else given
    if match is None or not 1 <= int(match["count"] or 1) <= MAX_GPU_COUNT:
        raise _unknown_gpu_error(text, name)
    if name not in GPUS:
        warnings.warn(
            f"gpu={text!r} is not on tiomagic's list of Modal GPUs and is passed on as it is."
            f"{did_you_mean(name, GPUS)}",
            UserWarning,
            stacklevel=2,
        )
    return given


def _unknown_gpu_error(text: str, name: str) -> ConfigurationError:
    nearest = closest(name, GPUS)
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    return ConfigurationError(
        f"Modal has no GPU {text!r}.{hint} GPUs: {list_names(GPUS)}, "
        f"with :2 to :{MAX_GPU_COUNT} for several",
        details={"gpu": text, "nearest": nearest, "known": sorted(GPUS)},
        code=ErrorCode.UNKNOWN_GPU,
    )


def usable_memory_gib(gpu: str) -> float | None:
    """Return the usable memory of one GPU in GiB; None for an unknown kind."""
    kind = GPUS.get(gpu.split(":", maxsplit=1)[0])
    return kind.memory_gb * USABLE_MEMORY_FRACTION if kind else None


def default_gpu(card: ModelCard) -> str | None:
    """Return the default GPU of a model; None for a CPU.

    The smallest that holds all weights at once: on a rented GPU the time for offloading costs more
    than a larger GPU.
    """
    if card.gpu_memory_gib <= 0:
        return None
    return _find_fitting_gpu(card.weights_gib + HEADROOM_GIB) or RECOMMENDED_GPUS[-1]


def choose_gpu(card: ModelCard, wanted: str | None) -> str | None:
    """Return the GPU that a model runs on: the requested one, or its default.

    Raises:
        ConfigurationError: when the name is wrong, or the model is known not to fit.
    """
    if wanted is None:
        return default_gpu(card)
    gpu = check_gpu(wanted)
    kind = GPUS.get(gpu.split(":", maxsplit=1)[0])
    # A card states the memory of a GPU as sold.
    if kind is not None and kind.memory_gb < card.gpu_memory_gib:
        better = default_gpu(card)
        raise ConfigurationError(
            f"{card.name} needs a GPU that is sold with at least {card.gpu_memory_gib:g} GB, and "
            f"a {gpu} has {kind.memory_gb}; use gpu={better!r}, or leave gpu out",
            details={"gpu": gpu, "model": card.name, "suggestion": better},
            code=ErrorCode.GPU_TOO_SMALL,
        )
    return gpu


def estimate_cost(gpu: str | None) -> Cost | None:
    """Return about what an hour of a GPU costs; None for a CPU, and for a kind not known."""
    name, _, count = (gpu or "").partition(":")
    kind = GPUS.get(name)
    if kind is None:
        return None
    return Cost(amount=kind.dollars_per_hour * int(count or 1), currency="USD", per="hour")


def find_larger_gpu(gpu: str | None) -> str | None:
    """Return the next larger GPU of the list; None when there is none."""
    has = usable_memory_gib(gpu) if gpu else 0.0
    return _find_fitting_gpu((has or 0.0) + 1) if has is not None else None


def _find_fitting_gpu(needed_gib: float) -> str | None:
    return next(
        (name for name in RECOMMENDED_GPUS if (usable_memory_gib(name) or 0) >= needed_gib), None
    )
