"""Small ONNX graphs that stand in for the detector and the pose estimator.

They compute from the pixels, so that a test sees whether the right part of the right frame, in the
right colours and the right place, reached them: the detector finds what is green, one box a cell,
and the estimator finds its points at the reddest row and column of what was cut out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
"""Width and height of the detector's input: 8x8 + 4x4 + 2x2 = 84 cells."""
CELLS = 84
POSE_WIDTH, POSE_HEIGHT = 48, 64
POINTS = 133


def _const(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def _save(path: Path, nodes, inputs, outputs, constants) -> Path:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def detector(path: Path, *, box_cells: float = 4.0) -> Path:
    """Write a detector: a cell of 32 pixels that is green holds a person of some cells' size.

    The input is BGR, 0-255. Green is G minus R, whatever B, averaged over each of the 2x2 largest
    cells; the 80 cells of the smaller strides find nothing. A box fills its cell.
    """
    weights = np.zeros((1, 3, 1, 1), dtype=np.float32)
    weights[0, :, 0, 0] = (0, 1, -1)
    # Columns of a row: x, y, log width, log height, objectness, then 80 classes.
    fixed = np.zeros((1, CELLS, 84), dtype=np.float32)
    fixed[0, :, 0:2] = 0.5
    fixed[0, :, 2:4] = np.log(box_cells / 4)
    fixed[0, :, 4] = 1.0
    none = np.zeros((1, 80, 1), dtype=np.float32)
    nodes = [
        helper.make_node("Conv", ["frame", "weights"], ["green"]),
        helper.make_node(
            "AveragePool", ["green"], ["cells"], kernel_shape=[32, 32], strides=[32, 32]
        ),
        helper.make_node("Reshape", ["cells", "column"], ["found"]),
        helper.make_node("Div", ["found", "full"], ["scores"]),
        helper.make_node("Concat", ["none", "scores"], ["person"], axis=1),
        # Objectness is column 4, the person's class column 5, the 79 other classes follow.
        helper.make_node("Split", ["fixed", "parts"], ["head", "rest"], axis=2),
        helper.make_node("Concat", ["head", "person", "rest"], ["output"], axis=2),
    ]
    constants = [
        _const("weights", weights),
        _const("column", np.array([1, 4, 1], dtype=np.int64)),
        _const("full", np.array(255.0, dtype=np.float32)),
        _const("none", none),
        _const("fixed", fixed),
        _const("parts", np.array([5, 79], dtype=np.int64)),
    ]
    given = helper.make_tensor_value_info("frame", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    result = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CELLS, 85])
    return _save(path, nodes, [given], [result], constants)


def estimator(path: Path, *, points: int = POINTS) -> Path:
    """Write an estimator: every point lies at the reddest column and the reddest row.

    The curves have two bins a pixel, as SimCC's have. Their height is the first channel after
    normalisation: 2.2 for full red, -2.1 for none.
    """
    nodes = [
        helper.make_node("Gather", ["person", "red"], ["light"], axis=1),
        helper.make_node("ReduceMax", ["light"], ["columns"], axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["light"], ["rows"], axes=[2], keepdims=0),
        helper.make_node("Unsqueeze", ["rows", "one"], ["rows3"]),
        helper.make_node("Resize", ["columns", "", "twice"], ["x1"], mode="nearest"),
        helper.make_node("Resize", ["rows3", "", "twice"], ["y1"], mode="nearest"),
        helper.make_node("Expand", ["x1", "x_shape"], ["simcc_x"]),
        helper.make_node("Expand", ["y1", "y_shape"], ["simcc_y"]),
    ]
    constants = [
        _const("red", np.array(0, dtype=np.int64)),
        _const("one", np.array([1], dtype=np.int64)),
        _const("twice", np.array([1, 1, 2], dtype=np.float32)),
        _const("x_shape", np.array([1, points, 2 * POSE_WIDTH], dtype=np.int64)),
        _const("y_shape", np.array([1, points, 2 * POSE_HEIGHT], dtype=np.int64)),
    ]
    size = [1, 3, POSE_HEIGHT, POSE_WIDTH]
    given = helper.make_tensor_value_info("person", TensorProto.FLOAT, size)
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, points, bins])
        for name, bins in (("simcc_x", 2 * POSE_WIDTH), ("simcc_y", 2 * POSE_HEIGHT))
    ]
    return _save(path, nodes, [given], results, constants)
