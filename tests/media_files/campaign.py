"""Reads each file as a job would, and compares it with FFmpeg's own rendering."""

from __future__ import annotations

import os
import time
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.filter import Graph
from tests.media.colours import middles
from tests.media_files.generator import MATRICES, MadeFile, make_file

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media import LocalMediaReader
from tiomagic_media.decode.frames import load_image, load_video

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LEVEL_DIFFERENCE = 3
"""Levels of 255 by which a colour may differ from FFmpeg's."""
SCALE = "scale=flags=bicubic+accurate_rnd+full_chroma_int"
TO_BT709 = ":out_primaries=bt709:out_transfer=bt709"


class MediaCampaign:
    """Makes files, reads them, and counts what became of them.

    Args:
        folder: Where the files are made.
        seed: Decides everything.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = Random(seed)
        self._reader = LocalMediaReader(folder / "inputs")
        self._counts: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._formats: Counter[str] = Counter()
        self._slowest = self._furthest = 0.0
        self.problems: list[str] = []
        """Files that were read in another way than FFmpeg shows them, or refused for nothing."""

    def run(self, index: int) -> None:
        """Make and read one file."""
        made = make_file(self._folder, index, self._chance)
        began = time.monotonic()
        self._formats[made.path.suffix[1:]] += 1
        try:
            self._read(made)
        except ValidationError as error:
            self._counts["refused"] += 1
            self._codes[str(error.code)] += 1
            if not made.is_damaged and ffmpeg_opens(made.path):
                self._complain(made, f"refused: {error.message}")
        except AssertionError as error:
            self._complain(made, str(error))
        except Exception as error:
            self._complain(made, f"raw {type(error).__name__}: {error}")
        self._slowest = max(self._slowest, time.monotonic() - began)
        if not self.problems:
            made.path.unlink()

    def end(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "files": sum(self._formats.values()),
            **dict(sorted(self._counts.items())),
            "wrong": len(self.problems),
            "reasons": dict(self._codes.most_common()),
            "formats": dict(sorted(self._formats.items())),
            "largest difference in levels": round(self._furthest, 2),
            "slowest file in seconds": round(self._slowest, 2),
        }

    def _complain(self, made: MadeFile, text: str) -> None:
        self.problems.append(f"{made.path.name} ({', '.join(made.words)}): {text}")

    def _read(self, made: MadeFile) -> None:
        state = "damaged" if made.is_damaged else "whole"
        if made.kind == "picture":
            media = self._reader.read(made.path, MediaKind.IMAGE)
            seen = np.asarray(load_image(media))
            assert seen.shape[:2] == (media.height, media.width), "another size than was said"
            self._counts[f"{state}, read"] += 1
            if not made.is_damaged and made.expected_pixels is not None:
                self._compare(seen, made.expected_pixels, made.tolerance)
            return
        media = self._reader.read(made.path, MediaKind.VIDEO)
        frames = load_video(media)
        assert len(frames) == media.frames, "another number of frames than was said"
        assert media.fps
        assert media.fps > 0
        self._counts[f"{state}, read"] += 1
        if made.is_damaged:
            self._look_at_damaged(made, frames)
            return
        shown = made.expected_pixels if made.expected_pixels is not None else ffmpeg_frames(made)
        assert len(shown) == len(made.starts), f"FFmpeg shows {len(shown)} frames"
        for index, start in enumerate(made.starts):
            # A grid of another step may begin a frame half a step sooner or later.
            middle = int((start + made.stays[index] / 2) * media.fps)
            near = frames[max(0, middle - 1) : middle + 2]
            limit = made.tolerance if made.expected_pixels is not None else MAX_LEVEL_DIFFERENCE
            self._compare(min(near, key=partial(_difference, shown[index])), shown[index], limit)

    def _look_at_damaged(self, made: MadeFile, frames: NDArray[np.uint8]) -> None:
        """What is read of a damaged file begins as FFmpeg begins it, where it shows anything."""
        if made.kind == "animation":
            return
        try:
            shown = ffmpeg_frames(made)
        except (av.FFmpegError, ValueError, TypeError, AttributeError):
            return
        if shown and shown[0].shape == frames[0].shape:
            self._compare(frames[0], shown[0], MAX_LEVEL_DIFFERENCE)

    def _compare(self, seen: NDArray[np.uint8], shown: NDArray[np.uint8], limit: int) -> None:
        assert seen.shape == shown.shape, f"{seen.shape}, and FFmpeg shows {shown.shape}"
        furthest = _difference(seen, shown)
        assert furthest <= limit, f"a colour differs by {furthest:.1f}"
        self._furthest = max(self._furthest, furthest)


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(middles(one) - middles(other)).max())


def ffmpeg_opens(path: Path) -> bool:
    """Say whether FFmpeg itself finds anything in a file."""
    try:
        with av.open(str(path)) as container:
            return bool(container.streams)
    except (av.FFmpegError, OSError):
        return False


def ffmpeg_frames(made: MadeFile) -> list[NDArray[np.uint8]]:
    """Return the frames of a video as FFmpeg's filters give them."""
    found: list[NDArray[np.uint8]] = []
    with av.open(str(made.path)) as container:
        stream: Any = container.streams.video[0]
        context = av.CodecContext.create(made.decoder, "r") if made.decoder else None
        if context:
            context.extradata = stream.codec_context.extradata
        # What a decoder fills in for what it cannot read depends on its threads.
        decoder = context or stream.codec_context
        decoder.thread_type, decoder.thread_count = "AUTO", min(4, os.cpu_count() or 1)
        graph: Graph | None = None
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                graph = graph or _build_filter_graph(frame, made)
                graph.vpush(frame)
                found += _pull_frames(graph)
        if graph:
            graph.vpush(None)
            found += _pull_frames(graph)
    return found


def _build_filter_graph(frame: Any, made: MadeFile) -> Graph:
    graph = Graph()
    place = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
    # RGB has no matrix; what a file leaves open is what FFmpeg takes it for.
    place += f":time_base={frame.time_base}:range={frame.color_range}"
    place += "" if frame.colorspace == 0 else f":colorspace={frame.colorspace}"
    steps = ["bwdif=mode=send_frame:deint=interlaced"] if frame.interlaced_frame else []
    steps += [SCALE + (TO_BT709 if made.is_hdr else "")]
    steps += [step for step in MATRICES[made.matrix].split(",") if step]
    has_alpha = any(component.is_alpha for component in frame.format.components)
    steps += [f"format={'rgba' if has_alpha else 'rgb24'}", "buffersink"]
    parts = [graph.add("buffer", place)]
    for step in steps:
        name, _, arguments = step.partition("=")
        parts.append(graph.add(name, arguments or None))
    graph.link_nodes(*parts).configure()
    return graph


def _pull_frames(graph: Graph) -> list[NDArray[np.uint8]]:
    found = []
    while True:
        try:
            pixels = graph.vpull().to_ndarray()
        except (av.BlockingIOError, av.EOFError):
            return found
        if pixels.shape[2] == 4:
            alpha = pixels[..., 3:] / 255
            pixels = np.round(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
        found.append(pixels)
