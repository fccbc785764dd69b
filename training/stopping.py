"""Stop between two steps when the system asks for it, so that a checkpoint can still be written."""

import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """A context that is true once SIGTERM or SIGINT has come; a second one ends the process."""

    def __init__(self) -> None:
        self._asked = False
        self._before = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def __bool__(self) -> bool:
        return self._asked

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal wants
        self._asked = True
        signal.signal(number, signal.SIG_DFL)
