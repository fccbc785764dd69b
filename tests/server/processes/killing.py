"""Kills a server at random moments and starts it again, while clients work."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.server.processes.commands import ServeCommand

LONGEST_LIFE_S = 10.0
"""A server lives for less than this from its first answer on."""


@dataclass
class Kills:
    """How many there were."""

    done: int = 0


@contextmanager
def kill_at_random(
    commands: Sequence[ServeCommand],
    count: int,
    chance: random.Random,
    *,
    longest_life_s: float = LONGEST_LIFE_S,
) -> Iterator[Kills]:
    """Kill servers and start them again, each in a thread; afterwards all of them are up.

    Args:
        commands: The servers, which have been started.
        count: How often each is killed.
        chance: Draws how long each of their lives is.
        longest_life_s: The most that it draws.
    """
    kills, failed = Kills(), []

    def work(command: ServeCommand) -> None:
        try:
            for _ in range(count):
                # No moment is a good one: also right after the start, while it follows old jobs.
                threading.Event().wait(chance.uniform(0, longest_life_s))
                command.kill()
                kills.done += 1
                command.start()
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(one,), daemon=True) for one in commands]
    for thread in threads:
        thread.start()
    try:
        yield kills
    finally:
        for thread in threads:
            thread.join()
    assert not failed
