"""The port ``MaskMaker``: a video in, the mp4 of its mask out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tiomagic_domain.advice import NextStep
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.media import Media
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.hub import download_all
from tiomagic_local.weights.hub_files import WantedFiles
from tiomagic_media.decode.frames import load_video, within
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.masks.masks import fill_box, grow
from tiomagic_media.pose.estimate import follow_poses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiomagic_domain.ports.mask_maker import MaskMaker

NAME: Final = "sam2.1-hiera-small"
"""Its folder in the folder of weights, as models have one."""
REPOSITORY: Final = "facebook/sam2.1-hiera-small"
"""Apache-2.0, 184 MB. The large one is 900 MB, and differs in details that the growth covers."""
FILES: Final = ("config.json", "model.safetensors")
MAX_SIDE_PX: Final = 1280
"""Longer side of a mask, in pixels; the models that take one make no larger videos."""


class LocalMaskMaker:
    """Makes masks on this machine; see the port.

    Args:
        options: The folder of weights, the hub's token and the device.
    """

    def __init__(self, options: LocalOptions) -> None:
        self._options = options

    def make_mask(
        self,
        video: Media,
        target: Path,
        *,
        outline: bool,
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Path:
        """Write the mask of the person in a video; see the port."""
        # Not larger than it is.
        size = (min(video.width, MAX_SIDE_PX), min(video.height, MAX_SIDE_PX))
        frames = load_video(video, size=size, shape=within)
        masks = self._masks(frames, outline=outline, progress=progress, cancel=cancel)
        shown = (np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255 for mask in masks)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(target, (_even(frame) for frame in shown), fps=video.fps or 1.0, recipe={})
        return target

    def _masks(
        self,
        frames: NDArray[np.uint8],
        *,
        outline: bool,
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Iterator[NDArray[np.bool_]]:
        from tiomagic_local.masks.segmenter import Segmenter
        from tiomagic_local.torch_env.devices import choose_device

        device = choose_device(self._options.device)
        segmenter = Segmenter(self._weights(progress, cancel), device)
        poses = follow_poses(frames, progress=progress, cancel=cancel, models=None)
        try:
            for frame, pose in zip(frames, poses, strict=True):
                if pose is None:
                    yield np.zeros(frame.shape[:2], dtype=np.bool_)
                    continue
                mask = segmenter.segment(frame, pose)
                yield grow(mask) if outline else fill_box(grow(mask))
        except GenerationError as error:
            if error.code != ErrorCode.NOBODY_FOUND:
                raise
            raise GenerationError(
                f"no person was found in the {len(frames)} frames of the video; draw the mask in "
                "another program, white where the video is to be replaced",
                code=ErrorCode.NOBODY_FOUND,
            ) from error

    def _weights(self, progress: ProgressSink, cancel: CancelToken) -> Path:
        folder = self._options.weights_dir
        if folder is not None and (folder / NAME).is_dir():
            return folder / NAME
        step = NextStep.CHANGE_SETTING.say(name="weights_dir")
        (fetched,) = download_all(
            [WantedFiles(repository=REPOSITORY, revision=None, names=FILES)],
            model=NAME,
            token=self._options.hf_token,
            progress=progress,
            cancel=cancel,
            by_hand=f"put its files into {NAME!r} in a folder of weights, and {step}",
        )
        return fetched


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame with even sides, as the codec needs: its edge is repeated."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


if TYPE_CHECKING:
    _: MaskMaker = LocalMaskMaker(LocalOptions())
