"""How the engines of a worker's machine are set up: by the environment of ``ray start``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiomagic_local.options import LocalOptions


def read_engine_options(*, on_gpu: bool | None = None) -> LocalOptions:
    """Return the source of weights, and the device.

    Args:
        on_gpu: True for all GPUs that Ray shows this process, as one group; False for the CPU; None
            where no model runs.
    """
    from tiomagic_local.options import LocalOptions  # noqa: PLC0415  Where the engines are.
    from tiomagic_local.torch_env.devices import all_together  # noqa: PLC0415  The same.

    folder = os.environ.get("TIOMAGIC_WEIGHTS_DIR")
    device = None if on_gpu is None else all_together() if on_gpu else "cpu"
    return LocalOptions(
        weights_dir=Path(folder) if folder else None,
        hf_token=os.environ.get("HF_TOKEN") or None,
        device=device,
    )
