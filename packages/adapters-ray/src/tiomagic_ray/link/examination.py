"""What ``tiomagic doctor`` says about a cluster: machines, GPUs, versions, weights, the folder."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_ray.constants import COMPARED_LIBRARIES
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.link.machines import ClusterMachine, check_shared_folder, look_at_machines
from tiomagic_ray.options import RayOptions

PART: Final = "ray"
NEEDED_ON_BOTH: Final = ("ray", "tiomagic-domain")
"""A caller needs no engines, but has these."""


def examine_cluster(options: RayOptions) -> Iterator[Check]:
    """Connect to the cluster and give what it has, or why it cannot be used.

    Args:
        options: With the address and the token.
    """
    connection = ClusterConnection(options)
    try:
        yield from _examine(connection, options)
    except TioMagicError as error:
        yield Check(part=PART, outcome=CheckOutcome.PROBLEM, message=error.message)
    finally:
        connection.close()


def _examine(connection: ClusterConnection, options: RayOptions) -> Iterator[Check]:
    machines = list(look_at_machines(connection, options.shared_dir, weights=True))
    free = connection.ask("free")
    gpus = sum(machine.resources.get("GPU", 0) for machine in machines)
    cpus = sum(machine.resources.get("CPU", 0) for machine in machines)
    count = "1 machine" if len(machines) == 1 else f"{len(machines)} machines"
    message = (
        f"{count} at {options.address!r}; of {gpus:g} GPUs {free.get('GPU', 0):g} "
        f"are free, of {cpus:g} CPUs {free.get('CPU', 0):g}"
    )
    yield Check(part=PART, outcome=CheckOutcome.OK, message=message)
    if options.gpu is not None:
        # Raises with the kinds that there are.
        there = [machine.resources for machine in machines]
        place = options.place(needs_gpu=True)
        place.settle([*there, *options.find_autoscaled()])
        is_there = any(place.has_place_in(resources) for resources in there)
        message = f"{options.gpu} is {'there' if is_there else 'added by the autoscaler'}"
        yield Check(part="ray gpu", outcome=CheckOutcome.OK, message=message)
    ours = find_versions()
    for machine in machines:
        yield from _describe(machine, ours)
    if options.shared_dir is not None:
        check_shared_folder(machines, options.shared_dir)
        message = f"{options.shared_dir} is the same folder on all machines"
        yield Check(part="ray folder", outcome=CheckOutcome.OK, message=message)


def _describe(machine: ClusterMachine, ours: dict[str, str]) -> Iterator[Check]:
    part = f"ray {machine.host}"
    if machine.error is not None:
        text = machine.error.message
        if "No module named" in text:
            text = "it lacks tiomagic: install the same version there, with the extras local, ray"
        yield Check(part=part, outcome=CheckOutcome.PROBLEM, message=text)
        return
    kinds = f" {', '.join(machine.kinds)}" if machine.kinds else ""
    has = f"{machine.resources.get('CPU', 0):g} CPUs, {machine.resources.get('GPU', 0):g} GPUs"
    weights = machine.look.get("weights")
    if weights is None:
        message = "no engines are installed: install tiomagic[local,ray] there"
        yield Check(part=part, outcome=CheckOutcome.PROBLEM, message=message)
    else:
        models = ", ".join(weights["models"]) or "no model"
        message = f"{has}{kinds}; has the weights of {models}; {weights['free_gib']:g} GiB free"
        yield Check(part=part, outcome=CheckOutcome.OK, message=message)
    others = compare_versions(machine.look["versions"], ours)
    if others:
        yield Check(part=part, outcome=CheckOutcome.WARNING, message="; ".join(others))


def find_versions() -> dict[str, str]:
    """Return the versions of this side."""
    found = {"python": platform.python_version()}
    for name in COMPARED_LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def compare_versions(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Return in words what differs; what one side lacks counts only where both need it."""
    texts = []
    for name in ("python", *COMPARED_LIBRARIES):
        there, here = theirs.get(name), ours.get(name)
        is_missing = name in NEEDED_ON_BOTH and (there is None or here is None)
        if there != here and (is_missing or (there is not None and here is not None)):
            shown = "tiomagic" if name == "tiomagic-domain" else name
            texts.append(f"{shown} {there or 'missing'} there, {here or 'missing'} here")
    return texts
