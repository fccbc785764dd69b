"""A Modal workspace on loopback with tiny pipelines, and what a caller needs to use it.

Everything is real but the service itself: Modal's client, Modal's container entrypoint, the worker.
The engines are real in `test_engines`, and a stand-in elsewhere. One server serves the session, as
client objects hold on to the first they met.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.modal.servicer import FakeModal

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.ports.provider import Report, Request
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeMediaReader, FakeVideoJoiner, RecordingObserver, make_job
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.provider import ModalProvider

TEXT_MODEL = "wan2.1-t2v-1.3b"
VACE_MODEL = "wan2.1-vace-1.3b"
SMALL_VIDEO = {"width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 2}
"""Settings of a run that takes a moment."""
STANDIN = Path(__file__).parent / "standin"
TIMEOUT_S = 240.0
"""Bound of each wait: the machine may be busy with all the other tests."""


class SystemClock:
    """The real time, as a clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.05))


def picture(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """Return a small PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def workspace():
    """The server. In its containers the engines are a stand-in that starts at once."""
    environment = {"PYTHONPATH": os.pathsep.join([str(STANDIN), *sys.path])}
    with FakeModal(container_env=environment, max_containers=2) as fake:
        yield fake


@pytest.fixture
def fake(workspace, monkeypatch):
    """The server, emptied, as the one that this process talks to."""
    workspace.come_back()  # A test that failed may have left it away.
    workspace.reset()
    for secret_id in workspace.state.secrets:
        workspace.state.secrets[secret_id] = {}
    use_workspace(workspace, monkeypatch)
    return workspace


def use_workspace(workspace: FakeModal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process use the server and know no other."""
    for name, value in workspace.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def options(fake) -> ModalOptions:
    """Options with the server's token."""
    environment = fake.environment
    return ModalOptions(
        token_id=environment["MODAL_TOKEN_ID"], token_secret=environment["MODAL_TOKEN_SECRET"]
    )


@pytest.fixture
def new_provider(options, tmp_path) -> Callable[..., ModalProvider]:
    """Build a provider, as a process of its own would."""
    numbers = itertools.count()

    def build(**kwargs) -> ModalProvider:
        given = {"deadline_s": 5.0} | kwargs
        return ModalProvider(
            given.pop("options", options), tmp_path / f"spool-{next(numbers)}", **given
        )

    return build


@pytest.fixture
def provider(new_provider) -> ModalProvider:
    """A provider of the server."""
    return new_provider()


@pytest.fixture
def media(tmp_path) -> FakeMediaReader:
    """A reader that believes what it is told of a picture's size."""
    return FakeMediaReader(tmp_path / "inputs", size=(40, 40))


@pytest.fixture
def request_for(media) -> Callable[..., Request]:
    """Prepare a request from arguments."""
    preparation = Preparation(media, SystemClock(), joiner=FakeVideoJoiner())

    def prepare(feature: Feature, model: str, **arguments: object) -> Request:
        return preparation.prepare(feature, find_model(model, feature), "modal", arguments)

    return prepare


@pytest.fixture
def new_request(request_for) -> Callable[..., Request]:
    """Prepare a request that takes a moment, or does what the stand-in is told."""

    def prepare(**orders: object) -> Request:
        prompt = json.dumps(orders) if orders else "a fox"
        return request_for(Feature.TEXT_TO_VIDEO, TEXT_MODEL, prompt=prompt, **SMALL_VIDEO)

    return prepare


@pytest.fixture
def long_request(new_request) -> Callable[[], Request]:
    """Prepare a request that takes minutes."""
    return lambda: new_request(steps=1000, pause_s=0.1)


@pytest.fixture
def picture_request(request_for) -> Request:
    """A request with a picture."""
    return request_for(
        Feature.IMAGE_TO_VIDEO, VACE_MODEL, prompt="a fox", image=picture(), **SMALL_VIDEO
    )


@pytest.fixture
def job() -> Job:
    """A job that runs on an H100."""
    return make_job(provider="modal", facts={"gpu": "H100", "timeout_s": 1800})


def submit(provider: ModalProvider, request: Request) -> Job:
    """Submit a request and return the job as it would be stored."""
    report = provider.submit(request, RecordingObserver())
    return apply_report(request.job, report, at=request.job.last_updated) or request.job


def poll_until(provider: ModalProvider, job: Job, condition: Callable[[Report], object]) -> Report:
    """Poll until something is true of the report."""
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        report = provider.poll(job)
        if condition(report):
            return report
        assert not report.status.is_terminal, report
        job = apply_report(job, report, at=job.last_updated) or job
        time.sleep(0.02)
    raise TimeoutError(f"{report} after {TIMEOUT_S} s")


def finish(provider: ModalProvider, job: Job) -> Report:
    """Poll until the job is over."""
    return poll_until(provider, job, lambda report: report.status.is_terminal)
