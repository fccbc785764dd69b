"""Clips from a pipeline folder, with the conditions of the four tasks."""

from pathlib import Path

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler, WanVACEPipeline
from PIL import Image

from training.autoencoder import GREY
from training.conditions import KEPT_FRAMES
from training.config import Setup

STEPS = 12
GUIDANCE = 2.5


class Sampler:
    """The real pipeline with doodle's defaults."""

    def __init__(self, pipeline: WanVACEPipeline, setup: Setup) -> None:
        self.pipeline, self.setup = pipeline, setup
        pipeline.set_progress_bar_config(disable=True)

    @classmethod
    def from_folder(cls, folder: Path, setup: Setup, device: str = "cpu") -> "Sampler":
        """Load a pipeline folder; fp16 on disk becomes fp32 in use."""
        pipeline = WanVACEPipeline.from_pretrained(folder, dtype=torch.float32)
        return cls(pipeline.to(device), setup)

    def set_shift(self, shift: float) -> None:
        """Change the scheduler's shift."""
        config = self.pipeline.scheduler.config
        self.pipeline.scheduler = UniPCMultistepScheduler.from_config(config, flow_shift=shift)

    def _kept(self, task: str, pictures: list[np.ndarray]) -> dict:
        size, frames = (self.setup.size, self.setup.size), self.setup.frames
        video = [Image.new("RGB", size, (GREY,) * 3)] * frames
        mask = [Image.new("L", size, 255)] * frames
        for index, picture in zip(KEPT_FRAMES[task], pictures, strict=True):
            video[index], mask[index] = Image.fromarray(picture), Image.new("L", size, 0)
        return {"video": video, "mask": mask}

    def inputs(
        self, task: str, pictures: list[np.ndarray], skeleton: np.ndarray | None = None
    ) -> dict:
        """The pipeline's arguments for a task, from uint8 pictures and a skeleton video."""
        if task in KEPT_FRAMES:
            return self._kept(task, pictures)
        if task == "pose_guidance":
            video = [Image.fromarray(frame) for frame in skeleton]
            return {"video": video, "reference_images": [Image.fromarray(p) for p in pictures]}
        return {}

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        seed: int,
        *,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        **inputs: object,
    ) -> np.ndarray:
        """One clip: uint8 (T, H, W, 3)."""
        result = self.pipeline(
            prompt=prompt,
            height=self.setup.size,
            width=self.setup.size,
            num_frames=self.setup.frames,
            num_inference_steps=steps,
            guidance_scale=guidance,
            max_sequence_length=self.setup.text_tokens,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
            **inputs,
        )
        return (result.frames[0] * 255).round().astype(np.uint8)
