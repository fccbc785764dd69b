"""What the machines of a cluster answer: their versions, weights, and the shared folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_ray.link.connection import ClusterConnection, rebuild_error
from tiomagic_ray.placement import KIND_RESOURCE
from tiomagic_ray.shared_folder import SharedFolder

LOOK_S: Final = 90.0
"""How long a machine may take to answer: the process for it is started first."""
MARGIN_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMachine:
    """A machine of the cluster."""

    node: str
    """Ray's id of it."""
    host: str
    address: str
    resources: Mapping[str, float]
    look: Mapping[str, Any] = field(default_factory=dict)
    """What it said about itself; empty where it was not asked, or could not say."""
    error: TioMagicError | None = None
    """Why it could not say."""

    @property
    def kinds(self) -> list[str]:
        """The kinds of its GPUs, by Ray's names."""
        return sorted(
            name.removeprefix(KIND_RESOURCE)
            for name in self.resources
            if name.startswith(KIND_RESOURCE)
        )

    @property
    def weights(self) -> list[str]:
        """The models whose weights it has."""
        return list((self.look.get("weights") or {}).get("models", ()))


def list_machines(connection: ClusterConnection) -> list[ClusterMachine]:
    """Return the machines that are alive."""
    return [ClusterMachine(**node) for node in connection.ask("nodes")]


def look_at_machines(
    connection: ClusterConnection, shared: Path | None, *, weights: bool
) -> Iterator[ClusterMachine]:
    """Give each machine with what it says about itself.

    Args:
        connection: To the cluster.
        shared: The shared folder, to have each look for it; None if there is none.
        weights: True to have each look for weights.

    Raises:
        ConfigurationError: when the shared folder cannot be written here.
    """
    machines = list_machines(connection)
    nodes = [machine.node for machine in machines]
    if shared is None:
        answers = _ask_each(connection, "look", nodes, None, None, weights=weights)
    else:
        with SharedFolder(shared).show_probe() as probe:
            answers = _ask_each(connection, "look", nodes, str(shared), probe, weights=weights)
    for machine in machines:
        said = answers[machine.node]
        error = rebuild_error(said["error"]) if "error" in said else None
        yield ClusterMachine(
            node=machine.node,
            host=machine.host,
            address=machine.address,
            resources=machine.resources,
            look=said.get("answer", {}),
            error=error,
        )


def check_shared_folder(machines: Iterable[ClusterMachine], shared: Path) -> None:
    """Raise if one of the machines looks at another folder, or at none.

    Raises:
        ConfigurationError: with the code ``shared_folder``.
    """
    others = [machine.host for machine in machines if not machine.look.get("shared")]
    if others:
        raise ConfigurationError(
            f"ray_shared_dir={str(shared)!r} is not the same folder on {', '.join(others)}: mount "
            "it there, set TIOMAGIC_RAY_SHARED_DIR there if its path is another one, or leave "
            "ray_shared_dir out to have files sent",
            details={"setting": "ray_shared_dir", "given": str(shared), "machines": others},
            code=ErrorCode.SHARED_FOLDER,
        )


def fetch_weights_on(
    connection: ClusterConnection, machines: Iterable[ClusterMachine], model: str, within_s: float
) -> dict[str, str | TioMagicError]:
    """Have machines fetch a model's weights; return the source, or the error, of each by host."""
    by_node = {machine.node: machine.host for machine in machines}
    answers = _ask_each(connection, "fetch_weights", list(by_node), model, within_s=within_s)
    return {
        by_node[node]: said["answer"] if "answer" in said else rebuild_error(said["error"])
        for node, said in answers.items()
    }


def _ask_each(
    connection: ClusterConnection,
    question: str,
    nodes: list[str],
    *arguments: Any,
    within_s: float = LOOK_S,
    **named: Any,
) -> dict[str, Any]:
    waits_s = within_s + MARGIN_S
    answers: dict[str, Any] = connection.ask(
        "ask_each", question, nodes, *arguments, waits_s=waits_s, limit_s=within_s, **named
    )
    return answers
