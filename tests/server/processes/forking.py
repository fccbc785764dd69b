"""Starts servers as forks of a process that has imported all of their code.

A start of Python with all imports takes seconds of a processor; a server that is killed fifty times
would do little else. What runs is the command itself, in a process of its own.

Reads one JSON object a line: ``argv``, ``folder``, ``environment``, ``stdout``, ``stderr``. Answers
with the process id.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import tempfile
from pathlib import Path

APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def main() -> None:
    """Fork for each line until there are no more."""
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # No zombies.
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(order)
        print(pid, flush=True)


def warm_up() -> None:
    """Make a job as a server does, so that its forks have nothing left to import."""
    import psycopg  # noqa: F401
    from tests.server.processes.cloud import CloudProvider, CloudRuns

    from tiomagic import TioMagic
    from tiomagic.cli.commands import serve  # noqa: F401
    from tiomagic_server.application import create_app
    from tiomagic_server.options import ServeOptions
    from tiomagic_server.serving import configure

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cloud = CloudProvider(CloudRuns(place / "cloud"), place / "spool")
        tm = TioMagic(
            working_dir=place,
            provider="local",
            announce_jobs=False,
            overrides={"providers": {"local": cloud}},
        )
        configure(create_app(tm, ServeOptions())).load()
        tm.text_to_video(None, {"prompt": "a fox"})
        tm.close()


def run(order: dict[str, object]) -> None:
    """Be the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(str(order["folder"]))
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[arg-type]  # From JSON.
    sys.path.insert(0, os.path.join(str(order["folder"]), "site"))  # noqa: PTH118 - before imports
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(str(order[name]), APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = list(order["argv"])  # type: ignore[call-overload]  # From JSON.
    try:
        runpy.run_module("tiomagic", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    os._exit(0)


if __name__ == "__main__":
    main()
