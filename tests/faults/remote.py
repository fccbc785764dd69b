"""The same for jobs on Modal: its real client and container, and a server that really dies.

A fault strikes in the middle of something: as a job is marked, sent, asked for or fetched.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modal._serialization import deserialize_data_format
from tests.faults.breaking import FAULTS, nothing
from tests.faults.campaign import LOCK_S, Campaign, Fault
from tests.faults.remote_parts import RemoteProcessParts

if TYPE_CHECKING:
    from tests.modal.servicer import FakeModalProcess

ANSWER_DELAY_S = 1.5
"""So long an answer is held back for a fault to strike before it comes."""
DOWNLOAD_BYTES_PER_S = 60_000
"""Bytes a second of a download that a fault is to strike: a video takes some seconds."""


class RemoteCampaign(Campaign):
    """One series of runs on Modal.

    Args:
        folder, seed, lock_s: As for ``Campaign``.
        workspace: A server that runs.
        state_dir: Its folder.
    """

    parts_class = RemoteProcessParts

    def __init__(
        self,
        folder: Path,
        seed: int,
        workspace: FakeModalProcess,
        state_dir: Path,
        *,
        lock_s: float = LOCK_S,
    ) -> None:
        super().__init__(folder, seed, lock_s=lock_s)
        self.workspace = workspace
        self.moments = Counter[str]()
        self._state_dir = state_dir
        self._is_up = True
        os.environ.update(workspace.environment)

    def run(self, name: str, fault: Fault, moment: str | None = None) -> None:
        """Run one job, with a fault in the middle of something, and recover."""
        self._number += 1
        self.faults[name] += 1
        moment = moment or self.chance.choice(list(MOMENTS))
        self.moments[moment] += 1
        what, before = MOMENTS[moment], self._count_requests(MOMENTS[moment])
        if what == "HTTP.GET":
            self.workspace.do("faults.slow_downloads", DOWNLOAD_BYTES_PER_S)
        elif what:
            self.workspace.do("faults.late", what, ANSWER_DELAY_S)
        caller = self._fork_caller(number=self._number, retry=0)
        self._wait_for_request(caller, what, before)
        fault(self, caller)
        self.restore()
        self._finish_all(caller)

    def _wait_for_request(self, caller: int, what: str | None, before: int) -> None:
        """Wait until the server is asked for something, or for any moment."""
        if what is None:
            self.pause(self.chance.uniform(0.0, 4.0))
            return
        until = time.monotonic() + 60.0
        while self._count_requests(what) <= before and not self.is_over(caller):
            assert time.monotonic() < until, f"no {what} within a minute"
            self.pause(0.02)
        self.pause(self.chance.uniform(0.0, 0.3))

    def _count_requests(self, what: str | None) -> int:
        counts = self.workspace.state()
        return int({**counts["rpc_counts"], **counts["http_counts"]}.get(what, 0))

    def restore(self) -> None:
        """Let the server be there, and do as it is told."""
        if not self._is_up:
            self.workspace.start()
            self._is_up = True
        self.workspace.do("come_back")
        self.workspace.do("faults.clear")

    def kill_server(self) -> None:
        """Cut the power of the server and of its containers."""
        self.workspace.kill()
        self._is_up = False

    def calls(self) -> dict[str, str]:
        """Return the status of every call that the server knows."""
        return {
            call_id: call["status"] for call_id, call in self.workspace.state()["calls"].items()
        }

    def end(self) -> dict[str, Any]:
        """Wait until nothing runs on Modal, end the server, and return what was found."""
        until = time.monotonic() + 60.0
        while set(self.calls().values()) - {"done"}:
            assert time.monotonic() < until, f"something still runs: {self.calls()}"
            self.pause(0.1)
        self.workspace.stop()
        return super().end()

    def _check_jobs(self, jobs: list[dict[str, Any]]) -> dict[str, Any]:
        found = super()._check_jobs(jobs)
        began, _ = self._diary()
        for job in jobs:
            # What is told to have failed without a run has had none. With the code ``remote`` the
            # container died in the middle.
            if job["status"] == "failed" and job["error_code"] != "remote":
                assert job["job_id"] not in began, job
        return {**found, "moments": dict(sorted(self.moments.items())), "left_running": 0}

    def _check_work(self) -> dict[str, int]:
        began, ended = self._diary()
        assert all(len(calls) == 1 for calls in began.values()), began
        submissions = self._submissions()
        assert all(len(keys) == 1 for keys in submissions.values()), submissions
        again = {job: sum(calls.values()) - 1 for job, calls in ended.items()}
        return {
            "submitted_twice": 0,
            "run_by_two_calls": 0,
            "made_again_after_a_lost_machine": sum(again.values()),
        }

    def _diary(self) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
        """Return which calls began each job, and which made its video, how often."""
        found: dict[str, dict[str, Counter[str]]] = {"began": {}, "ended": {}}
        for line in (self._state_dir / "diary").read_text().splitlines():
            word, job_id, call_id = line.split()
            found[word].setdefault(job_id, Counter())[call_id] += 1
        return found["began"], found["ended"]

    def _submissions(self) -> dict[str, set[str]]:
        """Return the submissions of each job, by the client's own keys."""
        state = pickle.loads((self._state_dir / "state.pickle").read_bytes())
        found: dict[str, set[str]] = {}
        for call in state.calls.values():
            [payload], _ = deserialize_data_format(call.input.args, call.input.data_format, None)
            found.setdefault(payload["job"]["job_id"], set()).add(call.submission)
        return found


MOMENTS: dict[str, str | None] = {
    "any": None,
    "marking": "DictUpdate",
    "sending": "FunctionMap",
    "asking": "FunctionGetOutputs",
    "fetching": "HTTP.GET",
}
"""When a fault strikes, and what of the caller's requests it strikes."""


def _signal(number: signal.Signals) -> Fault:
    def strike(campaign: RemoteCampaign, caller: int) -> None:
        if not campaign.is_over(caller):
            os.kill(caller, number)

    return strike


def stop_caller(campaign: RemoteCampaign, caller: int) -> None:
    """SIGSTOP, as when a laptop sleeps: every connection is silent for longer than a deadline."""
    _signal(signal.SIGSTOP)(campaign, caller)
    campaign.pause(campaign.chance.uniform(1.0, 7.0))
    _signal(signal.SIGCONT)(campaign, caller)


def drop_connections(campaign: RemoteCampaign, caller: int) -> None:
    """Every connection breaks, and for a while there are none."""
    campaign.workspace.do("go_away")
    campaign.pause(campaign.chance.uniform(0.1, 3.0))


def kill_server(campaign: RemoteCampaign, caller: int) -> None:
    """The server is gone with its containers, and comes back with what it had promised."""
    campaign.kill_server()
    campaign.pause(campaign.chance.uniform(0.0, 1.0))


def kill_both(campaign: RemoteCampaign, caller: int) -> None:
    """The caller is gone as well."""
    campaign.kill_server()
    campaign.kill_all()


def lose_answers(campaign: RemoteCampaign, caller: int) -> None:
    """What is asked is done, and nobody hears of it."""
    for rpc in ("FunctionMap", "FunctionGetOutputs", "DictUpdate", "DictGet", "BlobGet"):
        status = campaign.chance.choice(["UNAVAILABLE", "FAILED_PRECONDITION"])
        campaign.workspace.do("faults.drop_answer", rpc, status, times=2)
    campaign.pause(campaign.chance.uniform(0.5, 3.0))


def refuse(campaign: RemoteCampaign, caller: int) -> None:
    """Nothing is done for a while, and everybody told so."""
    for what in ("FunctionMap", "FunctionGetOutputs", "DictUpdate", "DictGet", "HTTP.GET"):
        status = campaign.chance.choice(["UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED"])
        campaign.workspace.do("faults.fail", what, status, times=3)
    campaign.pause(campaign.chance.uniform(0.5, 3.0))


def _to_container(method: str) -> Fault:
    def strike(campaign: RemoteCampaign, caller: int) -> None:
        for call_id, word in campaign.calls().items():
            if word == "running":
                campaign.workspace.do(method, call_id)

    return strike


def cancel(campaign: RemoteCampaign, caller: int) -> None:
    """Somebody else wants the job to stop."""
    campaign.fork_canceler()


def cancel_and_kill(campaign: RemoteCampaign, caller: int) -> None:
    """The same, and the caller is gone."""
    campaign.fork_canceler()
    _signal(signal.SIGKILL)(campaign, caller)


SHARED_FAULTS = ("full_disk", "jump_clock", "lock_database", "truncate_wal")
REMOTE_FAULTS: dict[str, Callable[..., None]] = {
    "cancel": cancel,
    "cancel_and_kill": cancel_and_kill,
    "drop_connections": drop_connections,
    "hang_up_caller": _signal(signal.SIGHUP),
    "interrupt_caller": _signal(signal.SIGINT),
    "kill_both": kill_both,
    "kill_caller": _signal(signal.SIGKILL),
    "kill_container": _to_container("kill_container"),
    "kill_server": kill_server,
    "lose_answers": lose_answers,
    "nothing": nothing,
    "preempt": _to_container("preempt"),
    "refuse": refuse,
    "stop_caller": stop_caller,
    "terminate_caller": _signal(signal.SIGTERM),
    **{name: FAULTS[name] for name in SHARED_FAULTS},
}
"""Every fault of a campaign on Modal by its name."""
