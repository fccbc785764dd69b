"""A tiny pipeline of EasyAnimate's control model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny.hunyuan import TEXT_WIDTH
from tests.tiny.hunyuan15 import qwen_text_config, qwen_tokenizer

__all__ = ["TINY", "build_control"]

LATENT_CHANNELS = 4
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""How Qwen2-VL writes down a conversation whose messages have parts."""


def _reader(words: int) -> Any:
    """Return a Qwen2-VL of narrow layers, with the half for pictures that nobody asks."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    sight = {"depth": 1, "embed_dim": 16, "hidden_size": TEXT_WIDTH, "num_heads": 2, "mlp_ratio": 1}
    config = Qwen2VLConfig(
        text_config=qwen_text_config(words),
        vision_config=sight,
        image_token_id=3,
        video_token_id=4,
    )
    return Qwen2VLForConditionalGeneration(config).eval()


def build_control(folder: Path) -> None:
    """Save a tiny EasyAnimateControlPipeline."""
    import diffusers
    import torch

    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    tokenizer.chat_template = CHAT
    transformer = diffusers.EasyAnimateTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        # The video's latents, the skeletons' and the picture's.
        in_channels=3 * LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        patch_size=2,
        num_layers=2,
        mmdit_layers=2,
        time_embed_dim=8,
        text_embed_dim=TEXT_WIDTH,
        add_norm_text_encoder=True,
    )
    vae = diffusers.AutoencoderKLMagvit(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(2, 2, 2, 2),
        layers_per_block=1,
        norm_num_groups=1,
        spatial_group_norm=False,
    )
    diffusers.EasyAnimateControlPipeline(
        vae=vae.eval(),
        text_encoder=_reader(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(folder)


TINY = {"easyanimate-v5.1-12b-control": build_control}
