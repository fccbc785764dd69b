"""Streams the frames of a call from the VAE's decoder, while it decodes.

Wan's VAE decodes one latent frame after the other, and only then puts the video together. What it
and the pipeline do with it afterwards they do value by value, so it is done here with each piece::

    decoder ─► unpatchify, clamp ─► 0.0-1.0 ─► uint8 ─► its place in the clip ─► who listens
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

from tiomagic_domain.errors import GenerationError
from tiomagic_local.engines._shared.frame_sink import FrameSink, current_frame_sink
from tiomagic_local.engines._shared.pixels import check_finite, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray


def decodes_in_order(vae: Any) -> bool:
    """Say whether a VAE decodes whole frames in order, not tiles."""
    return isinstance(vae, AutoencoderKLWan) and not vae.use_tiling


def leaves_the_cpu_free(device: torch.device) -> bool:
    """Say whether the CPU can encode while a device decodes.

    A CPU that decodes has no free cores, and would need the memory of both at once.
    """
    return device.type != "cpu"


class FrameStream:
    """A hook on a decoder for the time of one call.

    The pipeline itself gets one pixel of each frame. Otherwise it would hold the video three times
    in floats for an output that is not used.

    Args:
        pipeline: With a VAE that decodes in order, whose frames are the clip's.
        shape: Of the clip: (T, H, W, 3).
        fps: Frames a second.
    """

    def __init__(self, pipeline: Any, shape: tuple[int, int, int, int], fps: float) -> None:
        self._pipeline, self._fps = pipeline, fps
        # Takes no memory before something is written to it.
        self._frames: NDArray[np.uint8] = np.empty(shape, dtype=np.uint8)
        self._pieces: list[_Piece] = []
        self._count = 0
        self._sink: FrameSink | None = None
        self._hook: Any = None

    def __enter__(self) -> Self:
        self._hook = self._pipeline.vae.decoder.register_forward_hook(self._take)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._hook.remove()
        # They are on the device, which a retry needs empty.
        self._pieces.clear()
        if error is not None and self._sink is not None:
            self._sink.drop()

    def put_into(self, output: Any) -> Any:
        """Return the pipeline's output with the pixels instead of its own.

        Waits until they are there. Where nothing was decoded, the output is returned as it is.

        Raises:
            GenerationError: when a value is not a number.
        """
        if not self._count:
            return output
        for piece in self._pieces:
            piece.fetch()
        whole = self._count == len(self._frames)
        output.frames = [self._frames if whole else self._frames[: self._count]]
        return output

    def _take(self, _decoder: Any, _given: Any, decoded: torch.Tensor) -> torch.Tensor:
        """Take what was decoded of one latent frame: (B, C, T, H, W), about -1.0 to 1.0."""
        patch = self._pipeline.vae.config.patch_size
        video = decoded if patch is None else unpatchify(decoded, patch_size=patch)
        shown = self._pipeline.video_processor.postprocess_video(
            video[:1].clamp(-1.0, 1.0), output_type="pt"
        )
        if not self._count and leaves_the_cpu_free(decoded.device):
            self._begin()
        piece = _Piece(shown[0], self._place(shown[0]), first=self._count)
        self._count += len(shown[0])
        if decoded.device.type == "cuda":
            # No wait here: the GPU's queue must not run empty.
            self._pieces.append(piece)
        else:
            piece.fetch()
        if self._sink is not None:
            self._sink.take(len(shown[0]), piece.fetch)
        return decoded[..., :1, :1]

    def _begin(self) -> None:
        self._sink = current_frame_sink()
        if self._sink is not None:
            self._sink.begin(self._frames, self._fps)

    def _place(self, shown: torch.Tensor) -> NDArray[np.uint8]:
        count, _, height, width = shown.shape
        place = self._frames[self._count : self._count + count]
        if place.shape != (count, height, width, 3):
            given = (self._count + count, height, width, 3)
            wanted = self._frames.shape
            raise GenerationError(f"the model gave frames of {given} instead of {wanted}")
        return place


class _Piece:
    """Frames on their way from the device to their place in the clip.

    Args:
        shown: (T, 3, H, W), 0.0-1.0.
        place: (T, H, W, 3).
        first: Index in the clip of the first of them.
    """

    def __init__(self, shown: torch.Tensor, place: NDArray[np.uint8], *, first: int) -> None:
        self._pixels: torch.Tensor | None
        self._pixels, self._finite = rounded(shown)
        self._place, self._first = place, first
        self._lock = threading.Lock()

    def fetch(self) -> None:
        """Wait until they are in their place. Thread-safe; the first call does it."""
        with self._lock:
            if self._pixels is None:
                return
            check_finite(self._finite, first=self._first)
            torch.from_numpy(self._place).copy_(self._pixels)
            self._pixels = None
