"""Runs blocking functions in threads, beside an event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class BlockingRunner(Protocol):
    """Runs a function that blocks somewhere else than on the loop."""

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return the function's result, or raise its exception.

        When the waiting task is cancelled, a function that has begun goes on to its end.
        """
        ...


async def run_in_thread(function: Callable[[], T], /) -> T:
    """Run a function in a thread of the loop's own pool."""
    import asyncio  # noqa: PLC0415  # Only for who has a loop.

    return await asyncio.to_thread(function)
