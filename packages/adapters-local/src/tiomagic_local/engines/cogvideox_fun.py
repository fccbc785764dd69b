"""CogVideoX-Fun's control model: skeletons move what the words describe.

The repository names the pipeline for words. The one for skeletons is set up beside it on the same
components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from diffusers import DDIMScheduler

from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature, Inputs, MotionInputs, PoseGuidanceInputs
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._cogvideox import CogVideoXEngine
from tiomagic_local.engines._shared.pipeline import Conditions
from tiomagic_local.engines._shared.skeletons import pose_warnings, read_skeletons
from tiomagic_local.preview.estimate import keep_estimate

PICTURE_NOT_READ = (
    "this model reads no picture: only the shape of yours is used, and how the character looks "
    "comes from the prompt"
)


class CogVideoXFunControl(CogVideoXEngine):
    """Runs ``CogVideoXFunControlPipeline`` on the weights of a ``CogVideoXPipeline``."""

    pipeline = "CogVideoXPipeline"
    picture_pipeline: ClassVar[str | None] = "CogVideoXFunControlPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.POSE_GUIDANCE,)
    # The skeletons' number is the video's length.
    consumed_settings: ClassVar[frozenset[str]] = CogVideoXEngine.consumed_settings | {"num_frames"}

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        assert isinstance(inputs, MotionInputs), "it has no other feature"
        progress(Progress(phase=Phase.PREPARING))
        skeletons, facts = read_skeletons(inputs, settings, ColourOrder.RGB, progress, cancel)
        return Conditions({"control_video": skeletons}, facts)

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        ignored = (PICTURE_NOT_READ,) if isinstance(inputs, PoseGuidanceInputs) else ()
        return (*ignored, *pose_warnings(inputs, settings, ColourOrder.RGB))

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        del settings
        # The authors' sampler; the repository names the one of CogVideoX.
        shipped = self._pipeline.scheduler.config
        known = DDIMScheduler().config.keys()
        kind = keep_estimate(DDIMScheduler)
        return kind.from_config({key: shipped[key] for key in known if key in shipped})


ENGINE = CogVideoXFunControl
