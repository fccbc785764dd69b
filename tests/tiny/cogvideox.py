"""Tiny pipelines of the CogVideoX family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.tiny_vace import TEXT_DIM, tokenizer

__all__ = [
    "TINY",
    "build_fun",
    "build_i2v",
    "build_i2v_1_5",
    "build_small",
    "build_t2v",
    "build_t2v_1_5",
]

LATENT_CHANNELS = 4

TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "time_embed_dim": 8,
    "text_embed_dim": TEXT_DIM,
    "num_layers": 2,
    # The text stands in one sequence with the video, at the length that it was trained with.
    "max_text_seq_length": 226,
    "use_rotary_positional_embeddings": True,
}
"""Sizes of the transformer that all of them share. ``sample_width`` and ``sample_height`` stay
those of the real models: the positions depend on them."""

FIRST = {"sample_width": 90, "sample_height": 60, "sample_frames": 49}
SECOND = {
    "sample_width": 300,
    "sample_height": 300,
    "sample_frames": 81,
    "patch_size_t": 2,
    "patch_bias": False,
}


def text_encoder(vocabulary: int) -> Any:
    """Return a T5 text encoder of two narrow layers."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=vocabulary, d_model=TEXT_DIM, d_kv=8, d_ff=32, num_layers=2, num_heads=4
    )
    return T5EncoderModel(config).eval()


def _vae(**changes: Any) -> Any:
    from diffusers import AutoencoderKLCogVideoX

    return AutoencoderKLCogVideoX(
        # One channel: 720x480 is large for a test, and one of the models makes nothing else.
        block_out_channels=(1, 1, 1, 1),
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=1,
        sample_width=720,
        sample_height=480,
        **{"layers_per_block": 1} | changes,
    ).eval()


def _scheduler(name: str, **changes: Any) -> Any:
    import diffusers

    return getattr(diffusers, name)(
        prediction_type="v_prediction", rescale_betas_zero_snr=True, **changes
    )


def _save(folder: Path, pipeline: str, transformer: dict[str, Any], **parts: Any) -> None:
    import diffusers
    import torch

    torch.manual_seed(0)
    words = tokenizer()
    made = {
        "tokenizer": words,
        "text_encoder": text_encoder(len(words)),
        "vae": _vae(),
        "scheduler": _scheduler("CogVideoXDPMScheduler", snr_shift_scale=1.0),
    }
    model = diffusers.CogVideoXTransformer3DModel(**TRANSFORMER | transformer).eval()
    getattr(diffusers, pipeline)(**made | parts, transformer=model).save_pretrained(folder)


def build_small(folder: Path) -> None:
    """Save a CogVideoXPipeline as the 2B model is: sine positions, and the DDIM scheduler."""
    scheduler = _scheduler("CogVideoXDDIMScheduler", snr_shift_scale=3.0)
    changes = FIRST | {"use_rotary_positional_embeddings": False}
    _save(folder, "CogVideoXPipeline", changes, scheduler=scheduler)


def build_t2v(folder: Path) -> None:
    """Save a CogVideoXPipeline as the 5B model is: rotary positions."""
    _save(folder, "CogVideoXPipeline", FIRST)


def build_i2v(folder: Path) -> None:
    """Save a CogVideoXImageToVideoPipeline: learned positions, for 720x480 alone."""
    changes = FIRST | {
        "in_channels": 2 * LATENT_CHANNELS,
        "use_learned_positional_embeddings": True,
    }
    # Nearly all the time of a call is its VAE's: it makes nothing smaller.
    vae = _vae(layers_per_block=0)
    _save(folder, "CogVideoXImageToVideoPipeline", changes, vae=vae)


def build_t2v_1_5(folder: Path) -> None:
    """Save a CogVideoXPipeline of version 1.5: two latent frames in one patch."""
    _save(folder, "CogVideoXPipeline", SECOND)


def build_i2v_1_5(folder: Path) -> None:
    """Save a CogVideoXImageToVideoPipeline of version 1.5."""
    import torch

    torch.manual_seed(0)
    changes = SECOND | {"in_channels": 2 * LATENT_CHANNELS, "ofs_embed_dim": 8}
    # Its smallest frame is 768x768, and nearly all the time of a call is its VAE's.
    vae = _vae(invert_scale_latents=True, layers_per_block=0)
    _save(folder, "CogVideoXImageToVideoPipeline", changes, vae=vae)


def build_fun(folder: Path) -> None:
    """Save what the hub has of CogVideoX-Fun's control model: the index names CogVideoXPipeline."""
    _save(folder, "CogVideoXPipeline", FIRST | {"in_channels": 2 * LATENT_CHANNELS})


TINY = {
    "cogvideox-2b": build_small,
    "cogvideox-5b": build_t2v,
    "cogvideox-5b-image-to-video": build_i2v,
    "cogvideox1.5-5b": build_t2v_1_5,
    "cogvideox1.5-5b-image-to-video": build_i2v_1_5,
    "cogvideox-fun-5b-pose": build_fun,
}
