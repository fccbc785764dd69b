"""A tiny pipeline of MiniMax H3, as the hub has it: with a processor that wants torchvision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny.hunyuan15 import qwen_tokenizer

__all__ = ["TINY", "build_h3"]

TEXT_WIDTH = 16
LATENT_CHANNELS, AUDIO_CHANNELS = 4, 4


def h3_tokenizer() -> Any:
    """Return a Qwen tokenizer that also marks where a picture begins and ends."""
    tokenizer = qwen_tokenizer()
    tokenizer.add_tokens(["<|vision_start|>", "<|vision_end|>"], special_tokens=True)
    return tokenizer


def reader(tokenizer: Any) -> Any:
    """Return a Qwen3-VL of narrow layers, one more than the pipeline reads."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    words = {
        "vocab_size": len(tokenizer),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 16,
        "num_hidden_layers": 51,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5_000_000.0,
            "mrope_section": [2, 1, 1],
        },
    }
    sight = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": TEXT_WIDTH,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    config = Qwen3VLConfig(
        text_config=words,
        vision_config=sight,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )
    return Qwen3VLForConditionalGeneration(config).eval()


def build_h3(folder: Path) -> None:
    """Save a tiny MiniMaxH3ModularPipeline without the transformer for references."""
    import diffusers
    import torch
    from transformers import Qwen2VLImageProcessorPil

    torch.manual_seed(0)
    tokenizer = h3_tokenizer()
    transformer = diffusers.MiniMaxH3Transformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        hidden_size=24,
        num_layers=2,
        num_refiner_layers=1,
        ffn_dim=16,
        in_channels=LATENT_CHANNELS,
        audio_in_channels=AUDIO_CHANNELS,
        text_dim=TEXT_WIDTH,
        freq_dim=16,
        time_embed_hidden_dim=16,
        time_embed_dim=16,
        rope_freq_dim=2,
    )
    vae = diffusers.AutoencoderKLMiniMaxH3(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        spatial_downsample_factors=(2, 2, 2, 2),
        temporal_downsample_factors=(1, 2, 2, 1),
        norm_num_groups=4,
        decoder_num_layers=1,
        decoder_num_attention_heads=2,
        decoder_attention_head_dim=8,
        decoder_num_register_tokens=1,
        decoder_ffn_mult=2,
        latents_mean=(0.0,) * LATENT_CHANNELS,
        latents_std=(1.0,) * LATENT_CHANNELS,
    )
    audio_vae = diffusers.AutoencoderKLMiniMaxH3Audio(
        encoder_dim=4,
        encoder_rates=(25, 32),
        latent_dim=8,
        latent_channels=AUDIO_CHANNELS,
        decoder_dim=8,
        decoder_rates=(25, 32),
        decoder_kernel_sizes=(25, 32),
        num_attention_heads=2,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1,),),
        latents_mean=(0.0,) * AUDIO_CHANNELS,
        latents_std=(1.0,) * AUDIO_CHANNELS,
    )
    pipeline = diffusers.MiniMaxH3ModularPipeline()
    pipeline.update_components(
        text_encoder=reader(tokenizer),
        tokenizer=tokenizer,
        vae=vae.eval(),
        audio_vae=audio_vae.eval(),
        transformer=transformer.eval(),
        scheduler=diffusers.MiniMaxH3Scheduler(shift=12.0),
        audio_scheduler=diffusers.MiniMaxH3Scheduler(shift=3.0),
    )
    pipeline.save_pretrained(str(folder), overwrite_modular_index=True)
    Qwen2VLImageProcessorPil(
        patch_size=16,
        size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    ).save_pretrained(folder / "processor")
    tokenizer.save_pretrained(folder / "processor")
    index = folder / "modular_model_index.json"
    named = json.loads(index.read_text())
    # The processor that cannot be loaded without torchvision, and weights that are not downloaded.
    for name, (library, kind) in {
        "processor": ("transformers", "Qwen3VLProcessor"),
        "transformer_ref": ("diffusers", "MiniMaxH3Transformer3DModel"),
    }.items():
        place = {"pretrained_model_name_or_path": str(folder), "subfolder": name}
        named[name] = [library, kind, {"type_hint": [library, kind], **place}]
    index.write_text(json.dumps(named))


TINY = {"minimax-h3": build_h3}
