"""Fake processes and a fake launcher: tests decide which processes live."""

from __future__ import annotations

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.ports.processes import ProcessState
from tiomagic_domain.testing.clock import FakeClock


class FakeProcesses:
    """The processes of a machine named ``here``, as one of them sees them.

    Args:
        clock: Its monotonic seconds are the machine's.
        name: The process that looks.
        alive: The living ones; share the set among those who look.

    Attributes:
        alive: See above; take one away and it is dead.
        ended: Those that were killed, in order.
        boot: Change it and the machine was started anew.
        hidden: Those that cannot be seen from here.
        foreign: Those that belong to another user, and cannot be ended.
    """

    def __init__(
        self, clock: FakeClock, name: str = "caller", alive: set[str] | None = None
    ) -> None:
        self.alive: set[str] = set() if alive is None else alive
        self.ended: list[str] = []
        self.boot = "boot-1"
        self.hidden: set[str] = set()
        self.foreign: set[str] = set()
        self._clock = clock
        self._me = f"local:here:{name}"
        self.alive.add(self._me)

    @property
    def host(self) -> str:
        """The name of this machine."""
        return "here"

    def current(self) -> str:
        """Return the call id of this process."""
        return self._me

    def heartbeat(self) -> str:
        """Return the boot id and the clock's monotonic seconds."""
        return f"{self.boot} {self._clock.monotonic():.3f}"

    def get_state(self, call_id: str) -> ProcessState:
        """Return whether it lives; unknown when it is hidden, or of another machine."""
        if not call_id.startswith("local:here:") or call_id in self.hidden:
            return ProcessState.UNKNOWN
        return ProcessState.ALIVE if call_id in self.alive else ProcessState.DEAD

    def may_kill(self, call_id: str) -> bool:
        """Return whether it lives, is seen, and belongs to this user."""
        return self.get_state(call_id) is ProcessState.ALIVE and call_id not in self.foreign

    def describe(self, call_id: str) -> str:
        """Return the name behind the machine's."""
        return f"process {call_id.removeprefix('local:here:')}"

    def kill(self, call_id: str) -> bool:
        """Kill a process."""
        if self.get_state(call_id) is ProcessState.UNKNOWN or call_id in self.foreign:
            return False
        self.ended.append(call_id)
        self.alive.discard(call_id)
        return True


class FakeLauncher:
    """Remembers which queues it was to start workers for.

    Attributes:
        launched: The queues, in order.
        refused: While True, nothing can be started.
    """

    def __init__(self) -> None:
        self.launched: list[str] = []
        self.refused = False

    def launch(self, queue: str) -> None:
        """Note the queue.

        Raises:
            ConfigurationError: while it refuses.
        """
        if self.refused:
            raise ConfigurationError("no worker can be started")
        self.launched.append(queue)
