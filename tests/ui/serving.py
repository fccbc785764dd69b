"""``tiomagic ui`` as a process of its own, as a person starts it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from tests.facade.conftest import clean_environment
from tests.measured import FOR_CHILDREN

START_TIMEOUT_S = 240
"""Bound for the page to come up: it imports for seconds on a machine of its own."""
STOP_TIMEOUT_S = 120
"""Bound for a process to end after it was told to."""
WORKER_ENVIRONMENT = {"TIOMAGIC_WORKER_IDLE_S": "600", "OMP_NUM_THREADS": "1"}
"""One worker makes all videos of a page: each would import torch and load the model again."""
UNREACHABLE_PROXY = "http://127.0.0.1:9"
PROXY_ENVIRONMENT = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), UNREACHABLE_PROXY),
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), UNREACHABLE_PROXY),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
}
"""Offices set a proxy for everything. Nothing answers at this one: the page must not need it."""


START = f"""
import os, runpy
os.environ.pop({FOR_CHILDREN!r}, None)
runpy.run_module("tiomagic.cli.main", run_name="__main__", alter_sys=True)
"""
"""As ``python -m`` does it. The page is measured, and its worker, which loads torch, is not."""


class PageProcess:
    """A page that is served.

    Args:
        folder: Its working directory.
        options: Further words of the command line.
        command: What serves it.
    """

    def __init__(
        self, folder: Path, *options: str, command: Sequence[str] = ("ui", "--no-browser")
    ) -> None:
        self.folder = folder
        self._log = folder / "ui.log"
        words = [sys.executable, "-c", START, *command, "--port", "0", *options]
        # Into a file: a pipe that nobody reads would fill up and stop whoever writes to it.
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                words,
                cwd=folder,
                env=clean_environment(**WORKER_ENVIRONMENT, **PROXY_ENVIRONMENT),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has printed, and what its jobs' worker has."""
        files = [self._log, *sorted((self.folder / ".tiomagic").glob("workers/*.log"))]
        return "\n".join(f"-- {file.name}\n{file.read_text('utf-8')}" for file in files)

    @property
    def address(self) -> str:
        """Where it answers; waits until it does."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            ended = self.ended
            lines = self._log.read_text("utf-8").splitlines(keepends=True)
            found = [line.strip() for line in lines if line.startswith("http") and "\n" in line]
            if found:
                return found[0]
            assert ended is None, f"the page ended with {ended}:\n{self.log}"
            assert time.monotonic() < deadline, f"the page does not come up:\n{self.log}"
            time.sleep(0.1)

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def end(self) -> int:
        """Stop it as a service manager does, and its jobs' worker, and return its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._end_workers()

    def _end_workers(self) -> None:
        workers = []
        for process in psutil.process_iter():
            try:
                if "tiomagic.worker" in process.cmdline() and process.cwd() == str(self.folder):
                    process.terminate()
                    workers.append(process)
            except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                continue
        for process in psutil.wait_procs(workers, STOP_TIMEOUT_S)[1]:
            process.kill()


@contextmanager
def serve_page(folder: Path, *options: str, **how: Any) -> Iterator[PageProcess]:
    """Serve the page of a folder; at its end the page must go when it is told to."""
    server = PageProcess(folder, *options, **how)
    try:
        yield server
    finally:
        status = server.end()
    assert status == 0, server.log
