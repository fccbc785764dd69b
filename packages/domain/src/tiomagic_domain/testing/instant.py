"""A provider whose jobs are over at once, with a video that plays."""

from __future__ import annotations

from pathlib import Path

from tiomagic_domain.media import VideoFile
from tiomagic_domain.testing.provider import FakeProvider, FakeRun
from tiomagic_domain.testing.tiny_mp4 import MP4


class InstantProvider(FakeProvider):
    """A blocking fake that gives a real mp4; its recipe is put into it as into any other.

    Args:
        spool: Folder for the finished videos.
        name: The provider's name.
        default_model: The model that runs when none is named.
    """

    def __init__(self, spool: Path, *, name: str = "fake", default_model: str = "doodle") -> None:
        super().__init__(spool, name=name, blocking=True, default_model=default_model)

    def _fetch(self, run: FakeRun) -> VideoFile:
        video = super()._fetch(run)
        video.path.write_bytes(MP4)
        return VideoFile(path=video.path)
