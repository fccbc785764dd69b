"""Starts Python subprocesses that import nothing from the working folder.

``python -m`` searches the working folder first: a ``queue.py`` there would be imported instead of
the standard library's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

SAFE = "PYTHONSAFEPATH"
"""The variable that keeps the working folder off the path of a process and of its children."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module without the working folder on its path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def safe_environment(
    environment: Mapping[str, str], *, path: Iterable[str] | None = None
) -> dict[str, str]:
    """Return the environment of a process that imports nothing from the working folder.

    Args:
        environment: What it would have otherwise.
        path: Folders that it imports from first, such as ``sys.path``; those of ``PYTHONPATH``
            when left out. An empty or relative one means the working folder, and is left out.
    """
    given = environment.get("PYTHONPATH", "").split(os.pathsep) if path is None else path
    kept = [folder for folder in given if Path(folder).is_absolute()]
    own = {**environment, SAFE: "1", "PYTHONPATH": os.pathsep.join(kept)}
    if not kept:
        del own["PYTHONPATH"]
    return own


def import_path() -> list[str]:
    """Return the folders that this process imports from, without those that a script brought.

    Python puts the folder of the script that it runs, or the working folder, in the first place.
    One that this package itself lies in stays, as in a container that holds nothing else.
    """
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    begun = [Path.cwd()] + ([Path(script).resolve().parent] if script else [])
    unsafe = set() if sys.flags.safe_path else {folder.resolve() for folder in begun}
    unsafe.discard(Path(__file__).resolve().parents[1])
    asked = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [
        folder
        for folder in map(str, sys.path)
        if Path(folder).is_absolute() and (folder in asked or Path(folder).resolve() not in unsafe)
    ]
