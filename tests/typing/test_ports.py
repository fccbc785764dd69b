"""Only type-checked: every adapter and every fake is assignable to the port that it fills.

mypy reads the functions below; nothing runs them.
"""

from pathlib import Path
from typing import Any

from tiomagic.wiring.clock import SystemClock
from tiomagic.wiring.registry import ProviderRegistry
from tiomagic_domain import ports
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.media import Frames
from tiomagic_domain.progress import CancelToken, NeverCanceled, ProgressSink, ignore_progress
from tiomagic_domain.schema.schema import (
    AllOrNone,
    ExactlyOne,
    MaxPixels,
    OffTogether,
    Rule,
    ShorterSide,
    WithinVideo,
)
from tiomagic_domain.testing import (
    CancelAt,
    FakeClock,
    FakeEngine,
    FakeMediaReader,
    FakeOutputStore,
    FakeProvider,
    MemoryJobRepository,
    MemoryLeases,
    RecordingObserver,
    noise,
)
from tiomagic_domain.usecases.generation import Generation
from tiomagic_local.engines.wan_i2v import WanImageToVideo
from tiomagic_local.engines.wan_t2v import WanTextToVideo
from tiomagic_local.engines.wan_vace import WanVace
from tiomagic_local.provider import LocalOptions, LocalProvider
from tiomagic_media import LocalMediaReader
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.provider import ModalProvider
from tiomagic_storage import FolderOutputStore, open_repository


def fakes(folder: Path) -> None:
    """The fakes fill their ports."""
    _clock: ports.Clock = FakeClock()
    _media: ports.MediaReader = FakeMediaReader(folder)
    _outputs: ports.OutputStore = FakeOutputStore(folder)
    _provider: ports.Provider = FakeProvider(folder)
    _repository: ports.JobRepository = MemoryJobRepository()
    _leases: ports.Leases = MemoryLeases()
    _observer: ports.Observer = RecordingObserver()
    _text: ports.TextToVideo = FakeEngine()
    _image: ports.ImageToVideo = FakeEngine()
    _between: ports.Interpolate = FakeEngine()
    _pose: ports.PoseGuidance = FakeEngine()
    _frames: Frames = noise((1, 16, 16, 3), seed=7)
    _token: CancelToken = CancelAt(1)


def adapters(folder: Path, local: LocalOptions, modal: ModalOptions) -> None:
    """Our adapters fill their ports."""
    _clock: ports.Clock = SystemClock()
    _media: ports.MediaReader = LocalMediaReader(folder)
    _outputs: ports.OutputStore = FolderOutputStore(folder)
    repository = open_repository("sqlite:///jobs.db")
    _repository: ports.JobRepository = repository
    _leases: ports.Leases = repository.leases
    _local: ports.Provider = LocalProvider(local, folder)
    _modal: ports.Provider = ModalProvider(modal, folder)


def engines(pipeline: Any, card: ModelCard) -> None:
    """The engines fill the ports of the features that their cards promise."""
    _text: ports.TextToVideo = WanTextToVideo(pipeline, card)
    _image: ports.ImageToVideo = WanImageToVideo(pipeline, card)
    _between: ports.Interpolate = WanImageToVideo(pipeline, card)
    vace = WanVace(pipeline, card)
    _all: tuple[ports.TextToVideo, ports.ImageToVideo, ports.Interpolate, ports.PoseGuidance] = (
        vace,
        vace,
        vace,
        vace,
    )


def small_parts() -> None:
    """The defaults and rules fill their protocols."""
    _token: CancelToken = NeverCanceled()
    _sink: ProgressSink = ignore_progress
    _rules: tuple[Rule, ...] = (
        ExactlyOne(("a", "b")),
        AllOrNone(("a", "b")),
        MaxPixels(1),
        ShorterSide(1),
        OffTogether("a", "b"),
        WithinVideo("at"),
    )


def use_cases(backends: ProviderRegistry, folder: Path) -> Generation:
    """The use cases take the facade's lazy mapping of providers."""
    return Generation(
        providers=backends,
        repository=MemoryJobRepository(),
        outputs=FakeOutputStore(folder),
        media=FakeMediaReader(folder),
        clock=FakeClock(),
    )
