"""A scene as pixels: the clip, its skeleton video, its reference picture."""

import numpy as np

from training.world import figures, shapes
from training.world.scenes import FIGURE, PACES, Scene


def _state(scene: Scene, u: float) -> tuple[np.ndarray, float, float]:
    """Centre, radius and turn of a shape at time u in 0..1."""
    start, end = np.asarray(scene.start), np.asarray(scene.end)
    radius, angle = scene.radius, scene.angle
    pace = PACES.get(scene.pace, 1.0)
    part = min(1.0, pace * u)
    match scene.motion:
        case "bounce":
            # Falls, hits the ground halfway, flies back up.
            part = (1 - abs(1 - 2 * pace * u % 2)) ** 2
        case "orbit":
            turn = 2 * np.pi * pace * u * (1 if scene.phase[0] < 0.5 else -1)
            turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            return start + turned @ (end - start), radius, angle
        case "spin":
            angle += scene.turn * pace * u
        case "grow":
            radius = scene.radius * (0.5 + u)
        case "shrink":
            radius = scene.radius * (1.5 - u)
    return start * (1 - part) + end * part, radius, angle


def render_frame(scene: Scene, size: int, u: float) -> np.ndarray:
    """One frame of the clip at time u in 0..1: uint8, (H, W, 3)."""
    picture, draw = shapes.canvas(size, scene.background_rgb)
    if scene.shape == FIGURE:
        figures.draw_figure(draw, figures.pose_at(scene, u), scene.rgb)
    for one in (scene, scene.other):
        if one is not None and one.shape != FIGURE:
            shapes.draw_shape(
                draw,
                one.shape,
                *_state(one, u),
                one.rgb,
                one.background_rgb,
                # A car drives forwards.
                mirrored=one.shape == "car" and one.end[0] < one.start[0],
            )
    return shapes.to_pixels(picture, size)


def times(frames: int) -> np.ndarray:
    """Time in 0..1 of each frame."""
    return np.linspace(0, 1, frames)


def render_clip(scene: Scene, size: int, frames: int) -> np.ndarray:
    """The whole clip: uint8, (T, H, W, 3)."""
    return np.stack([render_frame(scene, size, u) for u in times(frames)])


def render_skeleton(scene: Scene, size: int, frames: int) -> np.ndarray:
    """The skeleton video of a figure's clip: uint8, (T, H, W, 3), on black."""
    result = []
    for u in times(frames):
        picture, draw = shapes.canvas(size, (0, 0, 0))
        figures.draw_skeleton(draw, figures.pose_at(scene, u))
        result.append(shapes.to_pixels(picture, size))
    return np.stack(result)


def render_reference(scene: Scene, size: int) -> np.ndarray:
    """The figure in a neutral stance on its background: uint8, (H, W, 3)."""
    picture, draw = shapes.canvas(size, scene.background_rgb)
    figures.draw_figure(draw, figures.neutral_pose(), scene.rgb)
    return shapes.to_pixels(picture, size)


def contact_sheet(clips: np.ndarray, every: int = 2, gap: int = 2) -> np.ndarray:
    """One row a clip of every n-th frame, for a person to look at."""
    rows = []
    for clip in clips:
        chosen = clip[::every]
        row = [np.pad(f, ((gap, gap), (gap, gap), (0, 0)), constant_values=255) for f in chosen]
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows, axis=0)
