"""The commands of ``tiomagic ray``; see :mod:`tiomagic_domain.plugins.commands`."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Annotated, Any, Final

from tiomagic_domain import __version__
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.plugins import CommandContext, CommandResult
from tiomagic_domain.usecases.consent import require_consent
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.link.machines import (
    ClusterMachine,
    fetch_weights_on,
    list_machines,
    look_at_machines,
)
from tiomagic_ray.one_machine import run_cluster
from tiomagic_ray.options import read_options

PREFETCH_S: Final = 3600.0
"""45 GiB at 30 MB/s take 26 minutes; a slow hub gets twice that."""
EXIT_FAILED: Final = 5


def status(context: CommandContext) -> CommandResult:
    """Show the cluster's machines, GPUs, versions, workers and jobs."""
    with _connected(context) as connection:
        machines = list_machines(connection)
        about = connection.coordinator("describe")
    found = {**about, "nodes": [_describe(machine) for machine in machines], "client": __version__}
    return CommandResult(found, _show(found))


def up(
    context: CommandContext,
    *,
    port: Annotated[int, "Port of the head; drivers on this machine use it."] = 6379,
    cpus: Annotated[int, "CPUs that workers may take; 0 for all."] = 0,
) -> CommandResult:
    """Start a cluster of this machine alone, and end it with Ctrl-C."""
    _require_ray()
    token = read_options(context.settings).token
    if token is None:
        raise ConfigurationError(
            "a cluster needs a token: set RAY_AUTH_TOKEN to a long random text, here and where "
            "you use the cluster, such as the output of: openssl rand -hex 24",
            details={"variable": "RAY_AUTH_TOKEN"},
        )
    run_cluster(port, cpus, token, context.say)
    return CommandResult({"port": port}, "the cluster has ended")


def weights(
    context: CommandContext,
    model: Annotated[str, "Name of a model; see: tiomagic models."],
) -> CommandResult:
    """Show which machines have the weights of a model."""
    card = find_model(model)
    with _connected(context) as connection:
        machines = list(look_at_machines(connection, None, weights=True))
    found = [
        {
            "host": machine.host,
            "has": card.name in machine.weights,
            "free_gib": (machine.look.get("weights") or {}).get("free_gib"),
            "error": machine.error and machine.error.message,
        }
        for machine in machines
    ]
    lines = [f"{one['host']}: {_say_weights(one)}" for one in found]
    return CommandResult(found, "\n".join(lines))


def prefetch(
    context: CommandContext,
    model: Annotated[str, "Name of the model; see: tiomagic models."],
    *,
    host: Annotated[str, "Only on this machine, by its name; empty for all."] = "",
    accept_terms: Annotated[str, "Accept the terms of a model that has some, by its name."] = "",
) -> CommandResult:
    """Download a model's weights to the machines of the cluster."""
    require_consent(find_model(model), {*context.accepted_terms, accept_terms})
    with _connected(context) as connection:
        machines = list_machines(connection)
        chosen = [machine for machine in machines if host in ("", machine.host)]
        if not chosen:
            names = sorted(machine.host for machine in machines)
            raise ConfigurationError(
                f"the cluster has no machine {host!r}; it has {', '.join(names)}",
                details={"given": host, "machines": names},
            )
        names = sorted(machine.host for machine in chosen)
        context.say(f"fetching the weights of {model} on {', '.join(names)}")
        answers = fetch_weights_on(connection, chosen, model, PREFETCH_S)
    failed = [name for name, said in answers.items() if isinstance(said, TioMagicError)]
    found = {
        name: {"error": said.message} if isinstance(said, TioMagicError) else {"weights": said}
        for name, said in answers.items()
    }
    lines = [f"{name}: {next(iter(said.values()))}" for name, said in found.items()]
    return CommandResult(found, "\n".join(lines), EXIT_FAILED if failed else 0)


@contextlib.contextmanager
def _connected(context: CommandContext) -> Iterator[ClusterConnection]:
    _require_ray()
    connection = ClusterConnection(read_options(context.settings))
    try:
        yield connection
    finally:
        connection.close()


def _say_weights(found: dict[str, Any]) -> str:
    if found["error"]:
        return str(found["error"])
    if found["free_gib"] is None:
        return "no engines are installed: install tiomagic[local,ray] there"
    return f"{'has them' if found['has'] else 'has them not'}; {found['free_gib']:g} GiB free"


def _describe(machine: ClusterMachine) -> dict[str, Any]:
    return {
        "host": machine.host,
        "address": machine.address,
        "cpus": machine.resources.get("CPU", 0),
        "gpus": machine.resources.get("GPU", 0),
        "kinds": machine.kinds,
    }


def _show(found: dict[str, Any]) -> str:
    lines = [
        f"cluster {found['cluster']}: Ray {found['ray']}, Python {found['python']}, tiomagic "
        f"{found['tiomagic']}" + (f" (here {__version__})" * (found["tiomagic"] != __version__))
    ]
    for node in found["nodes"]:
        kinds = f" ({', '.join(node['kinds'])})" if node["kinds"] else ""
        lines.append(
            f"machine {node['host']} {node['address']}: {node['cpus']:g} CPUs, "
            f"{node['gpus']:g} GPUs{kinds}"
        )
    for worker in found["workers"]:
        doing = f"runs {worker['job_id']}" if worker["job_id"] else "is free"
        doing = doing if worker["is_alive"] else "waits for a place"
        lines.append(f"{worker['name']} on {worker['host'] or '?'}: {worker['model']}, {doing}")
    jobs = ", ".join(f"{count} {state}" for state, count in found["jobs"].items())
    return "\n".join([*lines, f"jobs: {jobs}"])


def _require_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise missing_extra_error("ray", "a Ray cluster", module="ray")


COMMANDS = (status, weights, prefetch, up)
