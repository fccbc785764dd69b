"""What several providers look at for ``tiomagic doctor``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.quantities import GIB

MIN_FREE_DISK_GIB: Final = 5.0
"""Less free room than this is worth a warning: the smallest model takes as much."""


def check_folder(part: str, folder: Path) -> Check:
    """Look whether a folder, or the one that it will be made in, can be written, and its room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        message = f"{folder} cannot be written: choose another, or change its owner"
        return Check(part=part, outcome=CheckOutcome.PROBLEM, message=message)
    free = shutil.disk_usage(there).free / GIB
    made = "" if there == folder else ", made at its first use"
    if free < MIN_FREE_DISK_GIB:
        message = f"{folder}: only {free:.1f} GiB free{made}"
        return Check(part=part, outcome=CheckOutcome.WARNING, message=message)
    return Check(part=part, outcome=CheckOutcome.OK, message=f"{folder}: {free:.0f} GiB free{made}")


def check_token(
    part: str, variable: str, *, is_set: bool, find_stored: Callable[[], bool | None]
) -> Check:
    """Look whether there is a token; its value goes nowhere.

    Args:
        part: What the check is called.
        variable: The environment variables that set the token, for a person.
        is_set: True when the settings have it.
        find_stored: Says whether the service's own tools have stored one; None when they are not
            installed.
    """
    outcome = CheckOutcome.OK
    if is_set:
        message = f"present, from the settings ({variable})"
    elif found := find_stored():
        message = "present, stored by its own tools"
    else:
        outcome = CheckOutcome.NOTE
        message = (
            "not looked for: its package is not installed"
            if found is None
            else f"not there; needed only for what asks for one: set {variable}"
        )
    return Check(part=part, outcome=outcome, message=message)
