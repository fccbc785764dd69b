"""What a test makes go wrong on the wire.

A rule names an RPC (or `HTTP.GET`, `HTTP.PUT` for the files) and is used up after `times` uses;
`times=None` lasts until `clear()`. Rules see clients' requests only, unless `side` says otherwise.
"""

import threading
from dataclasses import dataclass

from grpclib import Status


@dataclass(kw_only=True)
class Rule:
    """One thing that goes wrong."""

    rpc: str
    kind: str
    """`fail` before doing it, `drop` the answer after doing it, `hang` after doing it, `delay`
    before doing it, `late`: answer after a while."""
    status: Status = Status.UNAVAILABLE
    message: str = ""
    seconds: float = 0.0
    times: int | None = 1
    side: str = "client"
    used: int = 0


class Faults:
    """The rules in force. Tests add them, the server takes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rules: list[Rule] = []
        self.reject_tokens = False
        """Refuse every client's token, as for one that was revoked."""
        self.download_bytes_per_s: float | None = None
        """None: as fast as it goes. A client can be killed in the middle of a slow one."""

    def _add(self, rule: Rule) -> Rule:
        with self._lock:
            self.rules.append(rule)
        return rule

    def fail(
        self,
        rpc: str,
        status: Status | str = Status.UNAVAILABLE,
        message: str = "made to fail by a test",
        *,
        times: int | None = 1,
        side: str = "client",
    ) -> Rule:
        """Answer with an error and do nothing."""
        status = Status[status] if isinstance(status, str) else status
        return self._add(
            Rule(rpc=rpc, kind="fail", status=status, message=message, times=times, side=side)
        )

    def drop_answer(
        self,
        rpc: str,
        status: Status | str = Status.UNAVAILABLE,
        *,
        times: int | None = 1,
        side: str = "client",
    ) -> Rule:
        """Do it, then lose the answer.

        The client itself repeats a request after UNAVAILABLE; any status that it does not repeat,
        such as FAILED_PRECONDITION, makes the loss final.
        """
        status = Status[status] if isinstance(status, str) else status
        return self._add(
            Rule(rpc=rpc, kind="drop", status=status, message="answer lost", times=times, side=side)
        )

    def hang(self, rpc: str, *, times: int | None = 1, side: str = "client") -> Rule:
        """Do it and never answer: time to kill the client between the two."""
        return self._add(Rule(rpc=rpc, kind="hang", times=times, side=side))

    def delay(
        self, rpc: str, seconds: float, *, times: int | None = 1, side: str = "client"
    ) -> Rule:
        """Wait before doing it."""
        return self._add(Rule(rpc=rpc, kind="delay", seconds=seconds, times=times, side=side))

    def late(
        self, rpc: str, seconds: float, *, times: int | None = 1, side: str = "client"
    ) -> Rule:
        """Do it at once and answer after a while."""
        return self._add(Rule(rpc=rpc, kind="late", seconds=seconds, times=times, side=side))

    def slow_downloads(self, bytes_per_s: float) -> None:
        """Let downloads take their time."""
        self.download_bytes_per_s = bytes_per_s

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()
        self.reject_tokens = False
        self.download_bytes_per_s = None

    def take(self, rpc: str, side: str) -> list[Rule]:
        """Use the rules that meet this request."""
        taken = []
        with self._lock:
            for rule in self.rules:
                if rule.rpc != rpc or rule.side not in {side, "both"}:
                    continue
                if rule.times is None or rule.used < rule.times:
                    rule.used += 1
                    taken.append(rule)
                    if rule.kind != "delay":
                        break
        return taken
