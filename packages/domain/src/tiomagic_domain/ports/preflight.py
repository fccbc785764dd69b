"""What a provider says of a run before it starts: device, weights, memory, access, time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDevice:
    """The device that a run would use."""

    name: str
    """Such as ``cpu``, ``cuda:0`` or ``H100``."""
    title: str = ""
    """The chip's name for people; empty if unknown."""
    is_cpu: bool = False
    memory_gib: float | None = None
    """All memory of the device; None for a CPU, or if unknown."""
    free_gib: float | None = None
    """What of it is free now; None if unknown."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "is_cpu": self.is_cpu,
            "memory_gib": _rounded(self.memory_gib),
            "free_gib": _rounded(self.free_gib),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOnDisk:
    """The weights of a model at the place where the run looks for them."""

    total_bytes: int
    """All files that a run needs."""
    here_bytes: int
    """Those that are here, unfinished downloads included."""
    place: str
    """The folder where they are or will be, for people."""
    disk_free_bytes: int | None = None
    """Free bytes on the disk of that folder; None if unknown."""
    is_exact: bool = False
    """True when each file's size is known; False for the model card's figure."""
    blocked: str = ""
    """Why nothing can be downloaded, for people; empty if it can."""
    other_fetches: Mapping[str, int] = field(default_factory=dict)
    """Bytes to download, among those of ``fetch_bytes``, for what is not the model itself; by what
    it is for people, such as ``the pose estimator``."""
    made_bytes: int = 0
    """Bytes of weights in fewer bits that the run makes from the full ones, and keeps."""

    @property
    def fetch_bytes(self) -> int:
        """The bytes that a run would download first."""
        return max(self.total_bytes - self.here_bytes, 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "total_bytes": self.total_bytes,
            "here_bytes": self.here_bytes,
            "fetch_bytes": self.fetch_bytes,
            "is_exact": self.is_exact,
            "place": self.place,
            "disk_free_bytes": self.disk_free_bytes,
            "blocked": self.blocked,
            "other_fetches": dict(self.other_fetches),
            "made_bytes": self.made_bytes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNeed:
    """The memory that one memory plan takes."""

    plan: str
    """A plan of the setting ``memory``, or another word of the provider."""
    device_gib: float
    """Memory of the device."""
    main_gib: float
    """Main memory."""
    smaller: str = ""
    """For people: what takes less main memory; empty if nothing does."""
    reads_disk: bool = False
    """True if weights stay on the disk, and are read at every step."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "plan": self.plan,
            "device_gib": round(self.device_gib, 1),
            "main_gib": round(self.main_gib, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTime:
    """About how long a run takes, without the download."""

    seconds: float
    basis: str
    """Where the figure comes from, for people: measured runs, or an estimate."""
    is_measured: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "seconds": round(self.seconds, 1),
            "basis": self.basis,
            "is_measured": self.is_measured,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """Whether a run needs a token of a service, and whether there is one; never its value."""

    service: str
    """The service's name for people, such as ``Hugging Face``."""
    is_needed: bool
    is_there: bool | None = None
    """None if unknown."""
    why: str = ""
    """What it is needed for, and how to get one, for people."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "service": self.service,
            "is_needed": self.is_needed,
            "is_there": self.is_there,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConditions:
    """What a run meets at a provider, and what it needs; None for what is not known."""

    device: RunDevice | None = None
    weights: WeightsOnDisk | None = None
    """None when the caller need not care, as for a service that has them."""
    plans: tuple[PlanNeed, ...] = ()
    """The memory plans, the fastest first; empty if the need is unknown."""
    main_memory_gib: float | None = None
    """All main memory that the run may use, swap included."""
    free_main_memory_gib: float | None = None
    is_certain: bool = False
    """True when the needs come from the files or from shapes that are known; False for the figures
    of a card, or of weights that the user chose. What is not certain is never refused."""
    time: RunTime | None = None
    tokens: tuple[TokenState, ...] = ()
    place: str = ""
    """Where it runs, for sentences: ``this machine``; empty for the provider's name."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return plain data."""
        return {
            "device": self.device and self.device.to_dict(),
            "weights": self.weights and self.weights.to_dict(),
            "plans": [plan.to_dict() for plan in self.plans],
            "main_memory_gib": _rounded(self.main_memory_gib),
            "free_main_memory_gib": _rounded(self.free_main_memory_gib),
            "time": self.time and self.time.to_dict(),
            "tokens": [token.to_dict() for token in self.tokens],
        }


def _rounded(gib: float | None) -> float | None:
    return None if gib is None else round(gib, 1)
