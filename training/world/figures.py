"""Stick figures: joints over time, the figure itself and its OpenPose skeleton.

Joints are (x, y) in units of the figure's height, the hips' middle at the origin,
y down. Names follow OpenPose's body parts; right is the figure's own right.
"""

import numpy as np
from PIL import ImageDraw

from training.world.scenes import Scene

HEIGHT = 0.7
"""Height of a figure as a fraction of the frame's side."""

JOINTS = (
    "nose", "neck", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist",
    "r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle",
)  # fmt: skip
BONES = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12),
    (12, 13), (1, 0),
)  # fmt: skip
BONE_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255),
)  # fmt: skip

_UPPER_ARM, _LOWER_ARM, _UPPER_LEG, _LOWER_LEG = 0.17, 0.17, 0.21, 0.22
NEUTRAL = {"r_arm": (0.5, 0.5), "l_arm": (0.5, 0.5), "r_leg": (0.16, 0.16), "l_leg": (0.16, 0.16)}


def _limb(origin: np.ndarray, angles: tuple, lengths: tuple, side: int) -> list[np.ndarray]:
    """Two joints down a limb; angle 0 hangs down, positive goes outwards."""
    points, at = [], origin
    for angle, length in zip(angles, lengths, strict=True):
        at = at + length * np.array([side * np.sin(angle), np.cos(angle)])
        points.append(at)
    return points


def joints(limbs: dict[str, tuple[float, float]]) -> np.ndarray:
    """Joint positions (14, 2) from the two angles of each limb, in radians."""
    neck, nose = np.array([0.0, -0.3]), np.array([0.0, -0.42])
    body = {"nose": nose, "neck": neck}
    # Seen from the front the figure's right is on the picture's left.
    for name, side in (("r", -1), ("l", 1)):
        shoulder, hip = neck + np.array([side * 0.08, 0.02]), np.array([side * 0.05, 0.0])
        elbow, wrist = _limb(shoulder, limbs[f"{name}_arm"], (_UPPER_ARM, _LOWER_ARM), side)
        knee, ankle = _limb(hip, limbs[f"{name}_leg"], (_UPPER_LEG, _LOWER_LEG), side)
        body |= {
            f"{name}_shoulder": shoulder, f"{name}_elbow": elbow, f"{name}_wrist": wrist,
            f"{name}_hip": hip, f"{name}_knee": knee, f"{name}_ankle": ankle,
        }  # fmt: skip
    return np.stack([body[name] for name in JOINTS])


def _limbs_at(scene: Scene, u: float) -> tuple[dict, np.ndarray]:
    """Limb angles and the shift of the body at time u in 0..1."""
    beat, side = scene.phase[0], scene.phase[1] < 0.5
    swing = np.sin(2 * np.pi * 2 * u)
    shift = np.zeros(2)
    limbs = dict(NEUTRAL)
    match scene.motion:
        case "walk_left" | "walk_right":
            s = 0.45 * swing
            limbs["r_leg"], limbs["l_leg"] = (0.05 + s, 0.05 + s), (0.05 - s, 0.05 - s)
            limbs["r_arm"], limbs["l_arm"] = (0.15 - s, 0.3 - s), (0.15 + s, 0.3 + s)
        case "wave":
            arm = "r_arm" if side else "l_arm"
            limbs[arm] = (2.2, 2.75 + 0.55 * np.sin(2 * np.pi * (2 * u + 0.1 * beat)))
        case "jump":
            height = abs(np.sin(2 * np.pi * u))
            shift = np.array([0.0, -0.14 * height])
            limbs["r_arm"] = limbs["l_arm"] = (0.5 + 1.9 * height, 0.5 + 1.9 * height)
            limbs["r_leg"] = limbs["l_leg"] = (0.16 + 0.25 * height, 0.16 + 0.1 * height)
        case "dance":
            sign = swing if side else -swing
            up, low = 1.4 + 1.0 * sign, 1.4 - 1.0 * sign
            limbs["r_arm"], limbs["l_arm"] = (up, up + 0.3), (low, low + 0.3)
            shift = np.array([0.1 * sign, 0.0])
            limbs["r_leg"] = (0.22 + 0.18 * sign, 0.16 + 0.1 * sign)
            limbs["l_leg"] = (0.22 - 0.18 * sign, 0.16 - 0.1 * sign)
    return limbs, shift


def pose_at(scene: Scene, u: float) -> np.ndarray:
    """Joints (14, 2) as fractions of the frame's side at time u in 0..1."""
    limbs, shift = _limbs_at(scene, u)
    centre = np.asarray(scene.start) * (1 - u) + np.asarray(scene.end) * u
    return (joints(limbs) + shift) * HEIGHT + centre


def neutral_pose() -> np.ndarray:
    """The stance of a reference picture, in the middle of the frame."""
    return joints(NEUTRAL) * HEIGHT + 0.5


def draw_figure(draw: ImageDraw.ImageDraw, pose: np.ndarray, rgb: tuple) -> None:
    """Draw the figure itself: a round head and thick limbs of one colour."""
    side = draw.im.size[0]
    points, width = pose * side, int(0.08 * side)
    for a, b in BONES:
        draw.line([tuple(points[a]), tuple(points[b])], fill=rgb, width=width)
    for x, y in points:
        draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=rgb)
    draw.line([tuple(points[8]), tuple(points[11])], fill=rgb, width=width)
    (x, y), head = points[0], 0.09 * side
    draw.ellipse([x - head, y - head, x + head, y + head], fill=rgb)


def draw_skeleton(draw: ImageDraw.ImageDraw, pose: np.ndarray) -> None:
    """Draw the OpenPose skeleton that belongs on a black picture."""
    side = draw.im.size[0]
    points, width = pose * side, int(0.05 * side)
    for (a, b), rgb in zip(BONES, BONE_COLOURS, strict=True):
        draw.line([tuple(points[a]), tuple(points[b])], fill=rgb, width=width)
