"""Test kit for adapters: working fakes, and contract tests for each port.

Nothing in the product imports this package, and it needs pytest.

==============================  ===========================  =======================================
port                            fake                         contract
==============================  ===========================  =======================================
``Clock``                       ``FakeClock``                ``ClockContract``
``DeviceLocks``                 ``FakeDeviceLocks``          ``DeviceLocksContract``
``JobRepository``               ``MemoryJobRepository``      ``JobRepositoryContract``
``KeepsCosts``                  ``MemoryJobRepository``      ``CostKeepingContract``
``Launcher``                    ``FakeLauncher``
``Leases``                      ``MemoryLeases``             ``LeasesContract``
``MaskReader``                  ``FakeMaskReader``           ``MaskReaderContract``
``MediaReader``                 ``FakeMediaReader``          ``MediaReaderContract``
``OutputStore``                 ``FakeOutputStore``          ``OutputStoreContract``
``Pictures``                    ``FakePictures``             ``PicturesContract``
``Processes``                   ``FakeProcesses``
``Provider``                    ``FakeProvider``             ``BlockingProviderContract``,
                                                             ``QueueingProviderContract`` or
                                                             ``RemoteProviderContract``
``VideoJoiner``                 ``FakeVideoJoiner``          ``VideoJoinerContract``
the four feature ports          ``FakeEngine``               ``TextToVideoContract`` and so on
==============================  ===========================  =======================================

``InstantProvider`` is a fake whose video plays, and :mod:`tiomagic_domain.testing.pytest` has
fixtures for the tests of programs that use tiomagic.

A contract is a class of tests with abstract fixtures. Subclass it in a test module and give it the
fixtures that it names::

    class TestMyClock(ClockContract):
        @pytest.fixture
        def clock(self) -> MyClock:
            return MyClock()

Its modules::

    ``clock``         A fake clock: its time changes only by calls.
    ``contracts``     What every adapter of a port keeps, as classes of tests with abstract
                      fixtures.
    ``device_locks``  Locks of devices in memory: those of a process that is not alive are free.
    ``engine``        An engine for tests: it serves all four features and draws noise instead of
                      a video.
    ``instant``       A provider whose jobs are over at once, with a video that plays.
    ``joining``       A fake joiner of videos: it puts their bytes one after the other.
    ``leases``        Leases in memory.
    ``media``         Fake readers of media and of masks: return registered facts, decode nothing.
    ``outputs``       An output store for tests, and the contract that every output store keeps.
    ``pictures``      The port ``Pictures`` for tests: it writes small files and remembers the
                      last grid.
    ``provider``      A fake provider: runs jobs in memory, with scripted progress and faults.
    ``pytest``        Fixtures for the tests of programs that use tiomagic: jobs that are over at
                      once, with a video.
    ``repository``    A job repository in memory.
    ``tiny_mp4``      A video that plays: 64 x 64 pixels, 8 frames, one second, a red square that
                      moves right.
    ``working``       Fake processes and a fake launcher: tests decide which processes live.
"""

import pytest

# Contracts fail with the values in question, as tests of one's own do.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("contracts", "outputs")))

from tiomagic_domain.testing.clock import FakeClock  # noqa: E402
from tiomagic_domain.testing.contracts.clock import ClockContract  # noqa: E402
from tiomagic_domain.testing.contracts.cost_keeping import (  # noqa: E402
    CostKeepingContract,
)
from tiomagic_domain.testing.contracts.device_locks import (  # noqa: E402
    DeviceLocksContract,
)
from tiomagic_domain.testing.contracts.features import (  # noqa: E402
    CancelAt,
    ImageToVideoContract,
    InterpolateContract,
    PoseGuidanceContract,
    TextToVideoContract,
)
from tiomagic_domain.testing.contracts.job_repository import (  # noqa: E402
    JobRepositoryContract,
)
from tiomagic_domain.testing.contracts.leases import LeasesContract  # noqa: E402
from tiomagic_domain.testing.contracts.mask_reader import MaskReaderContract  # noqa: E402
from tiomagic_domain.testing.contracts.media_reader import MediaReaderContract  # noqa: E402
from tiomagic_domain.testing.contracts.pictures import PicturesContract  # noqa: E402
from tiomagic_domain.testing.contracts.provider import (  # noqa: E402
    BlockingProviderContract,
    QueueingProviderContract,
    RecordingObserver,
    RemoteProviderContract,
)
from tiomagic_domain.testing.contracts.video_joiner import VideoJoinerContract  # noqa: E402
from tiomagic_domain.testing.device_locks import FakeDeviceLocks  # noqa: E402
from tiomagic_domain.testing.engine import FakeEngine, noise  # noqa: E402
from tiomagic_domain.testing.instant import InstantProvider  # noqa: E402
from tiomagic_domain.testing.joining import FakeVideoJoiner  # noqa: E402
from tiomagic_domain.testing.leases import MemoryLeases  # noqa: E402
from tiomagic_domain.testing.media import FakeMaskReader, FakeMediaReader  # noqa: E402
from tiomagic_domain.testing.outputs import (  # noqa: E402
    FakeOutputStore,
    OutputStoreContract,
    make_video,
)
from tiomagic_domain.testing.pictures import FakePictures  # noqa: E402
from tiomagic_domain.testing.provider import FakeProvider, FakeRun  # noqa: E402
from tiomagic_domain.testing.repository import (  # noqa: E402
    NOON,
    MemoryJobRepository,
    make_job,
)
from tiomagic_domain.testing.working import FakeLauncher, FakeProcesses  # noqa: E402

__all__ = [
    "NOON",
    "BlockingProviderContract",
    "CancelAt",
    "ClockContract",
    "CostKeepingContract",
    "DeviceLocksContract",
    "FakeClock",
    "FakeDeviceLocks",
    "FakeEngine",
    "FakeLauncher",
    "FakeMaskReader",
    "FakeMediaReader",
    "FakeOutputStore",
    "FakePictures",
    "FakeProcesses",
    "FakeProvider",
    "FakeRun",
    "FakeVideoJoiner",
    "ImageToVideoContract",
    "InstantProvider",
    "InterpolateContract",
    "JobRepositoryContract",
    "LeasesContract",
    "MaskReaderContract",
    "MediaReaderContract",
    "MemoryJobRepository",
    "MemoryLeases",
    "OutputStoreContract",
    "PicturesContract",
    "PoseGuidanceContract",
    "QueueingProviderContract",
    "RecordingObserver",
    "RemoteProviderContract",
    "TextToVideoContract",
    "VideoJoinerContract",
    "make_job",
    "make_video",
    "noise",
]
