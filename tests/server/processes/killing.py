"""Kills a server at random moments and starts it again, while clients work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.server.processes.commands import ServeCommand

LONGEST_LIFE = 40
"""A server is killed after at most so many answers: on a slow machine it gets as far as on a fast
one."""
LOOK_EVERY_S = 0.01
LONGEST_LAG_S = 0.1
UNANSWERED_S = 30.0
"""It is killed also when nothing is answered."""


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
    answered: Callable[[], int],
    longest_life: int = LONGEST_LIFE,
) -> Iterator[Kills]:
    """Kill servers and start them again, each in a thread; afterwards all of them are up.

    Args:
        commands: The servers, which have been started.
        count: How often each is killed.
        chance: Draws how long each of their lives is.
        answered: Returns how many requests all servers have answered.
        longest_life: The most answers that it draws.
    """
    kills, failed = Kills(), []

    def work(command: ServeCommand) -> None:
        try:
            for _ in range(count):
                # No moment is a good one: also right after the start, while it follows old jobs,
                # and some way into a request.
                last, until = answered() + chance.randint(0, longest_life), time.monotonic()
                until += UNANSWERED_S
                while answered() < last and time.monotonic() < until:
                    time.sleep(LOOK_EVERY_S)
                time.sleep(chance.uniform(0, LONGEST_LAG_S))
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
