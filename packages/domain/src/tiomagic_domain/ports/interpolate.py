"""Feature port: interpolation, the frames between given pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiomagic_domain.features import InterpolateInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink


class Interpolate(Protocol):
    """A model engine whose video fills the time between pictures."""

    def interpolate(
        self,
        inputs: InterpolateInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip whose frame 0 is the first picture and frame T-1 the last one.

        Each keyframe is the frame that it names. A model whose schema says so makes up an end that
        has no picture.

        Arguments, result and errors are those of ``TextToVideo.text_to_video``.
        """
        ...
