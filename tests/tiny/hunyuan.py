"""Tiny pipelines of the HunyuanVideo family: FramePack and HunyuanVideo 1.5."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

__all__ = ["TINY", "build_framepack"]

TEXT_WIDTH = 16
SIGHT_WIDTH = 16
POOLED_WIDTH = 8
LATENT_CHANNELS = 4


def llama_tokenizer() -> Any:
    """Return a Llama tokenizer that falls back on single bytes for every character."""
    from transformers import LlamaTokenizer

    words = ["<unk>", "<s>", "</s>", "<pad>"]
    words += [f"<0x{byte:02X}>" for byte in range(256)]
    words += ["▁", *string.ascii_letters]
    vocabulary = {word: index for index, word in enumerate(words)}
    return LlamaTokenizer(vocab=vocabulary, merges=[], pad_token="<pad>")


def clip_tokenizer() -> Any:
    """Return a CLIP tokenizer that knows the printable ASCII characters."""
    from transformers import CLIPTokenizer

    letters = string.ascii_lowercase + string.digits + string.punctuation
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def clip_text_encoder(tokenizer: Any) -> Any:
    """Return a CLIP text encoder of two narrow layers."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=POOLED_WIDTH,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=POOLED_WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config).eval()


def sight() -> dict[str, Any]:
    """Return a SigLIP image encoder and what prepares pictures for it."""
    from transformers import SiglipImageProcessorPil, SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=SIGHT_WIDTH,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    return {
        "image_encoder": SiglipVisionModel(config).eval(),
        "feature_extractor": SiglipImageProcessorPil(size={"height": 32, "width": 32}),
    }


def hunyuan_vae(**changes: Any) -> Any:
    """Return an autoencoder with HunyuanVideo's ratios: 8 in space, 4 in time."""
    from diffusers import AutoencoderKLHunyuanVideo

    return AutoencoderKLHunyuanVideo(
        latent_channels=LATENT_CHANNELS,
        # FramePack decodes 36 frames a section.
        block_out_channels=(1, 1, 1, 1),
        norm_num_groups=1,
        **{"layers_per_block": 1} | changes,
    ).eval()


def build_framepack(folder: Path) -> None:
    """Save a tiny HunyuanVideoFramepackPipeline with all of its parts in one folder."""
    import torch
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideoFramepackPipeline,
        HunyuanVideoFramepackTransformer3DModel,
    )
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    tokenizer, tokenizer_2 = llama_tokenizer(), clip_tokenizer()
    words = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=16,
        # The pipeline reads the layer before the last two.
        num_hidden_layers=3,
        num_attention_heads=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    transformer = HunyuanVideoFramepackTransformer3DModel(
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        text_embed_dim=TEXT_WIDTH,
        pooled_projection_dim=POOLED_WIDTH,
        rope_axes_dim=(2, 4, 4),
        has_image_proj=True,
        image_proj_dim=SIGHT_WIDTH,
        has_clean_x_embedder=True,
    )
    pipeline = HunyuanVideoFramepackPipeline(
        text_encoder=LlamaModel(words).eval(),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        vae=hunyuan_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=clip_text_encoder(tokenizer_2),
        tokenizer_2=tokenizer_2,
        **sight(),
    )
    pipeline.save_pretrained(folder)


TINY = {"framepack-i2v-hy": build_framepack}
