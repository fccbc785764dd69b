"""What is broken: each fault is a function that is called while a caller waits for its job."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from tests.faults import parts, spaces

from tiomagic_domain.workers import queue_name
from tiomagic_local.jobs.device_locks import FileDeviceLocks

if TYPE_CHECKING:
    from tests.faults.campaign import Campaign, Fault


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
    campaign.pause(parts.LEASE_EXPIRY_S + 0.5)
    _send(campaign, signal.SIGCONT)


def jump_clock(campaign: Campaign, caller: int) -> None:
    """Somebody corrects the date, by up to a year in either direction."""
    seconds = campaign.chance.uniform(-3e7, 3e7)
    (campaign.folder / "jump").write_text(str(seconds))


def lock_database(campaign: Campaign, caller: int) -> None:
    """Somebody holds the database in a transaction of their own."""
    hold = _hold if campaign.server is None else _hold_table
    pid = campaign.fork("locker", hold, seconds=campaign.lock_s, server=campaign.server)
    campaign.finish(pid, 60)


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
    pid = campaign.fork("terminator", _terminate, server=campaign.server)
    campaign.finish(pid, 60)


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


def look_from_another_space(campaign: Campaign, caller: int) -> None:
    """Somebody recovers in a container that shares the folder and the host's name."""
    campaign.finish(campaign.fork("onlooker", _recover_elsewhere), 60)


def _recover_elsewhere(folder: Path, pipe: int) -> None:
    spaces.run_in_pid_namespace(lambda: parts.recover_once(folder, pipe))


def set_date(campaign: Campaign, caller: int) -> None:
    """The date of the machine is set, and whoever looks afterwards sees it started then."""
    seconds = campaign.chance.choice([-1, 1]) * campaign.chance.uniform(10, 3e7)
    campaign.finish(campaign.fork("onlooker", _recover_after_set, seconds=seconds), 60)


def _recover_after_set(folder: Path, pipe: int, seconds: float) -> None:
    spaces.run_with_shifted_boot_time(lambda: parts.recover_once(folder, pipe), seconds)


def recover_at_once(campaign: Campaign, caller: int) -> None:
    """Several processes recover at the same moment."""
    crowd = [campaign.fork("recoverer", parts.recover_once) for _ in range(RECOVERING_PROCESSES)]
    for each in crowd:
        campaign.finish(each, 60)


def no_worker(campaign: Campaign, caller: int) -> None:
    """For a while no worker starts; the one that there is goes away."""
    (campaign.folder / parts.BROKEN_FILE).touch()
    _send(campaign, signal.SIGTERM)
    campaign.pause(campaign.chance.uniform(0.2, 2.0))
    (campaign.folder / parts.BROKEN_FILE).unlink()


def unwritable_spool(campaign: Campaign, caller: int) -> None:
    """For a second the folder of videos in the making cannot be written."""
    spool = campaign.folder / "spool"
    aside = campaign.folder / "aside"
    with contextlib.suppress(OSError):  # Before the first use it is not there.
        spool.rename(aside)
    spool.write_text("in the way")
    campaign.pause(1.0)
    spool.unlink()
    if aside.exists():
        aside.rename(spool)


def device_taken(campaign: Campaign, caller: int) -> None:
    """A run of another project came first, gets the device, and is killed while it has it."""
    taken = campaign.folder / "taken"
    pid = campaign.fork("stranger", _take_device)
    deadline = time.monotonic() + 30
    while not taken.exists() and time.monotonic() < deadline:
        campaign.pause(0.05)
    assert taken.exists(), "no worker makes room"
    taken.unlink()
    campaign.pause(campaign.chance.uniform(0.0, 1.0))
    os.kill(pid, signal.SIGKILL)
    campaign.finish(pid, 60)


def _take_device(folder: Path, _pipe: int) -> None:
    locks = FileDeviceLocks(folder.parent / "another project")
    slot = queue_name("local", platform.node(), "cpu")
    device, ticket = locks.device(slot, "stranger"), locks.ticket(slot, ("", ""))
    ticket.acquire()
    while not device.acquire():
        time.sleep(0.02)
    (folder / "taken").touch()
    time.sleep(60)


RECOVERING_PROCESSES = 5

FAULTS: dict[str, Fault] = {
    "cancel": cancel,
    "cancel_and_kill": cancel_and_kill,
    "device_taken": device_taken,
    "full_disk": fill_disk,
    "jump_clock": jump_clock,
    "kill_both": kill_both,
    "kill_caller": kill_caller,
    "kill_worker": kill_worker,
    "lock_database": lock_database,
    "look_from_another_space": look_from_another_space,
    "no_worker": no_worker,
    "nothing": nothing,
    "recover_at_once": recover_at_once,
    "set_date": set_date,
    "stop_worker": stop_worker,
    "terminate_worker": terminate_worker,
    "truncate_wal": truncate_wal,
    "unwritable_spool": unwritable_spool,
}
"""Every fault by its name. ``full_disk`` needs a small file system of its own."""

NAMESPACE_FAULTS = frozenset({"look_from_another_space", "set_date"})
"""Those that need namespaces, and so root on Linux."""

HARMLESS_FAULTS = frozenset(
    {
        "device_taken",
        "jump_clock",
        "look_from_another_space",
        "nothing",
        "recover_at_once",
        "set_date",
    }
)
"""Those after which the job must be completed: nobody stopped it, and nothing of it was lost."""

SERVER_FAULTS: dict[str, Fault] = {
    "cut_connections": cut_connections,
    "end_connections": end_connections,
    "lose_answers": lose_answers,
    **{
        name: FAULTS[name]
        for name in FAULTS
        if name not in {"full_disk", "truncate_wal", "unwritable_spool"}
    },
}
"""Those of a campaign on a server."""
