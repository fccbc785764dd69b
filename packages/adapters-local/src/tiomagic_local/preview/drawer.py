"""Draws previews: from the latents of a running pipeline to a JPEG.

A preview is three latent frames in the colours of the VAE: at the beginning, the middle and the
end. All that is computed of the latents is this map, on their device, and the three small pictures
are all that is copied from there. Nothing is drawn from a random generator and nothing that the
pipeline holds is changed, so that a run makes the same video with previews and without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from tiomagic_domain.progress import Preview
from tiomagic_local.preview.colours import LatentColours
from tiomagic_local.preview.estimate import find_estimate, follow_line
from tiomagic_local.preview.request import PreviewPace, PreviewRequest
from tiomagic_media.pictures.strip import draw_strip

PICTURES: Final = 3
"""Frames of a preview."""


class PreviewDrawer:
    """Draws the previews of one call.

    Args:
        pipeline: That runs.
        unpack: Returns latents as frames: (C, T, h, w).
        find: Returns the colours of the pipeline's latents; called when the first one is wanted.
        command: Finds the colours on this machine; named where there are none.
        request: Who asks for previews.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        unpack: Callable[[torch.Tensor], torch.Tensor],
        find: Callable[[], LatentColours | None],
        command: str,
        request: PreviewRequest,
    ) -> None:
        self._pipeline = pipeline
        self._unpack = unpack
        self._find = find
        self._command = command
        self._request = request
        self._pace = PreviewPace(request)
        self._colours: LatentColours | None = None
        self._refused = False
        self._before: tuple[int, torch.Tensor] | None = None

    def after_step(self, step: int, latents: torch.Tensor) -> Preview | None:
        """Return the preview of a step, or once why there will be none; None when none is due.

        What goes wrong ends the previews, never the run.

        Args:
            step: From 1 on, over all parts of the video.
            latents: Of the pipeline, after the step.
        """
        if self._refused or not self._pace.is_wanted():
            return None
        try:
            return self._draw_if_due(step, latents)
        except Exception as error:  # noqa: BLE001 - of a scheduler or a shape that is not known
            return self._refuse(f"no preview: {type(error).__name__}: {error}")

    @torch.no_grad()
    def _draw_if_due(self, step: int, latents: torch.Tensor) -> Preview | None:
        if self._colours is None:
            self._colours = self._find()
        if self._colours is None:
            return self._refuse(
                "no preview: the colours of this model's latents are not known on this machine; "
                f"this finds them, once: {self._command}"
            )
        scheduler = self._pipeline.scheduler
        predicted = find_estimate(scheduler, latents)
        if not self._pace.is_due(step):
            # The line of the next step begins here. A prediction needs no line.
            if predicted is None:
                self._before = (step, self._project(self._colours, latents))
            return None
        with self._pace.spend(step):
            shown = self._project(self._colours, latents if predicted is None else predicted)
            if predicted is None and self._before is not None and self._before[0] == step - 1:
                line = follow_line(scheduler, self._before[1], shown)
                self._before = (step, shown)
                shown = shown if line is None else line
            pixels = (self._colours.paint(shown) * 255).round().to(torch.uint8)
            return Preview(jpeg=draw_strip(pixels.permute(0, 2, 3, 1).numpy()))

    def _project(self, colours: LatentColours, latents: torch.Tensor) -> torch.Tensor:
        frames = self._unpack(latents)[: colours.channels]
        if frames.ndim != 4 or len(frames) != colours.channels:
            raise ValueError(f"latents of {tuple(latents.shape)} do not have its channels")
        return colours.project(frames[:, shown_frames(frames.shape[1])])

    def _refuse(self, reason: str) -> Preview:
        self._refused = True
        self._request.refuse(reason)
        return Preview(reason=reason)


def shown_frames(count: int) -> list[int]:
    """Return the latent frames of a preview: the beginning, the middle and the end.

    The beginning is the second one where there is one: the first may be a given picture, whose
    noise some pipelines never use.
    """
    first = min(1, count - 1)
    return sorted({first, (first + count - 1) // 2, count - 1})
