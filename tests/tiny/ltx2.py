"""A tiny pipeline of LTX-2: video and sound from one transformer."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

__all__ = ["TINY", "build_ltx2"]

TEXT_WIDTH = 8
TEXT_LAYERS = 2
LATENT_CHANNELS = 8
MEL_BINS = 8
"""Heights of tone in a spectrum; the real one has 64."""
AUDIO_LATENT_CHANNELS = 2
AUDIO_WIDTH = AUDIO_LATENT_CHANNELS * MEL_BINS // 4
"""Values of sound in one latent step."""


def _tokenizer() -> Any:
    """Return a Gemma tokenizer that falls back on single bytes for every character."""
    from transformers import GemmaTokenizer

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    words += [f"<0x{byte:02X}>" for byte in range(256)]
    words += ["▁", *string.ascii_letters]
    return GemmaTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[])


def _text_encoder(vocabulary: int) -> Any:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    text = {
        "vocab_size": vocabulary,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 16,
        "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 4,
    }
    sight = {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    config = Gemma3Config(
        text_config=text, vision_config=sight, mm_tokens_per_image=4, image_token_id=4
    )
    return Gemma3ForConditionalGeneration(config).eval()


def _connectors() -> Any:
    from diffusers.pipelines.ltx2 import LTX2TextConnectors

    return LTX2TextConnectors(
        caption_channels=TEXT_WIDTH,
        text_proj_in_factor=TEXT_LAYERS + 1,
        video_connector_num_attention_heads=2,
        video_connector_attention_head_dim=4,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=8,
        audio_connector_num_attention_heads=2,
        audio_connector_attention_head_dim=4,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=8,
    ).eval()


def _transformer() -> Any:
    from diffusers import LTX2VideoTransformer3DModel

    return LTX2VideoTransformer3DModel(
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=AUDIO_WIDTH,
        audio_out_channels=AUDIO_WIDTH,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=1,
        caption_channels=TEXT_WIDTH,
    ).eval()


def _vae() -> Any:
    """Return an autoencoder with LTX's ratios: 32 in space, 8 in time."""
    from diffusers import AutoencoderKLLTX2Video

    return AutoencoderKLLTX2Video(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    ).eval()


def _audio_vae() -> Any:
    from diffusers import AutoencoderKLLTX2Audio

    return AutoencoderKLLTX2Audio(
        base_channels=AUDIO_WIDTH,
        num_res_blocks=1,
        latent_channels=AUDIO_LATENT_CHANNELS,
        mel_bins=MEL_BINS,
    ).eval()


def _vocoder() -> Any:
    """Return a vocoder of the real rates: 100 spectra and 24,000 samples a second."""
    from diffusers.pipelines.ltx2 import LTX2Vocoder

    return LTX2Vocoder(
        in_channels=2 * MEL_BINS,
        hidden_channels=8,
        upsample_kernel_sizes=[16, 15, 16],
        upsample_factors=[6, 5, 8],
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1]],
    ).eval()


def build_ltx2(folder: Path) -> None:
    """Save an LTX2Pipeline."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, LTX2Pipeline

    torch.manual_seed(0)
    words = _tokenizer()
    LTX2Pipeline(
        tokenizer=words,
        text_encoder=_text_encoder(len(words)),
        connectors=_connectors(),
        transformer=_transformer(),
        vae=_vae(),
        audio_vae=_audio_vae(),
        vocoder=_vocoder(),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            shift_terminal=0.1,
            base_shift=0.95,
            max_shift=2.05,
            base_image_seq_len=1024,
            max_image_seq_len=4096,
        ),
    ).save_pretrained(folder)


TINY = {"ltx-2": build_ltx2}
