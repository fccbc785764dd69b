"""The commands of ``tiomagic ray``; see :mod:`tiomagic_domain.plugins.commands`."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from typing import Annotated, Any, Final

from tiomagic_domain import __version__
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.interpreter import module_command
from tiomagic_domain.plugins import CommandContext, CommandResult
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.options import read_options
from tiomagic_ray.placement import KIND_RESOURCE

STOP_S: Final = 60.0
"""How long the processes of a cluster may take to end: Ray waits 30 s for what runs there."""
OBJECT_STORE_BYTES: Final = 200 * 10**6
"""Enough for inputs and videos, which pass it in pieces."""


def status(context: CommandContext) -> CommandResult:
    """Show the cluster's machines, GPUs, versions, workers and jobs."""
    _require_ray()
    connection = ClusterConnection(read_options(context.settings))
    try:
        nodes = connection.ask("nodes")
        about = connection.coordinator("describe")
    finally:
        connection.close()
    found = {**about, "nodes": [_describe_node(node) for node in nodes], "client": __version__}
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
    command = module_command("ray.scripts.scripts", "start", "--head", "--block")
    command += ["--port", str(port), "--node-ip-address", "127.0.0.1", "--disable-usage-stats"]
    command += ["--include-dashboard=false", f"--object-store-memory={OBJECT_STORE_BYTES}"]
    command += [f"--num-cpus={cpus}"] if cpus else []
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    context.say(f"starts; use it with RAY_ADDRESS=127.0.0.1:{port}, and end it with Ctrl-C")
    # A group of its own: Ctrl-C is for this process, which ends the cluster in order.
    head = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603  Fixed words.
    try:
        code = head.wait()
    except KeyboardInterrupt:
        code = _stop(head)
    return CommandResult({"port": port, "exit_code": code}, "the cluster has ended")


def _stop(head: subprocess.Popen[bytes]) -> int:
    head.send_signal(signal.SIGTERM)
    try:
        return head.wait(STOP_S) and 0
    except subprocess.TimeoutExpired:
        os.killpg(head.pid, signal.SIGKILL)
        return head.wait()


def _describe_node(node: dict[str, Any]) -> dict[str, Any]:
    resources = node["resources"]
    kinds = [name.removeprefix(KIND_RESOURCE) for name in resources if KIND_RESOURCE in name]
    return {
        "host": node["host"],
        "address": node["address"],
        "cpus": resources.get("CPU", 0),
        "gpus": resources.get("GPU", 0),
        "kinds": kinds,
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


COMMANDS = (status, up)
