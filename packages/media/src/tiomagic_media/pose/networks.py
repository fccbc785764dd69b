"""The two networks of the pose estimator, run by onnxruntime.

The detector is a YOLOX and the estimator an RTMPose with SimCC outputs. Pre- and postprocessing
follow what they were trained with: the detector takes BGR with 0-255 in a grey frame, the estimator
normalised RGB cut out around one person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_media.pose.models import EXTRA_PURPOSE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_PERSON = 0
"""Class of COCO."""
_SCORE = 0.3
"""Least confidence of a person and of a point; DWPose's own."""
_OVERLAP = 0.45
"""Boxes that overlap more are one person; DWPose's own."""
_STRIDES = (8, 16, 32)
_GREY = 114
"""The padding of YOLOX."""
_MEAN = np.array((123.675, 116.28, 103.53), dtype=np.float32)
_DEVIATION = np.array((58.395, 57.12, 57.375), dtype=np.float32)
"""ImageNet's, RGB, 0-255: what RTMPose was trained with."""
_MARGIN = 1.25
"""The cut around a person, as a multiple of the box."""
POINTS = 133
"""Points of COCO-WholeBody: 17 body, 6 feet, 68 face, 21 left hand, 21 right hand."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The points of one person."""

    points: NDArray[np.float32]
    """(133, 2): x and y in pixels of the frame."""
    scores: NDArray[np.float32]
    """(133,): confidence; under 0.3 a point counts as not seen."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(133,): which points count."""
        return self.scores > _SCORE

    def transformed(self, scale: float, left: float, top: float) -> Pose:
        """Return the pose in the pixels of another frame that shows this one scaled and shifted.

        Args:
            scale: Pixels there for a pixel here.
            left: Where the left edge of this frame lies there.
            top: Where its upper edge lies there.
        """
        points = self.points * scale + np.array((left, top), dtype=np.float32)
        return Pose(points.astype(np.float32), self.scores)


class OnnxNetwork:
    """An ONNX file that is ready to run, on CUDA when onnxruntime has it.

    Args:
        path: The file.
        size: Width and height of its input, used when the file leaves them open.

    Raises:
        MissingDependencyError: when onnxruntime is not installed.
        ConfigurationError: when the file cannot be loaded.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        try:
            import onnxruntime  # Heavy, and an extra.
        except ImportError as error:
            raise missing_extra_error("pose", EXTRA_PURPOSE, module="onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # Errors only: a library does not write to the terminal.
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:
            # onnxruntime's errors have no base class but Exception.
            raise ConfigurationError(
                f"the pose model {path.name} cannot be loaded", details={"file": path.name}
            ) from error
        self._name = path.name
        self._session = session
        given = session.get_inputs()[0]
        self._input = given.name
        tall, wide = given.shape[2:4] if len(given.shape) == 4 else (None, None)
        self.width: int = wide if isinstance(wide, int) else size[0]
        self.height: int = tall if isinstance(tall, int) else size[1]

    def run(self, pixels: Floats) -> list[Any]:
        """Return the outputs for one picture: (H, W, 3) in, first axis 1 in each output."""
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)
        outputs: list[Any] = self._session.run(None, {self._input: planes})
        return outputs

    def unexpected_output_error(self, outputs: list[Any]) -> ConfigurationError:
        """Return the error for outputs that are not those of the right kind of network."""
        shapes = ", ".join(str(output.shape) for output in outputs)
        return ConfigurationError(
            f"the pose model {self._name} is another kind of network: its outputs are {shapes}",
            details={"file": self._name},
        )


class Detector:
    """Finds people."""

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path, (640, 640))

    def __call__(self, frame: NDArray[np.uint8]) -> Floats:
        """Return the boxes of the people in a frame.

        Args:
            frame: (H, W, 3), 0-255, RGB.

        Returns:
            (N, 4): left, top, right, bottom in pixels of the frame, surest first.
        """
        wide, tall = self._network.width, self._network.height
        height, width = frame.shape[:2]
        ratio = min(wide / width, tall / height)
        inner = (max(1, int(width * ratio)), max(1, int(height * ratio)))
        padded = np.full((tall, wide, 3), _GREY, dtype=np.float32)
        small = Image.fromarray(frame).resize(inner, Image.Resampling.BILINEAR)
        padded[: inner[1], : inner[0]] = np.asarray(small)[..., ::-1]
        outputs = self._network.run(padded)
        places = self._grid()
        if not outputs or outputs[0].shape[:2] != (1, len(places)) or outputs[0].shape[2] < 6:
            raise self._network.unexpected_output_error(outputs)
        boxes, scores = _decode(outputs[0][0], places)
        keep = _suppress(boxes, scores)
        limit = np.array((width, height, width, height), dtype=np.float32)
        inside: Floats = np.clip(boxes[keep] / ratio, 0, limit).astype(np.float32)
        return inside

    def _grid(self) -> Floats:
        # One row an output: the cell's column and row, and the cell's size.
        rows = []
        for stride in _STRIDES:
            across, down = self._network.width // stride, self._network.height // stride
            x, y = np.meshgrid(np.arange(across), np.arange(down))
            size = np.full(across * down, stride)
            rows.append(np.stack((x.ravel(), y.ravel(), size), axis=1))
        return np.concatenate(rows).astype(np.float32)


def _decode(raw: Floats, places: Floats) -> tuple[Floats, Floats]:
    scores = raw[:, 4] * raw[:, 5 + _PERSON]
    sure = scores > _SCORE
    raw, places, scores = raw[sure], places[sure], scores[sure]
    middles = (raw[:, :2] + places[:, :2]) * places[:, 2:]
    halves = np.exp(raw[:, 2:4]) * places[:, 2:] / 2
    return np.concatenate((middles - halves, middles + halves), axis=1), scores


def _suppress(boxes: Floats, scores: Floats) -> list[int]:
    keep: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if all(overlap(boxes[index], boxes[other]) <= _OVERLAP for other in keep):
            keep.append(int(index))
    return keep


def overlap(one: Floats, other: Floats) -> float:
    """Return the area that two boxes share over the area that they cover together, 0.0-1.0."""
    shared = np.prod(
        np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    )
    covered = area(one) + area(other) - float(shared)
    return float(shared) / covered if covered > 0 else 0.0


def area(box: Floats) -> float:
    """Return the area of a box in square pixels."""
    return float(np.prod(box[2:] - box[:2]))


class Estimator:
    """Finds the points of one person."""

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path, (288, 384))

    def __call__(self, frame: NDArray[np.uint8], box: Floats) -> Pose:
        """Return the points of the person in a box.

        Args:
            frame: (H, W, 3), 0-255, RGB.
            box: Left, top, right, bottom in pixels.
        """
        wide, tall = self._network.width, self._network.height
        middle = (box[:2] + box[2:]) / 2
        cut = (box[2:] - box[:2]) * _MARGIN
        # The cut takes the shape of the input, so that the person is not stretched.
        scale = float(max(cut[0] / wide, cut[1] / tall, 1e-6))
        corner = middle - np.array((wide, tall)) * scale / 2
        matrix = (scale, 0.0, float(corner[0]), 0.0, scale, float(corner[1]))
        picture = Image.fromarray(frame).transform(
            (wide, tall), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        outputs = self._network.run((np.asarray(picture, dtype=np.float32) - _MEAN) / _DEVIATION)
        if len(outputs) != 2 or any(o.ndim != 3 or o.shape[:2] != (1, POINTS) for o in outputs):
            raise self._network.unexpected_output_error(outputs)
        across, down = outputs[0][0], outputs[1][0]
        # SimCC splits each pixel of the input into bins; a point lies where its curve is highest.
        x = across.argmax(axis=1) * (wide / across.shape[1])
        y = down.argmax(axis=1) * (tall / down.shape[1])
        points = np.stack((x, y), axis=1) * scale + corner
        scores = np.minimum(across.max(axis=1), down.max(axis=1))
        return Pose(points.astype(np.float32), scores.astype(np.float32))
