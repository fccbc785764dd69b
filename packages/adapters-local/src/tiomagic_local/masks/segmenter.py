"""SAM 2.1 on one picture: the points of a person in, a mask out.

transformers' own preprocessing needs torchvision, which nothing else here does; it is the same few
lines here: a square of the network's size, in ImageNet's colours.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image

from tiomagic_domain.errors import ConfigurationError
from tiomagic_local.torch_env.quiet import silence_libraries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiomagic_media.pose.networks import Pose

MEAN: Final = (0.485, 0.456, 0.406)
DEVIATION: Final = (0.229, 0.224, 0.225)
"""ImageNet's, RGB, 0-1: what SAM 2 was trained with."""
LEADING_POINTS: Final = (0, 5, 6, 11, 12, 15, 16)
"""Points of COCO-WholeBody that lead it: nose, shoulders, hips, ankles. The neck, between the
shoulders, is the eighth of Wan Animate's authors."""
SHOULDERS: Final = (5, 6)
IS_PERSON: Final = 1
"""The label of a point that is on what is looked for."""


class Segmenter:
    """SAM 2.1, loaded.

    Args:
        folder: With ``config.json`` and ``model.safetensors``.
        device: Where it runs.

    Raises:
        ConfigurationError: when the folder has no such model.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        from transformers import Sam2Model

        try:
            # The published weights are those of the model for videos, which has this one in it.
            with silence_libraries():
                model: Any = Sam2Model.from_pretrained(folder, use_safetensors=True)
        except (OSError, ValueError, RuntimeError) as error:
            message = f"the folder {str(folder)!r} has no SAM 2.1 that can be loaded: {error}"
            raise ConfigurationError(message, details={"folder": str(folder)}) from error
        self._model = model.to(device).eval()
        self._device = device
        side = model.config.prompt_encoder_config.image_size
        self._side = int(side[0] if isinstance(side, list | tuple) else side)

    def segment(self, frame: NDArray[np.uint8], pose: Pose) -> NDArray[np.bool_]:
        """Return where a person is: (H, W).

        Args:
            frame: uint8, (H, W, 3), RGB.
            pose: Of the person, in pixels of the frame.
        """
        height, width = frame.shape[:2]
        points = leading_points(pose)
        if not len(points):
            return np.zeros((height, width), dtype=np.bool_)
        scaled = points * np.array((self._side / width, self._side / height), np.float32)
        given = torch.from_numpy(scaled)[None, None].to(self._device)
        with torch.inference_mode():
            found = self._model(
                pixel_values=self._pixels(frame),
                input_points=given,
                input_labels=torch.full(given.shape[:3], IS_PERSON, device=self._device),
                multimask_output=False,
            )
            logits = torch.nn.functional.interpolate(
                found.pred_masks[0].float(), (height, width), mode="bilinear", align_corners=False
            )
        mask: NDArray[np.bool_] = (logits[0, 0] > 0).cpu().numpy()
        return mask

    def _pixels(self, frame: NDArray[np.uint8]) -> torch.Tensor:
        square = Image.fromarray(frame).resize((self._side, self._side), Image.Resampling.BILINEAR)
        values = np.asarray(square, np.float32) / 255
        values = (values - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        return torch.from_numpy(values.transpose(2, 0, 1))[None].to(self._device)


def leading_points(pose: Pose) -> NDArray[np.float32]:
    """Return the points that lead the segmenter, (N, 2): those of them that are seen."""
    chosen = [pose.points[index] for index in LEADING_POINTS if pose.seen[index]]
    if all(pose.seen[index] for index in SHOULDERS):
        chosen.append(pose.points[list(SHOULDERS)].mean(axis=0))
    return np.array(chosen, np.float32).reshape(-1, 2)
