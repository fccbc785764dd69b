"""Servers that are killed lose no message, and several servers send each once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.server.conftest import make_tm

from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import FakeProvider
from tiomagic_server.webhooks.receivers import WebhookReceivers

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio
    from tests.server.hook_receiver import HookReceiver, Message

ROOT = Path(__file__).parents[3]


@contextmanager
def serve(folder: Path, database: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a server as a process; gives its address."""
    command = [sys.executable, "-m", "tests.server.webhooks.serving", str(folder), database]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_message_is_lost_with_its_server(
    kind: str, tmp_path: Path, hooks: HookReceiver, request: pytest.FixtureRequest
) -> None:
    """Killed before the job ends, and again before it knows the answer: the repeat has one id."""
    database = f"sqlite:///{tmp_path}/jobs.db"
    if kind == "postgresql":
        database = request.getfixturevalue("postgresql_url")
    provider = FakeProvider(tmp_path / "spool", name="local")
    with ExitStack() as stack:
        tm = make_tm(tmp_path, provider, database_url=database)
        stack.callback(tm.close)
        hooks.secrets.append(WebhookReceivers(tm.session.settings.state_dir).add(""))
        with serve(tmp_path, database) as (address, process):
            body = {"prompt": "a fox", "callback_url": hooks.url}
            video_id = httpx.post(f"{address}/v1/videos", json=body, timeout=300).json()["id"]
            process.kill()
        # What a worker does that outlives its server.
        repository = tm.session.container.repository()
        job = repository.get(video_id)
        repository.save(job.to(JobStatus.COMPLETED, at=tm.session.clock.now()))
        assert hooks.messages == []

        with serve(tmp_path, database) as (_, process):

            def kill_it(_: Message) -> None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()

            hooks.on_message = kill_it
            (first,) = hooks.wait_for(1)
            process.wait()
        hooks.on_message = lambda _: None
        with serve(tmp_path, database):
            messages = hooks.wait_for(2)
    assert messages == [first, first]
    assert first.data["data"] == {"id": video_id, "status": "completed"}
    assert hooks.forged == []


@pytest.mark.timeout(900)
def test_several_servers_send_each_message_once(
    make_studio: Callable[..., FakeStudio], hooks: HookReceiver, postgresql_url: str
) -> None:
    """Over one store, at the same time."""
    studios = [
        make_studio(allow_private_webhooks=True, settings={"database_url": postgresql_url})
        for _ in range(3)
    ]
    state_dir = studios[0].tm.session.settings.state_dir
    hooks.secrets.append(WebhookReceivers(state_dir).add("", hooks.url))
    made = [
        studios[number % 3].http().post("/v1/videos", json={"prompt": "a fox"}).json()["id"]
        for number in range(24)
    ]
    messages = hooks.wait_for(24)
    assert sorted(one.data["data"]["id"] for one in messages) == sorted(made)
    assert len({one.webhook_id for one in messages}) == 24
