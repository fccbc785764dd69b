"""Wan Animate: a character that follows a skeleton and a face, in segments of 77 frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from tiomagic_domain.features import PoseGuidanceInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._wan import TEMPORAL_RATIO, WanEngine
from tiomagic_local.engines._watch import Watch
from tiomagic_local.media.frames import contain, cover, load_image, load_video

SEGMENT = 77
"""Frames that are made at a time."""
SHARED = 1
"""Frames of a segment that are the end of the one before."""
BLACK = (0, 0, 0)
LEGIBLE_SIDE = 768
"""Least shorter side, in pixels, of the frames in which poses and faces are looked for."""


class WanAnimate(WanEngine):
    """Runs ``WanAnimatePipeline``."""

    pipeline = "WanAnimatePipeline"
    # The character is read once; in bf16 its encoder saves 1.2 GiB and blurs what it sees.
    fp32 = ("vae", "image_encoder")
    # Segments share frames, and the pipeline needs what it has decoded for the next one.
    in_order = False
    # The skeletons' number is the video's length.
    ours = WanEngine.ours | {"num_frames"}

    def pose_guidance(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``PoseGuidance`` says."""
        progress(Progress(phase=Phase.PREPARING))
        size = (int(settings["width"]), int(settings["height"]))
        skeletons, faces = self._motion(inputs, settings, progress, cancel)
        conditions = {
            # A character that is cut off cannot be copied, so here nothing is cropped.
            "image": contain(load_image(inputs.image), *size, BLACK),
            "pose_video": skeletons,
            "face_video": faces,
            "mode": "animate",
            "segment_frame_length": _segment(settings),
            "prev_segment_conditioning_frames": SHARED,
        }
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)

    def _motion(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> tuple[list[Image.Image], list[Image.Image]]:
        """Return the skeletons in the size of the video, and the faces in that of their reader."""
        count = int(settings["num_frames"])
        size = (int(settings["width"]), int(settings["height"]))
        side = int(self._pipeline.transformer.config.motion_encoder_size)
        if inputs.pose_video is not None:
            frames = load_video(inputs.pose_video, count=count, size=size)
            # Black is what the model takes for no face at all.
            faces = [Image.new("RGB", (side, side))] * count
            return [Image.fromarray(frame) for frame in frames], faces
        assert inputs.guiding_video is not None, "the schema wants exactly one of the two"
        from tiomagic_local.media.faces import crop_faces
        from tiomagic_local.media.pose import follow_poses
        from tiomagic_local.media.skeletons import draw_skeleton

        scale = max(1, math.ceil(LEGIBLE_SIDE / min(size)))
        large = (size[0] * scale, size[1] * scale)
        frames = load_video(inputs.guiding_video, count=count, size=large)
        poses = list(follow_poses(frames, progress=progress, cancel=cancel, models=None))
        skeletons = []
        for pose in poses:
            drawn = Image.new("RGB", large)
            if pose is not None:
                # The hands are to be followed; the face comes as a picture of its own.
                drawn = Image.fromarray(draw_skeleton(pose, *large, hands=True, face=False))
            skeletons.append(cover(drawn, *size))
        return skeletons, crop_faces(frames, poses, side)

    def _watch(
        self, settings: Mapping[str, Any], progress: ProgressSink, cancel: CancelToken
    ) -> Watch:
        segment, frames = _segment(settings), int(settings["num_frames"])
        sections = math.ceil((frames - SHARED) / (segment - SHARED))
        return Watch(
            self._pipeline,
            steps=int(settings["num_inference_steps"]),
            sections=sections,
            chunks=sections * ((segment - 1) // TEMPORAL_RATIO + 1),
            progress=progress,
            cancel=cancel,
        )


def _segment(settings: Mapping[str, Any]) -> int:
    # A video that is shorter than a segment is a segment.
    return min(SEGMENT, int(settings["num_frames"]))


ENGINE = WanAnimate
