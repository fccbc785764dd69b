"""Entry points of the installed distributions, read once for each import path.

Each distribution has a file of them. Reading all takes milliseconds, and a call of ``tm`` asks for
models, providers and engines several times.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


def find_entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, such as ``tiomagic.models``.

    A change of ``sys.path`` is seen. A distribution that is installed into a folder on it while
    the process runs is not.
    """
    return _select_group(tuple(sys.path), group)


@lru_cache(maxsize=8)
def _select_group(path: tuple[str, ...], group: str) -> tuple[EntryPoint, ...]:
    return tuple(_read_all(path).select(group=group))


@lru_cache(maxsize=1)
def _read_all(_path: tuple[str, ...]) -> Any:
    return entry_points()
