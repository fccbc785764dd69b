"""The use cases over fakes, one set a test."""

from dataclasses import dataclass

import hypothesis
import pytest

from tiomagic_domain.testing import (
    FakeClock,
    FakeMediaReader,
    FakeOutputStore,
    FakeProvider,
    MemoryJobRepository,
)
from tiomagic_domain.usecases.generation import Generation

hypothesis.settings.register_profile("domain", deadline=None, max_examples=100)
hypothesis.settings.load_profile("domain")


@dataclass
class UseCaseParts:
    """Everything that a use case touches, in memory."""

    generation: Generation
    remote: FakeProvider
    blocking: FakeProvider
    repository: MemoryJobRepository
    outputs: FakeOutputStore
    media: FakeMediaReader
    clock: FakeClock
    changes: list
    troubles: list

    def stored(self, job_id):
        return self.repository.get(job_id)


@pytest.fixture
def parts(tmp_path):
    """A house with a remote provider and a blocking one."""
    repository, clock = MemoryJobRepository(), FakeClock()
    outputs, media = FakeOutputStore(tmp_path / "videos"), FakeMediaReader(tmp_path / "inputs")
    remote = FakeProvider(tmp_path / "spool", name="modal")
    blocking = FakeProvider(tmp_path / "spool", name="local", blocking=True)
    changes, troubles = [], []
    generation = Generation(
        providers={"modal": remote, "local": blocking},
        repository=repository,
        outputs=outputs,
        media=media,
        clock=clock,
        on_change=changes.append,
        on_trouble=troubles.append,
    )
    return UseCaseParts(
        generation, remote, blocking, repository, outputs, media, clock, changes, troubles
    )
