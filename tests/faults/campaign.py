"""Runs jobs, breaks something at a random moment of each, recovers, and looks whether it is true.

The first process imports everything, opens nothing, and forks callers and workers: a run costs a
second and not ten. What is broken stands in ``breaking``, for jobs on Modal in ``remote``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import select
import signal
import socket
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from tests.faults import parts
from tests.faults.proxy import Proxy

LOCK_S = 5.0

Fault = Callable[[Any, int], None]
"""Breaks something of a campaign; the number is the process of the caller that waits."""


class Campaign:
    """One series of runs in one folder.

    Args:
        folder: Empty; on a small file system of its own for the fault ``full_disk``.
        seed: Decides faults and moments.
        lock_s: Seconds for which the database is held by somebody else.
        server: URL of an empty PostgreSQL database on loopback, which all reach through a proxy;
            None for a SQLite file in the folder.
    """

    parts_class: type[parts.ProcessParts] = parts.ProcessParts
    harmless_faults: frozenset[str] = frozenset()
    """Faults after which a job must be completed."""

    def __init__(
        self, folder: Path, seed: int, *, lock_s: float = LOCK_S, server: str | None = None
    ) -> None:
        self.folder = folder
        self.server = server
        self.order = folder / "order"
        self.chance = random.Random(seed)
        self.lock_s = lock_s
        self.faults = Counter[str]()
        self.failed_children = Counter[str]()
        self._reader, self._writer = os.pipe()
        self._workers: set[int] = set()
        self._callers: set[int] = set()
        self._number = 0
        self._fault_of: dict[int, str] = {}
        self._proxy = self._fork_proxy(server) if server else None

    def run(self, name: str, fault: Fault) -> None:
        """Run one job with one fault, then recover until nothing is open."""
        self._number += 1
        self.faults[name] += 1
        self._fault_of[self._number] = name
        retry = self.chance.randrange(2)
        is_stored = self.folder / parts.STORED_FILE
        is_stored.unlink(missing_ok=True)
        caller = self._fork_caller(number=self._number, retry=retry)
        # On a slow machine a second is over before anything has begun.
        while self._number % 4 and not is_stored.exists() and not self.is_over(caller):
            self.pause(0.02)
        self.pause(self.chance.uniform(0.0, 1.2))
        fault(self, caller)
        self._finish_all(caller)

    def _fork_caller(self, **options: Any) -> int:
        task = parts.submit_and_wait
        return self.fork("caller", task, to=self._callers, parts_class=self.parts_class, **options)

    def _finish_all(self, caller: int) -> None:
        self.finish(caller, 90)
        self.finish(self.fork("recoverer", parts.recover_all, parts_class=self.parts_class), 150)

    def end(self) -> dict[str, Any]:
        """Let the workers go away and return what was found.

        Raises:
            AssertionError: when something is not true.
        """
        while self._workers:
            self.pause(0.1)
        if self._proxy is not None:
            os.kill(self._proxy, signal.SIGKILL)
            os.waitpid(self._proxy, 0)
        return self._check_jobs(self._stored())

    def _stored(self) -> list[dict[str, Any]]:
        """Return the jobs as they are in the database, which must be sound."""
        if self.server is not None:
            with psycopg.connect(self.server, row_factory=dict_row) as connection:
                return list(connection.execute("select * from tiomagic_jobs"))
        with contextlib.closing(sqlite3.connect(self.folder / "jobs.db")) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("select * from tiomagic_jobs")]

    def is_over(self, pid: int) -> bool:
        """Return whether a caller has ended."""
        self._reap()
        return pid not in self._callers

    def _check_jobs(self, jobs: list[dict[str, Any]]) -> dict[str, Any]:
        ends, reasons = Counter[str](), Counter[str]()
        for job in jobs:
            ends[job["status"]] += 1
            if job["status"] == "completed":
                video = self.folder / job["result_video"]  # Relative where the store is a file.
                digest = hashlib.sha256(video.read_bytes()).hexdigest()
                facts = job["facts"]
                known = json.loads(facts) if isinstance(facts, str) else facts
                assert digest == known["sha256"], job
                with av.open(str(video)) as container:
                    assert sum(1 for _ in container.decode(video=0)) == parts.FRAMES
            else:
                assert job["status"] in {"failed", "canceled"}, job
                assert job["status"] == "canceled" or job["error_code"], job
                fault = self._fault_of.get(int(str(job["prompt"]).rpartition(" ")[2]), "")
                assert fault not in self.harmless_faults, (fault, job)
            if job["status"] == "failed":
                reasons[job["error_code"]] += 1
        return {
            "runs": sum(self.faults.values()),
            "faults": dict(sorted(self.faults.items())),
            "jobs": dict(sorted(ends.items())),
            "reasons_of_failure": dict(sorted(reasons.items())),
            "processes_that_failed": dict(sorted(self.failed_children.items())),
            "open": 0,
            **self._check_work(),
        }

    def _check_work(self) -> dict[str, int]:
        """Look whether anything was done twice."""
        diary = self.folder / "completions"
        completions = Counter(diary.read_text().split() if diary.exists() else ())
        assert max(completions.values(), default=0) <= 1, completions.most_common(3)
        return {"completed_twice": 0}

    def workers(self) -> list[int]:
        """Return the living workers."""
        self._reap()
        return sorted(self._workers)

    def kill_all(self) -> None:
        """Kill every process of the campaign and wait until they are gone."""
        for pid in (*self._workers, *self._callers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while self._workers or self._callers:
            self._reap()
            time.sleep(0.005)

    def fork_canceler(self) -> None:
        """Ask every open job to stop."""
        self.finish(self.fork("canceler", parts.cancel_all, parts_class=self.parts_class), 60)

    def fork(
        self, name: str, task: Callable[..., None], to: set[int] | None = None, **options: Any
    ) -> int:
        """Do something in a process of its own and return that process."""
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            if to is not None:
                to.add(pid)
            return pid
        status = 1
        try:
            task(self.folder, self._writer, **options)
            status = 0
        except Exception:
            with (self.folder.parent / "children.log").open("a") as log:
                log.write(f"--- {name}\n{traceback.format_exc()}")
        finally:
            os._exit(status)

    def _fork_proxy(self, server: str) -> int:
        """Put a proxy before the server, tell all where it is, and return its process."""
        port = int(str(conninfo_to_dict(server)["port"]))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            own = listener.getsockname()[1]
            (self.folder / "url").write_text(server.replace(f":{port}/", f":{own}/"))
            proxy = Proxy(listener, port, self.order)
            return self.fork("proxy", lambda *_: proxy.serve())

    def pause(self, seconds: float) -> None:
        """Let time pass, and fork a worker for each one that somebody asks for."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            ready, _, _ = select.select([self._reader], [], [], min(left, 0.02))
            if ready:
                for queue in os.read(self._reader, 65536).decode().split():
                    self.fork(
                        "worker", parts.work, self._workers, queue=queue, on_worker=_end_on_sigterm
                    )
            self._reap()
            if not left:
                return

    def finish(self, pid: int, bound_s: float) -> None:
        """Wait until a process of the campaign has ended."""
        deadline = time.monotonic() + bound_s
        while True:
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(pid, os.WNOHANG)
                if not found:
                    assert time.monotonic() < deadline, "a process of the campaign does not end"
                    self.pause(0.02)
                    continue
                if status:
                    code = os.WEXITSTATUS(status)
                    self.failed_children[
                        "killed" if os.WIFSIGNALED(status) else f"status {code}"
                    ] += 1
            self._callers.discard(pid)
            return

    def _reap(self) -> None:
        for group in (self._workers, self._callers):
            for pid in list(group):
                if group is self._callers and psutil.pid_exists(pid):
                    if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                        continue
                    group.discard(pid)
                    continue
                with contextlib.suppress(ChildProcessError):
                    if not os.waitpid(pid, os.WNOHANG)[0]:
                        continue
                group.discard(pid)


def _end_on_sigterm(worker: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: worker.end())
