"""Wan Animate: a character that follows a skeleton and a face, in segments of 77 frames.

The motion is prepared as the authors do it: at the model's rate in real time, whole and padded with
black where its shape is another, and drawn with their own lines (``animate_skeletons``). The points
come from DWPose, and theirs from ViTPose-H behind YOLOv10: both give the 133 points of
COCO-WholeBody, and these weights are the ones that have a pinned copy in a format that is no code.

With a background it replaces the person in a video. Then everything is cut to the video's shape
alike, so that the skeleton lies on the person whom the mask covers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature, Inputs, PoseGuidanceInputs
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._shared.pipeline import Conditions
from tiomagic_local.engines._shared.replacement import load_scene
from tiomagic_local.engines._shared.skeletons import convert_skeletons, load_motion, pose_warnings
from tiomagic_local.engines._wan import TEMPORAL_RATIO, WanEngine
from tiomagic_media.decode.frames import contain, cover, load_image, place_on_black, within

if TYPE_CHECKING:
    from tiomagic_media.pose.networks import Pose

SEGMENT_FRAMES = 77
"""Frames that are made at a time."""
OVERLAP_FRAMES = 1
"""Frames of a segment that are the end of the one before."""
BLACK = (0, 0, 0)
MIN_POSE_SIDE_PX = 768
"""Least shorter side, in pixels, of frames for the pose and face detectors."""


class WanAnimate(WanEngine):
    """Runs ``WanAnimatePipeline``."""

    pipeline = "WanAnimatePipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.POSE_GUIDANCE,)
    # The character is read once; in bf16 its encoder saves 1.2 GiB and blurs what it sees.
    fp32: ClassVar[tuple[str, ...]] = ("vae", "image_encoder")
    # Segments share frames, and the pipeline needs what it has decoded for the next one.
    streams_frames = False
    # The skeletons' number is the video's length.
    consumed_settings: ClassVar[frozenset[str]] = WanEngine.consumed_settings | {"num_frames"}

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        assert isinstance(inputs, PoseGuidanceInputs), "it has no other feature"
        progress(Progress(phase=Phase.PREPARING))
        size = (int(settings["width"]), int(settings["height"]))
        skeletons, faces, facts = self._motion(inputs, settings, progress, cancel)
        arguments = {
            # A character that is cut off cannot be copied, so here nothing is cropped.
            "image": contain(load_image(inputs.image), *size, BLACK),
            "pose_video": skeletons,
            "face_video": faces,
            "mode": "animate",
            "segment_frame_length": _segment(settings),
            "prev_segment_conditioning_frames": OVERLAP_FRAMES,
        }
        scene = load_scene(inputs, settings)
        if scene is not None:
            kept, masks = scene.pictures()
            arguments |= {"mode": "replace", "background_video": kept, "mask_video": masks}
            facts |= scene.facts
        return Conditions(arguments, facts)

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        return pose_warnings(inputs, settings, ColourOrder.RGB)

    def _motion(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> tuple[list[Image.Image], list[Image.Image], dict[str, Any]]:
        """Return the skeletons in the size of the video, the faces in that of their reader, facts.

        No part of a person is cut off: frames of another shape are made to fit, on black. Beside a
        background they are cut as it is.
        """
        kept = inputs.background_video is not None
        count = int(settings["num_frames"])
        size = (int(settings["width"]), int(settings["height"]))
        side = int(self._pipeline.transformer.config.motion_encoder_size)
        if inputs.pose_video is not None:
            frames = load_motion(
                inputs.pose_video, settings, size, cover if kept else place_on_black
            )
            frames, facts = convert_skeletons(frames, inputs.pose_video, settings, ColourOrder.RGB)
            # Black is what the model takes for no face at all.
            faces = [Image.new("RGB", (side, side))] * count
            return [Image.fromarray(frame) for frame in frames], faces, facts
        assert inputs.guiding_video is not None, "the schema wants exactly one of the two"
        from tiomagic_media.pose.estimate import follow_poses
        from tiomagic_media.pose.faces import crop_faces

        scale = max(1, math.ceil(MIN_POSE_SIDE_PX / min(size)))
        large = (size[0] * scale, size[1] * scale)
        frames = load_motion(inputs.guiding_video, settings, large, cover if kept else within)
        poses = list(follow_poses(frames, progress=progress, cancel=cancel, models=None))
        skeletons = [draw_in_frame(pose, frames.shape[2], frames.shape[1], size) for pose in poses]
        return skeletons, crop_faces(frames, poses, side), {}

    def _sections(self, settings: Mapping[str, Any]) -> int:
        frames, segment = int(settings["num_frames"]), _segment(settings)
        return math.ceil((frames - OVERLAP_FRAMES) / (segment - OVERLAP_FRAMES))

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        return self._sections(settings) * ((_segment(settings) - 1) // TEMPORAL_RATIO + 1)


def draw_in_frame(pose: Pose | None, width: int, height: int, size: tuple[int, int]) -> Image.Image:
    """Return the skeleton in a frame of another size, whole and centred; black without a person.

    Args:
        pose: In pixels of the frame that it was found in.
        width: Of that frame.
        height: Of that frame.
        size: Width and height of the result.
    """
    if pose is None:
        return Image.new("RGB", size)
    from tiomagic_media.pose.animate_drawing import draw_animate_skeleton

    scale = min(size[0] / width, size[1] / height)
    left, top = (size[0] - width * scale) / 2, (size[1] - height * scale) / 2
    return Image.fromarray(draw_animate_skeleton(pose.transformed(scale, left, top), *size))


def _segment(settings: Mapping[str, Any]) -> int:
    # A video that is shorter than a segment is a segment.
    return min(SEGMENT_FRAMES, int(settings["num_frames"]))


ENGINE = WanAnimate
