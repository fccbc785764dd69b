"""Vendors on loopback, spoken to by their real clients, and what a caller needs to use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.hosted.fal_simulator import FalSimulator

from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeMediaReader, FakeVideoJoiner
from tiomagic_hosted.building import build_provider
from tiomagic_hosted.catalogue.fal import CATALOGUE, H3_MAX
from tiomagic_hosted.provider import HostedProvider
from tiomagic_hosted.services.fal import FalService


@dataclass(frozen=True)
class Folders:
    """The settings that a hosted provider reads."""

    state_dir: Path
    spool_dir: Path

    def __getitem__(self, name: str) -> Any:
        return {"allow_private_media": True}[name]


class ShiftedClock:
    """The real time, moved by a test."""

    shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.05))


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> bytes:
    """A small mp4, as a vendor gives it: without a recipe."""
    import numpy as np

    from tiomagic_media.encode.mp4 import write_mp4

    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    write_mp4(path, np.full((5, 32, 32, 3), 90, np.uint8), fps=24, recipe={})
    return path.read_bytes()


@pytest.fixture
def fal(video, monkeypatch) -> Iterator[FalSimulator]:
    """A fal of the test's own."""
    with FalSimulator(video) as simulator:
        simulator.use(monkeypatch)
        yield simulator


@pytest.fixture
def clock() -> ShiftedClock:
    """The time."""
    return ShiftedClock()


@pytest.fixture
def new_provider(fal, tmp_path, clock) -> Callable[..., HostedProvider]:
    """Build a provider, as a process of its own would."""

    def build(key: str | None = fal.key) -> HostedProvider:
        return build_provider(
            FalService(key),
            CATALOGUE,
            Folders(tmp_path / "state", tmp_path / "spool"),
            check_key=lambda: None,
            now=clock.now,
        )

    return build


@pytest.fixture
def provider(new_provider) -> HostedProvider:
    """A provider of the vendor."""
    return new_provider()


@pytest.fixture
def request_for(tmp_path, clock) -> Callable[..., Request]:
    """Prepare a request from arguments."""
    media = FakeMediaReader(tmp_path / "inputs", size=(64, 64))
    preparation = Preparation(media, clock, joiner=FakeVideoJoiner())

    def prepare(feature: Feature, card: Any, **arguments: object) -> Request:
        return preparation.prepare(feature, card, "fal", arguments)

    return prepare


@pytest.fixture
def new_request(request_for) -> Callable[[], Request]:
    """Prepare a request that takes a moment."""
    return lambda: request_for(Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a fox")


@pytest.fixture
def long_request(request_for) -> Callable[[], Request]:
    """Prepare a request whose run does not end by itself."""
    return lambda: request_for(Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a long run")


@pytest.fixture
def cut_off(fal) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the vendor is out of reach."""

    @contextmanager
    def away() -> Iterator[None]:
        fal.is_away = True
        try:
            yield
        finally:
            fal.is_away = False

    return away
