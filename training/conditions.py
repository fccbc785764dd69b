"""What the transformer is told beside the words, as `WanVACEPipeline` builds it.

task            inactive half            reactive half        mask    frame in front
text_to_video   zeros                    zeros                ones    -
image_to_video  first frame, zeros       zero, grey           folded  -
interpolate     first, zeros, last       zero, grey, zero     folded  -
pose_guidance   zeros                    skeleton             ones    reference, mask zero
"""

from types import SimpleNamespace

import numpy as np
import torch
from diffusers import AutoencoderKLWan, WanVACEPipeline

from training import autoencoder as ae
from training import whole
from training.config import Setup
from training.precision import bf16_pays

TASKS = ("text_to_video", "image_to_video", "interpolate", "pose_guidance")
GREY_VALUE = ae.GREY / 127.5 - 1
KEPT_FRAMES = {"image_to_video": (0,), "interpolate": (0, -1)}


class Conditions:
    """Encodes clips and assembles control tensors for one frozen autoencoder.

    Args:
        vae: Frozen, on `device`.
        setup: Sizes.
        device: Where clips are encoded.
        home: Where latents are kept and controls are put together.
    """

    def __init__(
        self, vae: AutoencoderKLWan, setup: Setup, device: str = "cpu", home: str = "cpu"
    ) -> None:
        self._vae, self.setup, self._device, self.home = vae, setup, device, home
        shape = (1, -1, 1, 1, 1)
        self._mean = torch.tensor(vae.config.latents_mean, device=device).view(shape)
        self._std = torch.tensor(vae.config.latents_std, device=device).view(shape)
        size = (1, 3, setup.frames, setup.size, setup.size)
        self.zero = self.encode(torch.zeros(size))
        self.reactive = {task: self._reactive(task) for task in KEPT_FRAMES}
        self.masks = {task: self._mask(task) for task in TASKS}

    @torch.no_grad()
    def encode(self, x: torch.Tensor, *, fast: bool = False) -> torch.Tensor:
        """Normalised latents (B, z, t, h, w) at home of videos (B, 3, T, H, W) in -1..1.

        `fast` computes in bf16 where that is fast: good enough for targets, not for comparing
        borders.
        """
        x, on = x.to(self._device), self._device
        with torch.autocast(on, torch.bfloat16, enabled=fast and bf16_pays(on)):
            z = whole.encode(self._vae, x.contiguous(memory_format=torch.channels_last_3d))
        return ((z.float() - self._mean) / self._std).to(self.home)

    def inactive(self, task: str, clips: torch.Tensor) -> torch.Tensor:
        """Latents of clips of which only the kept frames are left."""
        kept = torch.zeros_like(clips)
        for index in KEPT_FRAMES[task]:
            kept[:, :, index] = clips[:, :, index]
        return self.encode(kept)

    def _reactive(self, task: str) -> torch.Tensor:
        setup = self.setup
        x = torch.full((1, 3, setup.frames, setup.size, setup.size), GREY_VALUE)
        for index in KEPT_FRAMES[task]:
            x[:, :, index] = 0
        return self.encode(x)

    def _mask(self, task: str) -> torch.Tensor:
        """The mask folded into channels by the pipeline's own function."""
        setup = self.setup
        pipeline = SimpleNamespace(
            vae_scale_factor_temporal=4,
            vae_scale_factor_spatial=setup.vae["scale_factor_spatial"],
            transformer=SimpleNamespace(
                config=SimpleNamespace(patch_size=(1, setup.patch, setup.patch))
            ),
        )
        mask = torch.ones(1, 3, setup.frames, setup.size, setup.size)
        for index in KEPT_FRAMES.get(task, ()):
            mask[:, :, index] = 0
        references = [[torch.zeros(1)] if task == "pose_guidance" else []]
        return WanVACEPipeline.prepare_masks(pipeline, mask, references).to(self.home)

    def control(
        self, task: str, own: torch.Tensor | None = None, reference: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Control tensor (B, 2 z + folds, t, h, w) from the latents that a task needs.

        Args:
            task: One of `TASKS`.
            own: Latents of the kept frames, or of the skeleton video.
            reference: Latents (B, z, 1, h, w) of the reference picture.
        """
        if task == "text_to_video":
            halves = [self.zero, self.zero]
        elif task == "pose_guidance":
            halves = [self.zero.expand_as(own), own]
        else:
            halves = [own, self.reactive[task].expand_as(own)]
        result = torch.cat(halves, dim=1)
        if reference is not None:
            front = torch.cat([reference, torch.zeros_like(reference)], dim=1)
            result = torch.cat([front, result], dim=2)
        mask = self.masks[task]
        return torch.cat([result, mask.expand(len(result), *mask.shape[1:])], dim=1)


def frames_to_tensor(frames: np.ndarray) -> torch.Tensor:
    """One picture or clip, uint8 (H, W, 3) or (T, H, W, 3), as (1, 3, T, H, W)."""
    frames = frames[None] if frames.ndim == 3 else frames
    return ae.to_tensor(frames[None])
