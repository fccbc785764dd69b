"""What is asked of each machine of the cluster, and the rehearsal of a model on one of them.

They run as tasks of Ray, beside the workers and without a share of a GPU, except a rehearsal.
"""

# ruff: noqa: PLC0415 - engines are imported where they are asked for.

from __future__ import annotations

import platform
import shutil
import socket
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.progress import ignore_progress
from tiomagic_domain.quantities import GIB
from tiomagic_ray.cluster.engine_options import read_engine_options
from tiomagic_ray.constants import COMPARED_LIBRARIES
from tiomagic_ray.shared_folder import Probe, SharedFolder


def look_at_node(shared: str | None, probe: Probe | None, *, weights: bool) -> dict[str, Any]:
    """Return what this machine has.

    Args:
        shared: The folder that all machines share, as the caller names it.
        probe: What the caller has put into it.
        weights: True to look for the weights of every model, which takes a second.
    """
    versions = {"python": platform.python_version()}
    for name in COMPARED_LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    found: dict[str, Any] = {"host": socket.gethostname(), "versions": versions}
    if shared is not None and probe is not None:
        found["shared"] = SharedFolder.of_cluster(shared).has(probe)
    if weights:
        found["weights"] = _list_weights()
    return found


def _list_weights() -> dict[str, Any] | None:
    """Return the models whose weights are here, and the disk's free room; None without engines."""
    try:
        from tiomagic_local.weights.hub_cache import HubCache
        from tiomagic_local.weights.inventory import take_inventory
    except ImportError:
        return None
    options, cache, here = read_engine_options(), HubCache.of_client(), []
    for name in models():
        try:
            if take_inventory(find_model(name), options, cache).is_complete:
                here.append(name)
        except TioMagicError:
            continue  # Weights that cannot be looked for are not here.
    folder = options.weights_dir or (cache.root if cache else Path.home())
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return {"models": here, "free_gib": round(shutil.disk_usage(there).free / GIB, 1)}


def fetch_weights(model: str) -> str:
    """Fetch a model's weights to this machine, and return their source.

    Raises:
        TioMagicError: when they cannot be had.
    """
    from tiomagic_local.engines import find_engine
    from tiomagic_local.weights.locate import find_weights
    from tiomagic_local.weights.lora_files import find_loras

    card, options = find_model(model), read_engine_options()
    engine = find_engine(card.engine)
    found = find_weights(card, options, pipeline=engine.pipeline, progress=ignore_progress)
    find_loras(card.loras, options, progress=ignore_progress, model=found.by_hand, stays=True)
    return f"{found.repository or found.origin.value}@{found.revision}"


def rehearse_here(model: str, settings: Mapping[str, Any], *, on_gpu: bool) -> dict[str, Any]:
    """Rehearse a model on this machine, and return the rehearsal as plain data."""
    from tiomagic_local.rehearsal.rehearse import rehearse

    options = read_engine_options(on_gpu=on_gpu)
    found = rehearse(model, options, provider="ray", settings=settings)
    host = {"part": "machine", "outcome": "ok", "message": f"{socket.gethostname()}"}
    plain = found.to_dict()
    return {**plain, "checks": [host, *plain["checks"]]}
