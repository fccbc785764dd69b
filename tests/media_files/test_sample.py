"""A small sample of the campaign; ``python -m tests.media_files`` runs all of it."""

from __future__ import annotations

from pathlib import Path

from tests.media_files.campaign import MediaCampaign


def test_each_file_reads_as_ffmpeg_shows_it_or_is_refused(tmp_path: Path) -> None:
    """Whole files are read, colours are FFmpeg's, and no decoder's own exception passes."""
    campaign = MediaCampaign(tmp_path, seed=4)
    for index in range(40):
        campaign.run(index)
    assert not campaign.problems
    assert campaign.end()["files"] == 40
