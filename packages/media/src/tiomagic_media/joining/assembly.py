"""Puts videos together: takes the end of one, joins two, closes a loop.

Frames pass one by one: what is continued may be minutes long. Both parts are encoded anew, since a
part cannot be cut within a group of frames; at the rate of the encoder one more pass is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.ports.video_joiner import JoinedVideo
from tiomagic_media.decode.clips import CLIP_ERRORS, declared_rate, playing
from tiomagic_media.decode.frames import cover, real_time_indices
from tiomagic_media.decode.sound import SoundForm, read_sound, sound_form
from tiomagic_media.decode.timing import timeline
from tiomagic_media.encode.mp4 import Mp4
from tiomagic_media.joining.seam import SteppedFrames, measure_loop
from tiomagic_media.joining.sound import join_sounds
from tiomagic_media.pictures.film import read_film

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiomagic_domain.media import Media


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A video and which of its frames are shown."""

    path: Path
    picks: tuple[int, ...]
    """For each frame that is shown, its index in the file; never decreasing."""
    size: tuple[int, int]
    """Width and height."""
    fps: Fraction

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Give each frame that is shown, and how often."""
        times: dict[int, int] = {}
        for index in self.picks:
            times[index] = times.get(index, 0) + 1
        with playing(self.path) as decoded:
            for index, frame in enumerate(decoded):
                if index in times:
                    yield frame.pixels(), times[index]


def read_ending(video: Media, *, count: int, fps: float) -> Sequence[Image.Image]:
    """Return the last frames of a video; see the port ``VideoJoiner``."""
    try:
        part = _read_part(video.path)
        # The model wants frames at its own rate: the places are counted back from the last one, and
        # one that would lie before the beginning is the first.
        last, own = len(part.picks) - 1, float(part.fps)
        places = [last - round(step * own / fps) for step in reversed(range(count))]
        wanted = [part.picks[max(place, 0)] for place in places]
        found = _collect(video.path, frozenset(wanted))
    except CLIP_ERRORS as error:
        message = f"the end of {video.name or 'the video'} cannot be read: {error}"
        raise ProcessingError(message) from error
    return [found[index] for index in wanted]


def join(before: Path, after: Path, target: Path, *, skip: int) -> JoinedVideo:
    """Write one video and then another; see the port ``VideoJoiner``."""
    try:
        return _join(before, after, target, skip)
    except CLIP_ERRORS as error:
        raise ProcessingError(f"the videos cannot be joined: {error}") from error


def close_loop(video: Path, target: Path) -> JoinedVideo:
    """Write a video without its last frame; see the port ``VideoJoiner``."""
    film = read_film(video)
    # The last frame is the first one again: shown twice, the loop would stop for a moment.
    frames = film.frames[:-1]
    form, rate = sound_form(video), float(film.fps)
    sound = None if form is None else read_sound(video, form)
    with closing(Mp4(target, fps=film.fps)) as written:
        for frame in frames:
            written.add(frame)
        written.write({}, audio=sound, audio_rate=None if form is None else form.rate)
    height, width = frames.shape[1:3]
    return JoinedVideo(
        frames=len(frames), fps=rate, width=width, height=height, seam=measure_loop(frames)
    )


def _join(before: Path, after: Path, target: Path, skip: int) -> JoinedVideo:
    old, new = _read_part(before), _read_part(after)
    fps, own_fps = old.fps, new.fps
    new = _without_overlap(new, skip, fps)
    passed, notes = SteppedFrames(), list[str]()
    form = sound_form(before) or sound_form(after)
    with closing(Mp4(target, fps=fps)) as written:
        # The frames pass one by one from the decoder to the encoder: a long video in RGB is
        # gigabytes.
        for part in (old, new):
            is_first = part is new
            for pixels, times in part.frames():
                frame = _cover(pixels, new.size)
                passed.add(frame, after_seam=is_first)
                is_first = False
                for _ in range(times):
                    written.add(frame)
        sound = None
        if form is not None:
            sound = _sound(old, new, form, skipped=skip / float(own_fps))
            notes += _say_silence(before, after)
        written.write({}, audio=sound, audio_rate=None if form is None else form.rate)
    return JoinedVideo(
        frames=len(old.picks) + len(new.picks),
        fps=float(fps),
        width=new.size[0],
        height=new.size[1],
        seam=passed.seam_at(len(old.picks)),
        notes=tuple(notes),
    )


def _collect(path: Path, wanted: frozenset[int]) -> dict[int, Image.Image]:
    """Return some frames of a video by their indices."""
    with playing(path) as frames:
        return {
            index: Image.fromarray(frame.pixels())
            for index, frame in enumerate(frames)
            if index in wanted
        }


def _read_part(path: Path) -> _Part:
    """Return a video at its own constant rate."""
    with playing(path) as frames:
        shown = [(frame.start, frame.seconds, frame.size) for frame in frames]
    if not shown:
        raise ProcessingError(f"{path.name!r} has no frames")
    line = timeline([start for start, _, _ in shown], shown[-1][1], declared_rate(path))
    return _Part(path=path, picks=line.picks, size=shown[0][2], fps=line.fps)


def _without_overlap(new: _Part, skip: int, fps: Fraction) -> _Part:
    """Return the frames of the new part that follow, at the rate of the old one."""
    kept = new.picks[skip:]
    if not kept:
        raise ProcessingError(f"{new.path.name!r} has no frame after the first {skip}")
    # The whole has one rate, that of the old part: the new one keeps its duration, not its number
    # of frames.
    chosen = real_time_indices(len(kept), float(new.fps), float(fps))
    return _Part(path=new.path, picks=tuple(kept[i] for i in chosen), size=new.size, fps=fps)


def _cover(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(cover(Image.fromarray(pixels), *size))


def _say_silence(before: Path, after: Path) -> Iterator[str]:
    if sound_form(after) is None:
        yield "the new part is silent: the model makes no sound"
    elif sound_form(before) is None:
        yield "the sound begins with the new part: the continued video has none"


def _sound(old: _Part, new: _Part, form: SoundForm, *, skipped: float) -> NDArray[np.float32]:
    first, second = read_sound(old.path, form), read_sound(new.path, form)
    # The sound of the frames that the old part shows already is left out with them.
    parts = (first, second[round(skipped * form.rate) :])
    seconds = [len(part.picks) / float(part.fps) for part in (old, new)]
    return join_sounds(parts, seconds, form)
