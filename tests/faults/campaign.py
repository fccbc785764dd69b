"""Runs jobs, breaks something at a random moment of each, recovers, and looks whether it is true.

The first process imports everything, opens nothing, and forks callers and workers: a run costs a
second and not ten. Each fault is a function that is called while a caller waits for its job.
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


class Campaign:
    """One series of runs in one folder.

    Args:
        folder: Empty; on a small file system of its own for the fault ``full_disk``.
        seed: Decides faults and moments.
        lock_s: Seconds for which the database is held by somebody else.
        server: URL of an empty PostgreSQL database on loopback, which all reach through a proxy;
            None for a SQLite file in the folder.
    """

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
        self._proxy = self._fork_proxy(server) if server else None

    def run(self, fault: str) -> None:
        """Run one job with one fault, then recover until nothing is open."""
        self._number += 1
        self.faults[fault] += 1
        retry = self.chance.randrange(2)
        caller = self._fork(
            "caller", parts.submit_and_wait, number=self._number, retry=retry, to=self._callers
        )
        self._pump(self.chance.uniform(0.0, 1.2))
        (SERVER_FAULTS if self.server else FAULTS)[fault](self, caller)
        self._finish(caller, 70)
        recoverer = self._fork("recoverer", parts.recover_all)
        self._finish(recoverer, 120)

    def end(self) -> dict[str, Any]:
        """Let the workers go away and return what was found.

        Raises:
            AssertionError: when something is not true.
        """
        while self._workers:
            self._pump(0.1)
        if self._proxy is not None:
            os.kill(self._proxy, signal.SIGKILL)
            os.waitpid(self._proxy, 0)
        return self._judge(self._stored())

    def _stored(self) -> list[dict[str, Any]]:
        """Return the jobs as they are in the database, which must be sound."""
        if self.server is not None:
            with psycopg.connect(self.server, row_factory=dict_row) as connection:
                return list(connection.execute("select * from tiomagic_jobs"))
        with contextlib.closing(sqlite3.connect(self.folder / "jobs.db")) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("select * from tiomagic_jobs")]

    def _judge(self, jobs: list[dict[str, Any]]) -> dict[str, Any]:
        completions = Counter((self.folder / "completions").read_text().split())
        assert max(completions.values(), default=0) <= 1, completions.most_common(3)
        ends = Counter[str]()
        for job in jobs:
            ends[job["status"]] += 1
            if job["status"] == "completed":
                video = Path(job["result_video"])
                digest = hashlib.sha256(video.read_bytes()).hexdigest()
                facts = job["facts"]
                known = json.loads(facts) if isinstance(facts, str) else facts
                assert digest == known["sha256"], job
                with av.open(str(video)) as container:
                    assert sum(1 for _ in container.decode(video=0)) == parts.FRAMES
            else:
                assert job["status"] in {"failed", "canceled"}, job
                assert job["status"] == "canceled" or job["error_code"], job
        return {
            "runs": sum(self.faults.values()),
            "faults": dict(sorted(self.faults.items())),
            "jobs": dict(sorted(ends.items())),
            "processes_that_failed": dict(sorted(self.failed_children.items())),
            "completed_twice": 0,
            "open": 0,
        }

    def workers(self) -> list[int]:
        """Return the living workers."""
        self._reap()
        return sorted(self._workers)

    def pause(self, seconds: float) -> None:
        """Let time pass; workers that are asked for are started."""
        self._pump(seconds)

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
        self._finish(self._fork("canceler", parts.cancel_all), 60)

    def _fork(
        self, name: str, task: Callable[..., None], to: set[int] | None = None, **options: Any
    ) -> int:
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
            return self._fork("proxy", lambda *_: proxy.serve())

    def _pump(self, seconds: float) -> None:
        """Wait, and fork a worker for each one that somebody asks for."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            ready, _, _ = select.select([self._reader], [], [], min(left, 0.02))
            if ready:
                for queue in os.read(self._reader, 65536).decode().split():
                    self._fork("worker", parts.work, self._workers, queue=queue, on_worker=_obey)
            self._reap()
            if not left:
                return

    def _finish(self, pid: int, bound_s: float) -> None:
        deadline = time.monotonic() + bound_s
        while True:
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(pid, os.WNOHANG)
                if not found:
                    assert time.monotonic() < deadline, "a process of the campaign does not end"
                    self._pump(0.02)
                    continue
                name = "killed" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
                self.failed_children[name] += status != 0
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


def _obey(worker: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: worker.end())


def _send(campaign: Campaign, number: int) -> None:
    for pid in campaign.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def nothing(campaign: Campaign, caller: int) -> None:
    """Break nothing: the campaign itself must be sound."""


def kill_caller(campaign: Campaign, caller: int) -> None:
    """Kill -9 of who waits."""
    os.kill(caller, signal.SIGKILL)


def kill_worker(campaign: Campaign, caller: int) -> None:
    """Kill -9 of who works."""
    _send(campaign, signal.SIGKILL)


def kill_both(campaign: Campaign, caller: int) -> None:
    """Power is gone."""
    campaign.kill_all()


def terminate_worker(campaign: Campaign, caller: int) -> None:
    """SIGTERM, as a service manager sends it."""
    _send(campaign, signal.SIGTERM)


def stop_worker(campaign: Campaign, caller: int) -> None:
    """SIGSTOP for longer than the lease; whoever wakes up afterwards may have been replaced."""
    _send(campaign, signal.SIGSTOP)
    campaign.pause(parts.STALE_S + 0.5)
    _send(campaign, signal.SIGCONT)


def jump_clock(campaign: Campaign, caller: int) -> None:
    """Somebody corrects the date, by up to a year in either direction."""
    seconds = campaign.chance.uniform(-3e7, 3e7)
    (campaign.folder / "jump").write_text(str(seconds))


def lock_database(campaign: Campaign, caller: int) -> None:
    """Somebody holds the database in a transaction of their own."""
    hold = _hold if campaign.server is None else _hold_table
    pid = campaign._fork("locker", hold, seconds=campaign.lock_s, server=campaign.server)
    campaign._finish(pid, 60)


def _hold_table(_folder: Path, _pipe: int, seconds: float, server: str) -> None:
    with psycopg.connect(server) as connection:
        with contextlib.suppress(psycopg.errors.UndefinedTable):  # Before the first use.
            connection.execute("lock table tiomagic_jobs in access exclusive mode")
        time.sleep(seconds)
        connection.rollback()


def _hold(folder: Path, _pipe: int, seconds: float, **_more: object) -> None:
    with contextlib.closing(sqlite3.connect(folder / "jobs.db", timeout=30)) as connection:
        connection.execute("begin immediate")
        time.sleep(seconds)
        connection.rollback()


def truncate_wal(campaign: Campaign, caller: int) -> None:
    """Power is gone, and of the newest pages a part has not reached the disk."""
    campaign.kill_all()
    wal = campaign.folder / "jobs.db-wal"
    with contextlib.suppress(FileNotFoundError):
        os.truncate(wal, campaign.chance.randint(0, wal.stat().st_size))


def fill_disk(campaign: Campaign, caller: int) -> None:
    """No byte is free for a while."""
    filler = campaign.folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    campaign.pause(campaign.chance.uniform(0.2, 1.0))
    filler.unlink()


def cut_connections(campaign: Campaign, caller: int) -> None:
    """The server is out of reach for a while, and every connection broken."""
    campaign.order.write_text("cut")
    campaign.pause(campaign.chance.uniform(0.05, 1.0))
    campaign.order.unlink()


def lose_answers(campaign: Campaign, caller: int) -> None:
    """The server does what it is told, and nobody hears of it; then the connections break."""
    campaign.order.write_text("mute")
    campaign.pause(campaign.chance.uniform(0.02, 0.5))
    campaign.order.unlink()
    campaign.pause(0.05)


def end_connections(campaign: Campaign, caller: int) -> None:
    """The server ends every connection, as when it is told to restart."""
    pid = campaign._fork("terminator", _terminate, server=campaign.server)
    campaign._finish(pid, 60)


def _terminate(_folder: Path, _pipe: int, server: str) -> None:
    others = "datname = current_database() and pid <> pg_backend_pid()"
    with psycopg.connect(server) as connection:
        connection.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")


def cancel(campaign: Campaign, caller: int) -> None:
    """Somebody wants the job to stop."""
    campaign.fork_canceler()


def cancel_and_kill(campaign: Campaign, caller: int) -> None:
    """The same, and the worker dies before it can confirm."""
    campaign.fork_canceler()
    _send(campaign, signal.SIGKILL)


FAULTS: dict[str, Callable[[Campaign, int], None]] = {
    "cancel": cancel,
    "cancel_and_kill": cancel_and_kill,
    "full_disk": fill_disk,
    "jump_clock": jump_clock,
    "kill_both": kill_both,
    "kill_caller": kill_caller,
    "kill_worker": kill_worker,
    "lock_database": lock_database,
    "nothing": nothing,
    "stop_worker": stop_worker,
    "terminate_worker": terminate_worker,
    "truncate_wal": truncate_wal,
}
"""Every fault by its name. ``full_disk`` needs a small file system of its own."""

SERVER_FAULTS: dict[str, Callable[[Campaign, int], None]] = {
    "cut_connections": cut_connections,
    "end_connections": end_connections,
    "lose_answers": lose_answers,
    **{name: FAULTS[name] for name in FAULTS if name not in {"full_disk", "truncate_wal"}},
}
"""Those of a campaign on a server."""
