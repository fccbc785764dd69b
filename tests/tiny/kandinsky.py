"""Tiny pipelines of Kandinsky 5.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny.hunyuan import (
    LATENT_CHANNELS,
    POOLED_WIDTH,
    TEXT_WIDTH,
    clip_text_encoder,
    clip_tokenizer,
    hunyuan_vae,
)
from tests.tiny.hunyuan15 import qwen_text_config, qwen_tokenizer

__all__ = ["TINY", "build_kandinsky", "build_picture"]


def reader(tokenizer: Any) -> Any:
    """Return a Qwen2.5-VL of narrow layers, with the half for pictures that nobody asks."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    sight = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": TEXT_WIDTH,
        "fullatt_block_indexes": [0],
    }
    config = Qwen2_5_VLConfig(
        text_config=qwen_text_config(len(tokenizer)),
        vision_config=sight,
        image_token_id=3,
        video_token_id=4,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def learn_the_template(tokenizer: Any, pipeline: Any) -> None:
    """Have a tokenizer read what stands before each prompt in as many tokens as the real one.

    The pipeline counts on the number, and throws that many away.
    """
    before, _after = pipeline.prompt_template.split("{}")
    count = pipeline.prompt_template_encode_start_idx
    # All but the end of it is one token; the end is read letter by letter.
    lengths = (len(tokenizer(before[start:]).input_ids) for start in range(len(before)))
    start = next(start for start, length in enumerate(lengths) if length == count - 1)
    tokenizer.add_tokens([before[:start]], special_tokens=True)


def build_kandinsky(folder: Path) -> None:
    """Save a tiny Kandinsky5T2VPipeline."""
    _save(folder, "Kandinsky5T2VPipeline")


def build_picture(folder: Path) -> None:
    """Save a tiny Kandinsky5I2VPipeline."""
    _save(folder, "Kandinsky5I2VPipeline")


def _save(folder: Path, kind: str) -> None:
    import diffusers
    import torch

    from tiomagic_local.engines.kandinsky5 import TextOnlyProcessor

    torch.manual_seed(0)
    tokenizer, tokenizer_2 = qwen_tokenizer(), clip_tokenizer()
    transformer = diffusers.Kandinsky5Transformer3DModel(
        in_visual_dim=LATENT_CHANNELS,
        out_visual_dim=LATENT_CHANNELS,
        in_text_dim=TEXT_WIDTH,
        in_text_dim2=POOLED_WIDTH,
        time_dim=16,
        model_dim=16,
        ff_dim=16,
        num_text_blocks=1,
        num_visual_blocks=2,
        axes_dims=(4, 2, 2),
        visual_cond=True,
    )
    # Untrained, the gates of its blocks are shut: no word would reach the video.
    for name, weights in transformer.named_parameters():
        if "modulation" in name:
            torch.nn.init.normal_(weights, std=0.5)
    pipeline = getattr(diffusers, kind)(
        transformer=transformer.eval(),
        # The smallest frame is 512x512, and half the time of a call is the VAE's.
        vae=hunyuan_vae(layers_per_block=0, mid_block_add_attention=False),
        text_encoder=None,
        tokenizer=TextOnlyProcessor(tokenizer),
        text_encoder_2=clip_text_encoder(tokenizer_2),
        tokenizer_2=tokenizer_2,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0),
    )
    learn_the_template(tokenizer, pipeline)
    pipeline.register_modules(text_encoder=reader(tokenizer))
    pipeline.save_pretrained(folder)
    # As the hub has it: with the processor that cannot be loaded without torchvision.
    index = folder / "model_index.json"
    named = json.loads(index.read_text()) | {"tokenizer": ["transformers", "Qwen2VLProcessor"]}
    index.write_text(json.dumps(named))


TINY = {
    "kandinsky5-lite": build_kandinsky,
    "kandinsky5-lite-nocfg": build_kandinsky,
    "kandinsky5-lite-distilled": build_kandinsky,
    "kandinsky5-pro-image-to-video": build_picture,
}
