"""Feature port: pose guidance, a character that moves as a skeleton does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiomagic_domain.features import PoseGuidanceInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink


class PoseGuidance(Protocol):
    """A model engine that moves a character as a skeleton does."""

    def pose_guidance(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip. The skeletons are fitted to T frames of the wanted size beforehand.

        Arguments, result and errors are those of ``TextToVideo.text_to_video``.
        """
        ...
