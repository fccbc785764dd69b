"""Lengths that vendors name in whole seconds, as frames.

A call of tiomagic has its length in frames, or in ``seconds`` that become frames. A vendor takes
only some lengths, so these are the only legal numbers of frames.
"""

from __future__ import annotations

from collections.abc import Callable

from tiomagic_domain.schema.parameter import Kind, Parameter


def build_length(
    *, fps: int, default: int, low: int, high: int, step: int = 1, source: str
) -> Parameter:
    """Return the parameter ``num_frames`` of a model that takes whole seconds.

    Args:
        fps: Frames a second of its videos.
        default: Its usual length, in seconds.
        low: The shortest, in seconds.
        high: The longest, in seconds.
        step: Seconds between two legal lengths.
        source: Where the limits come from.
    """
    return Parameter(
        name="num_frames",
        kind=Kind.INTEGER,
        required=False,
        default=default * fps,
        minimum=low * fps,
        maximum=high * fps,
        multiple_of=step * fps,
        offset=(low % step) * fps,
        unit="frames",
        source=source,
        description=f"The length: {low} to {high} whole seconds at {fps} frames a second.",
    )


def say_seconds(fps: int) -> Callable[[int], int]:
    """Return what turns a number of frames into whole seconds."""

    def say(frames: int) -> int:
        return frames // fps

    return say
