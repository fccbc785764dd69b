"""Clips through `tm`, the whole path that a user takes: arguments, engine, mp4 and back."""

from pathlib import Path

import numpy as np
from PIL import Image

from tiomagic import TioMagic
from tiomagic_domain.catalogue import find_model
from tiomagic_media.decode.videos import video_frames
from tiomagic_media.encode.mp4 import write_mp4


class ThroughTm:
    """Makes clips with `doodle` in a folder of its own."""

    def __init__(self, folder: Path, *, fps: int = 16, **settings: object) -> None:
        self._folder, self._fps = folder, fps
        self._tm = TioMagic(working_dir=folder, provider="local", **settings)
        self.handles: list = []

    @staticmethod
    def defaults() -> dict[str, dict[str, object]]:
        """Settings of the catalogue that decide about quality and time, by feature."""
        names = ("num_inference_steps", "guidance_scale", "flow_shift")
        features = find_model("doodle").features.items()
        return {
            feature.value: {p.name: p.default for p in schema.parameters if p.name in names}
            for feature, schema in features
        }

    def __call__(
        self,
        task: str,
        prompt: str,
        seed: int,
        *,
        pictures: list[np.ndarray] | None = None,
        skeleton: np.ndarray | None = None,
        **settings: object,
    ) -> np.ndarray:
        """One clip as its mp4 shows it: uint8 (T, H, W, 3)."""
        arguments = {}
        if pictures is not None:
            arguments = dict(zip(_PICTURES[task], map(Image.fromarray, pictures), strict=True))
        if skeleton is not None:
            path = self._folder / f"skeleton-{seed}.mp4"
            write_mp4(path, skeleton, fps=self._fps, recipe={})
            arguments["pose_video"] = path
        handle = getattr(self._tm, task)(
            "doodle", prompt=prompt, seed=seed, progress=False, **arguments, **settings
        )
        self.handles.append(handle)
        return np.stack([shown.pixels() for shown in video_frames(Path(handle.result_video))])


_PICTURES = {
    "text_to_video": (),
    "image_to_video": ("image",),
    "interpolate": ("first_frame", "last_frame"),
    "pose_guidance": ("image",),
}
