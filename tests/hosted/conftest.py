"""Vendors on loopback, spoken to by their real clients, and what a caller needs to use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.hosted.vendors import FAL, Vendor

from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeMediaReader, FakeVideoJoiner
from tiomagic_hosted.building import build_provider
from tiomagic_hosted.provider import HostedProvider

if TYPE_CHECKING:
    from tests.hosted.simulator import Simulator


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
def vendor() -> Vendor:
    """The vendor of a test; a test of several has a parameter of this name."""
    return FAL


@pytest.fixture
def site(vendor, video, monkeypatch) -> Iterator[Simulator]:
    """The vendor on loopback, of the test's own."""
    with vendor.simulator(video) as simulator:
        simulator.stops_running = vendor.stops_runs
        simulator.use(monkeypatch)
        yield simulator


@pytest.fixture
def fal(site) -> Simulator:
    """The vendor of a test of fal."""
    return site


@pytest.fixture
def clock() -> ShiftedClock:
    """The time."""
    return ShiftedClock()


@pytest.fixture
def new_provider(vendor, site, tmp_path, clock) -> Callable[..., HostedProvider]:
    """Build a provider, as a process of its own would."""

    def build(key: str | None = site.key) -> HostedProvider:
        return build_provider(
            vendor.build_service(key, clock.now),
            vendor.catalogue,
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
def request_for(vendor, tmp_path, clock) -> Callable[..., Request]:
    """Prepare a request from arguments."""
    media = FakeMediaReader(tmp_path / "inputs", size=(64, 64))
    for name in ("first.png", "last.png"):
        media.add(f"https://example.com/{name}")
    preparation = Preparation(media, clock, joiner=FakeVideoJoiner())

    def prepare(feature: Feature, card: Any, **arguments: object) -> Request:
        return preparation.prepare(feature, card, vendor.name, arguments)

    return prepare


@pytest.fixture
def new_request(vendor, request_for) -> Callable[[], Request]:
    """Prepare a request that takes a moment."""
    return lambda: request_for(
        Feature.TEXT_TO_VIDEO, vendor.card, prompt="a fox", **vendor.arguments
    )


@pytest.fixture
def long_request(vendor, request_for) -> Callable[[], Request]:
    """Prepare a request whose run does not end by itself."""
    return lambda: request_for(
        Feature.TEXT_TO_VIDEO, vendor.card, prompt="a long run", **vendor.arguments
    )


@pytest.fixture
def cut_off(site) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the vendor is out of reach."""

    @contextmanager
    def away() -> Iterator[None]:
        site.is_away = True
        try:
            yield
        finally:
            site.is_away = False

    return away
