"""Leaves out the frames of a clip that a viewer has seen already.

A clip that continues a video begins with the end of it, and a loop ends with the frame that it
begins with. They are left out before the file is written, so that no frame is encoded twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import GenerationError
from tiomagic_domain.lifecycle.finishing import LEFT_OUT_FRAMES_FACT, SEAM_FACT

if TYPE_CHECKING:
    from tiomagic_domain.media import Clip
    from tiomagic_domain.ports.provider import Request


def leave_out_doubles(clip: Clip, request: Request) -> Clip:
    """Return the frames that are new, and how the loop closes; any other clip as it is.

    Args:
        clip: As the engine gives it.
        request: Says what it begins and ends with.

    Raises:
        GenerationError: when no new frame is left.
    """
    overlap, doubled = request.overlap_frames, request.doubled_frames
    if not overlap and not request.is_loop:
        return clip
    end = int(clip.frames.shape[0]) - (doubled - overlap)
    if end <= overlap:
        raise GenerationError(f"the model gave no frame after the first {overlap}")
    frames: Any = clip.frames
    frames = frames[overlap:end]
    facts: dict[str, object] = {LEFT_OUT_FRAMES_FACT: doubled}
    if request.is_loop:
        from tiomagic_media.joining.seam import measure_loop

        facts[SEAM_FACT] = measure_loop(frames).to_dict()
    audio: Any = clip.audio
    if audio is not None and clip.audio_rate is not None:
        first, last = (round(place / clip.fps * clip.audio_rate) for place in (overlap, end))
        audio = audio[first:last]
    return replace(clip, frames=frames, audio=audio, facts={**clip.facts, **facts})
