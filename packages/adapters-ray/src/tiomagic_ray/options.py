"""Settings of the Ray provider: the cluster's address, its token, the GPU, the idle time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import AuthenticationError, ConfigurationError
from tiomagic_domain.plugins import ProviderSettings
from tiomagic_domain.suggestions import closest
from tiomagic_ray.placement import Placement, describe_node, parse_gpu

HOST_AND_PORT: Final = re.compile(r"(ray://)?(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):([0-9]{1,5})")
AUTO: Final = "auto"
"""The cluster that this machine belongs to, or that Ray's own ``RAY_ADDRESS`` names."""
PRINTABLE: Final = re.compile(r"[!-~]*")
DASHBOARD: Final = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[^\s:/@]+)(?::[0-9]{1,5})?/?")
DEVICES: Final = ("cuda", "cpu")
DEVICE: Final = re.compile(r"cpu|gpu|cuda(:[0-9]+)?")
"""Which of a machine's GPUs it is, Ray says: a number means none in particular."""
CLIENT_PORT: Final = 10001
"""Where a head listens for drivers from outside, unless it was started with another port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """Settings of the Ray provider."""

    address: str = AUTO
    """``auto``, ``ray://host:10001`` from outside of the cluster, ``host:6379`` from within, or the
    dashboard's ``http://host:8265``, whose host is then asked at port 10001."""
    token: str | None = field(default=None, repr=False)
    """The cluster's token; None for the one that Ray's own tools have stored."""
    gpu: str | None = None
    """A kind of GPU, as Ray calls it, such as ``H100`` or ``A100:2``; None for any."""
    autoscaled_gpus: str | None = None
    """Kinds of GPU that the cluster's autoscaler adds when they are asked for, such as
    ``H100, L4:4`` where a machine has four; None for what is there."""
    device: str | None = None
    """``cpu`` for a run without a GPU, ``cuda`` for one with; None for a GPU where there is one."""
    shared_dir: Path | None = None
    """A folder that the cluster's machines have, too; None to send inputs and videos."""
    worker_idle_s: int = 300
    """Seconds that a worker keeps its model, and its GPU, in case another job comes."""

    def check(self) -> None:
        """Check what can be checked without a cluster.

        Raises:
            ConfigurationError: when the address, the device or the GPU is not legal.
            AuthenticationError: when the token cannot be one.
        """
        self._check_address()
        if self.device is not None and not DEVICE.fullmatch(self.device):
            raise ConfigurationError(
                f"device={self.device!r} is no device of a Ray cluster: give 'cuda' for a GPU or "
                "'cpu' for none. gpu='H100' chooses its kind, and 'A100:2' two of one machine",
                details={
                    "setting": "device",
                    "given": self.device,
                    "nearest": closest(self.device, DEVICES) or DEVICES[0],
                },
            )
        if not PRINTABLE.fullmatch((self.token or "").strip()):
            # Ray's driver would end without a word.
            raise AuthenticationError(
                "the token of the Ray cluster has a space or a character that is not ASCII: set "
                "RAY_AUTH_TOKEN, or ray_token, to the one that its head was started with",
                details={"address": self.address, "variable": "RAY_AUTH_TOKEN"},
                code=ErrorCode.CLUSTER_TOKEN,
            )
        if self.gpu is not None:
            parse_gpu(self.gpu)
        self.find_autoscaled()

    def _check_address(self) -> None:
        variable = os.environ.get("RAY_ADDRESS", "")
        if self.address == AUTO and variable and not variable.strip():
            # To tiomagic it is not set; Ray itself would read it for "auto", and fail.
            raise ConfigurationError(
                f"RAY_ADDRESS={variable!r} is blank: unset it, or give 'auto', 'ray://host:10001' "
                "or 'host:6379'",
                details={"variable": "RAY_ADDRESS", "given": variable, "nearest": AUTO},
            )
        if self.address != AUTO and self.endpoint is None:
            raise ConfigurationError(
                f"address={self.address!r} is no address of a Ray cluster: give 'auto', "
                "'ray://host:10001', 'http://host:8265' or 'host:6379'",
                details={"setting": "address", "given": self.address, "nearest": AUTO},
            )

    @property
    def ray_address(self) -> str:
        """The address as Ray's drivers take it: through a dashboard no model can be kept loaded."""
        found = DASHBOARD.fullmatch(self.address)
        return self.address if found is None else f"ray://{found[1]}:{CLIENT_PORT}"

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Host and port of the address; None for ``auto``, and where it has none."""
        found = HOST_AND_PORT.fullmatch(self.ray_address)
        if found is None or not 0 < int(found[3]) < 65536:
            return None
        return found[2].strip("[]"), int(found[3])

    def find_autoscaled(self) -> list[dict[str, float]]:
        """Return what a machine of each kind that the autoscaler adds has, by Ray's names.

        Raises:
            ConfigurationError: when one of them is no kind of GPU.
        """
        named = [text for text in (self.autoscaled_gpus or "").split(",") if text.strip()]
        return [describe_node(*parse_gpu(text, "ray_autoscaled_gpus")) for text in named]

    def place(self, *, needs_gpu: bool) -> Placement:
        """Return what a job asks the cluster for.

        Args:
            needs_gpu: True for a model that a CPU cannot run in reasonable time.
        """
        return Placement.of(gpu=self.gpu, device=self.device, needs_gpu=needs_gpu)


def read_options(settings: ProviderSettings) -> RayOptions:
    """Return what the settings say about the cluster."""
    return RayOptions(
        address=settings["address"],
        token=settings["ray_token"],
        shared_dir=settings["ray_shared_dir"],
        gpu=settings["gpu"],
        autoscaled_gpus=settings["ray_autoscaled_gpus"],
        device=settings["device"],
        worker_idle_s=settings["worker_idle_s"],
    )
