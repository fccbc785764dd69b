"""Build a video model of random weights that is small enough for any computer.

What it makes is coloured noise, but it comes through the very code that runs the large models: a
real ``WanVACEPipeline`` with all four features. Run it to get a folder that ``tm`` can load::

    python examples/tiny_vace.py weights/wan2.1-vace-1.3b
    TIOMAGIC_WEIGHTS_DIR=weights tiomagic text-to-video --model wan2.1-vace-1.3b …
"""

from __future__ import annotations

import string
import sys
from pathlib import Path
from typing import Any

TEXT_DIM = 32
LATENT_CHANNELS = 16

TRANSFORMER: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "out_channels": LATENT_CHANNELS,
    "text_dim": TEXT_DIM,
    "freq_dim": 64,
    "ffn_dim": 32,
    "num_layers": 2,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 1024,  # As in the large models: patches of one side, or latent frames.
}
"""Sizes of the transformer that all tiny Wan models share."""


def tokenizer() -> Any:
    """Return a tokenizer that knows the printable ASCII characters."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in string.printable[:94]]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def text_encoder(vocabulary: int) -> Any:
    """Return a text encoder of two narrow layers."""
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=vocabulary,
        d_model=TEXT_DIM,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
    )
    return UMT5EncoderModel(config).eval()


def vae() -> Any:
    """Return an autoencoder with Wan's ratios: 8 in space, 4 in time."""
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=3,
        z_dim=LATENT_CHANNELS,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    ).eval()


def scheduler(flow_shift: float = 3.0) -> Any:
    """Return the scheduler that Wan's repositories ship."""
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=flow_shift
    )


def shared_parts() -> dict[str, Any]:
    """Return the components that every Wan pipeline has, except the transformer."""
    words = tokenizer()
    return {
        "tokenizer": words,
        "text_encoder": text_encoder(len(words)),
        "vae": vae(),
        "scheduler": scheduler(),
    }


def build_vace(folder: Path, *, seed: int = 0) -> Path:
    """Save a tiny VACE pipeline and return its folder.

    Args:
        folder: Where to; made when it is not there.
        seed: The weights are drawn from it.
    """
    import torch
    from diffusers import WanVACEPipeline, WanVACETransformer3DModel

    torch.manual_seed(seed)
    transformer = WanVACETransformer3DModel(
        **TRANSFORMER, in_channels=LATENT_CHANNELS, vace_layers=[0], vace_in_channels=96
    )
    pipeline = WanVACEPipeline(**shared_parts(), transformer=transformer.eval())
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "weights/wan2.1-vace-1.3b")
    print(build_vace(target))
