"""Deinterlaces frames that hold two half pictures of different times (old cameras, television).

FFmpeg's ``bwdif`` makes one whole frame of each. Frames that are not interlaced pass through
untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import av
from av.filter import Graph

# bwdif pushes each frame out with the next one, and keeps its time.
_FILTER = "mode=send_frame:deint=interlaced"

_COLOURS = ("colorspace", "color_range", "color_trc", "color_primaries")
"""Attributes that a filter drops unless they are passed to it."""


def deinterlace(frames: Iterable[Any]) -> Iterator[Any]:
    """Yield the frames of a video, the interlaced ones made whole.

    Args:
        frames: ``VideoFrame`` of PyAV, of one size.

    Raises:
        av.FFmpegError: when the filter refuses a frame.
    """
    graph: Graph | None = None
    colours: dict[str, int] = {}
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = _graph(frame)
        if graph is None:
            yield frame
            continue
        graph.vpush(frame)
        colours = {name: getattr(frame, name) for name in _COLOURS}
        yield from _ready(graph, colours)
    if graph is not None:
        graph.vpush(None)
        yield from _ready(graph, colours)


def _graph(frame: Any) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add("bwdif", _FILTER), graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph, colours: dict[str, int]) -> Iterator[Any]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        for name, value in colours.items():
            setattr(frame, name, value)
        yield frame
