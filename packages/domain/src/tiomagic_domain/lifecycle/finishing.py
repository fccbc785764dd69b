"""Finishes a provider's video before it is saved: the part that continues a video is joined to it.

A provider that knows of overlaps and loops leaves out what is shown twice and says so in its facts;
else it is left out here, at the price of one more encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT, LOOP_ARGUMENT
from tiomagic_domain.errors import ResourceNotFoundError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.recipe import with_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.video_joiner import JoinedVideo, VideoJoiner
from tiomagic_domain.requests.continuing import OVERLAP_FRAMES_FACT

SEAM_FACT: Final = "seam"
"""Fact of a job: how the parts meet, as ``Seam.to_dict``."""
LEFT_OUT_FRAMES_FACT: Final = "left_out_frames"
"""Fact of a run: frames that it made and left out, because the video has them already."""
NOTES_FACT: Final = "notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedVideo:
    """What is saved."""

    video: VideoFile
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the record says of it, over what the run says."""


Finish: TypeAlias = Callable[[Job, VideoFile], FinishedVideo]
"""Takes a job and its provider's video."""


def keep_as_it_is(job: Job, video: VideoFile) -> FinishedVideo:
    """Return the video as it is."""
    del job
    return FinishedVideo(video=video)


class VideoFinisher:
    """Joins what continues a video to it, and closes loops.

    Args:
        media: Finds the continued video.
        joiner: Writes the result.
    """

    def __init__(self, media: MediaReader, joiner: VideoJoiner) -> None:
        self._media = media
        self._joiner = joiner

    def finish(self, job: Job, video: VideoFile) -> FinishedVideo:
        """Return the video that a job is to have.

        Args:
            job: As it is stored.
            video: From the provider, with its recipe.

        Returns:
            The video as it is, where nothing is to be joined or closed. Where the continued video
            is gone, the new part alone, with a note.

        Raises:
            ProcessingError: when a file cannot be read or written; the provider's is as it was.
        """
        known = video.recipe.get("facts")
        facts: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
        # The same name each time, so that a save that failed leaves no second file behind.
        target = video.path.with_name(f".{video.path.stem}.joined{video.path.suffix}")
        if job.arguments.get(CONTINUED_VIDEO_ARGUMENT) is not None:
            left_out = 0 if LEFT_OUT_FRAMES_FACT in facts else _overlap(job)
            try:
                before = self._media.find(job.arguments[CONTINUED_VIDEO_ARGUMENT])
            except ResourceNotFoundError as error:
                note = f"{error.message}: this is the new part alone"
                return _with_facts(job, video, {NOTES_FACT: [*_notes(facts), note]})
            joined = self._joiner.join(before.path, video.path, target, skip=left_out)
        elif job.arguments.get(LOOP_ARGUMENT) is True and SEAM_FACT not in facts:
            joined = self._joiner.close_loop(video.path, target)
        else:
            return FinishedVideo(video=video)
        return _with_facts(job, replace(video, path=target), _describe(joined, facts))


def _overlap(job: Job) -> int:
    """Return how many frames of the continued video the new part begins with."""
    found = job.facts.get(OVERLAP_FRAMES_FACT)
    return found if isinstance(found, int) else 1


def _describe(joined: JoinedVideo, facts: Mapping[str, Any]) -> dict[str, Any]:
    notes = [*_notes(facts), *joined.notes]
    return {
        "frames": joined.frames,
        "fps": joined.fps,
        "width": joined.width,
        "height": joined.height,
        SEAM_FACT: joined.seam.to_dict(),
        **({NOTES_FACT: notes} if notes else {}),
    }


def _notes(facts: Mapping[str, Any]) -> list[Any]:
    found = facts.get(NOTES_FACT)
    return found if isinstance(found, list) else []


def _with_facts(job: Job, video: VideoFile, told: Mapping[str, Any]) -> FinishedVideo:
    """Return a video whose recipe has more facts, also inside of the file."""
    known = video.recipe.get("facts")
    facts = {**(known if isinstance(known, Mapping) else {}), **told}
    whole = replace(video, recipe={**video.recipe, "facts": facts})
    return FinishedVideo(video=with_recipe(job, whole, facts), facts=told)
