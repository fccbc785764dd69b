"""What a job needs of the cluster: GPUs of a kind, or CPUs. Ray finds the place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError

KIND_RESOURCE: Final = "accelerator_type:"
"""Begins the resources by which Ray counts the kinds of GPU of a node."""
GPU: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)(?::([1-9][0-9]?))?")
CPUS_BESIDE_GPU: Final = 1.0
"""CPUs of a worker: it prepares inputs and encodes the video while its GPU waits."""


def parse_gpu(text: str, setting: str = "gpu") -> tuple[str, int]:
    """Return the kind and the number of ``H100`` or ``A100:2``.

    Args:
        text: What was given.
        setting: For which setting.

    Raises:
        ConfigurationError: when it is neither.
    """
    found = GPU.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(
            f"{setting}={text!r} is no kind of GPU: give one that your cluster has, such as "
            "'H100', or 'A100:2' for two of one machine",
            details={"setting": setting, "given": text},
        )
    return found[1], int(found[2] or 1)


def describe_node(kind: str, count: int) -> dict[str, float]:
    """Return what a machine with such GPUs has, by Ray's names."""
    return {"GPU": count, "CPU": count * CPUS_BESIDE_GPU, f"{KIND_RESOURCE}{kind}": 1}


@dataclass(frozen=True, slots=True)
class Placement:
    """What a worker asks Ray for. Equal placements share their workers."""

    gpus: int = 0
    """How many GPUs make each video together; 0 for a CPU."""
    kind: str | None = None
    """Ray's name of the GPU's kind; None for any."""
    is_needed: bool = False
    """True when nothing else will do: the user or the model asks for a GPU."""

    @classmethod
    def of(cls, *, gpu: str | None, device: str | None, needs_gpu: bool) -> Self:
        """Return the placement that the settings and a model ask for.

        A model that runs on a CPU, too, gets a GPU where the cluster has one: see `settle`.
        """
        if device == "cpu":
            return cls()
        if gpu is None:
            return cls(gpus=1, is_needed=needs_gpu or device is not None)
        kind, count = parse_gpu(gpu)
        return cls(gpus=count, kind=kind, is_needed=True)

    def settle(self, nodes: Iterable[Mapping[str, float]]) -> Placement:
        """Return the placement that a cluster can fulfil.

        Args:
            nodes: The resources of each node that is alive, or that can come.

        Raises:
            ConfigurationError: when it has no such GPU.
        """
        there = list(nodes)
        if self.gpus == 0 or any(self.has_place_in(node) for node in there):
            return self
        if not self.is_needed:
            return Placement()
        kinds = sorted(
            {
                name.removeprefix(KIND_RESOURCE)
                for node in there
                for name in node
                if name.startswith(KIND_RESOURCE)
            }
        )
        count = sum(int(node.get("GPU", 0)) for node in there)
        has = (
            f"it has {count} of the kinds {', '.join(kinds) or 'unknown'}"
            if count
            else "it has none"
        )
        wanted = f"{self.gpus} {self.kind or 'GPU'}"
        raise ConfigurationError(
            f"no machine of the Ray cluster has {wanted}; {has}. Change gpu, use device='cpu' for "
            "a small model, or name in ray_autoscaled_gpus what its autoscaler adds",
            details={"wanted": wanted, "kinds": kinds, "gpus": count},
            code=ErrorCode.NO_SUCH_GPU,
        )

    def has_place_in(self, node: Mapping[str, float]) -> bool:
        """Say whether a machine has what a worker asks for, free or not."""
        has_kind = self.kind is None or f"{KIND_RESOURCE}{self.kind}" in node
        return has_kind and node.get("GPU", 0) >= self.gpus

    def actor_options(self) -> dict[str, Any]:
        """Return the resources as the options of an actor."""
        options: dict[str, Any] = {"num_cpus": CPUS_BESIDE_GPU, "num_gpus": self.gpus}
        if self.kind is not None:
            options["accelerator_type"] = self.kind
        return options

    def count_places(self, free: Mapping[str, float]) -> int:
        """Return how many workers a machine has room for.

        Args:
            free: What is free there, by Ray's names.
        """
        if self.kind is not None and f"{KIND_RESOURCE}{self.kind}" not in free:
            return 0
        places = free.get("CPU", 0) / CPUS_BESIDE_GPU
        return int(min(places, free.get("GPU", 0) / self.gpus) if self.gpus else places)

    def fits_into(self, machines: Iterable[Mapping[str, float]], times: int = 1) -> bool:
        """Say whether what is free suffices for a number of workers, each on one machine."""
        return sum(map(self.count_places, machines)) >= times

    def to_list(self) -> list[Any]:
        """Return it as plain data."""
        return [self.gpus, self.kind]
