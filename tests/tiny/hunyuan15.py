"""Tiny pipelines of HunyuanVideo 1.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny.hunyuan import SIGHT_WIDTH, TEXT_WIDTH, sight

__all__ = ["TINY", "build_i2v", "build_t2v", "qwen_text_config", "qwen_tokenizer"]

GLYPH_WIDTH = 8
LATENT_CHANNELS = 4

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""How Qwen writes down a conversation."""


def qwen_tokenizer() -> Any:
    """Return a Qwen tokenizer that reads text byte by byte."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>"]
    words = [*special, *sorted(ByteLevel.alphabet())]
    tokenizer = Qwen2Tokenizer(
        vocab={word: index for index, word in enumerate(words)},
        merges=[],
        additional_special_tokens=special[1:],
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def qwen_text_config(vocabulary: int) -> dict[str, Any]:
    """Return the sizes of a language model of three narrow layers."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 16,
        # The pipeline reads the layer before the last two.
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1_000_000.0,
            "mrope_section": [1, 1, 2],
        },
    }


def shared_parts() -> dict[str, Any]:
    """Return the components that both pipelines have."""
    from diffusers import (
        AutoencoderKLHunyuanVideo15,
        ClassifierFreeGuidance,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideo15Transformer3DModel,
    )
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        Qwen2_5_VLTextConfig,
        Qwen2_5_VLTextModel,
    )

    tokenizer, tokenizer_2 = qwen_tokenizer(), ByT5Tokenizer()
    glyphs = T5Config(
        vocab_size=len(tokenizer_2),
        d_model=GLYPH_WIDTH,
        d_kv=4,
        d_ff=8,
        num_layers=2,
        num_heads=2,
    )
    transformer = HunyuanVideo15Transformer3DModel(
        in_channels=2 * LATENT_CHANNELS + 1,  # the noise, the picture's latents, and its mask
        out_channels=LATENT_CHANNELS,
        num_attention_heads=3,  # An odd number, which two devices cannot share evenly.
        attention_head_dim=8,
        num_layers=1,
        num_refiner_layers=1,
        text_embed_dim=TEXT_WIDTH,
        text_embed_2_dim=GLYPH_WIDTH,
        image_embed_dim=SIGHT_WIDTH,
        rope_axes_dim=(2, 2, 4),
        target_size=640,
    )
    vae = AutoencoderKLHunyuanVideo15(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(8, 8, 8, 8, 8),
        layers_per_block=1,
    )
    words = Qwen2_5_VLTextConfig(**qwen_text_config(len(tokenizer)))
    return {
        "text_encoder": Qwen2_5_VLTextModel(words).eval(),
        "tokenizer": tokenizer,
        "transformer": transformer.eval(),
        "vae": vae.eval(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=5.0),
        "text_encoder_2": T5EncoderModel(glyphs).eval(),
        "tokenizer_2": tokenizer_2,
        "guider": ClassifierFreeGuidance(guidance_scale=6.0),
    }


def build_t2v(folder: Path) -> None:
    """Save a tiny HunyuanVideo15Pipeline."""
    import torch
    from diffusers import HunyuanVideo15Pipeline

    torch.manual_seed(0)
    HunyuanVideo15Pipeline(**shared_parts()).save_pretrained(folder)


def build_i2v(folder: Path) -> None:
    """Save a tiny HunyuanVideo15ImageToVideoPipeline."""
    import torch
    from diffusers import HunyuanVideo15ImageToVideoPipeline

    torch.manual_seed(0)
    HunyuanVideo15ImageToVideoPipeline(**shared_parts(), **sight()).save_pretrained(folder)


TINY = {"hunyuanvideo-1.5": build_t2v, "hunyuanvideo-1.5-image-to-video": build_i2v}
