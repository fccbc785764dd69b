"""What everything does that joins videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.media import Media
from tiomagic_domain.ports.video_joiner import VideoJoiner


class VideoJoinerContract:
    """What every joiner does.

    Subclass it with the fixtures ``joiner`` and ``clip``, a video that it can read.
    """

    @pytest.mark.parametrize("count", [1, 5, 1000])
    def test_the_ending_has_as_many_frames_as_asked(
        self, joiner: VideoJoiner, clip: Media, count: int
    ) -> None:
        """A video that is too short repeats its first frame."""
        assert len(joiner.read_ending(clip, count=count, fps=clip.fps or 16)) == count

    def test_a_whole_file_is_written(
        self, joiner: VideoJoiner, clip: Media, tmp_path: Path
    ) -> None:
        """The sources are left alone."""
        before = clip.read_bytes()
        joined = joiner.join(clip.path, clip.path, tmp_path / "joined.mp4", skip=1)
        looped = joiner.close_loop(clip.path, tmp_path / "looped.mp4")
        assert joined.frames > looped.frames - 1 > 0
        assert joined.seam.frame > 0
        assert (tmp_path / "joined.mp4").stat().st_size
        assert (tmp_path / "looped.mp4").stat().st_size
        assert clip.read_bytes() == before

    def test_a_video_that_is_gone_is_an_error(
        self, joiner: VideoJoiner, clip: Media, tmp_path: Path
    ) -> None:
        """It is named, and nothing is left where the result would be."""
        gone, target = tmp_path / "gone.mp4", tmp_path / "joined.mp4"
        with pytest.raises(ProcessingError, match=r"gone\.mp4"):
            joiner.join(gone, clip.path, target, skip=1)
        assert not target.exists()
