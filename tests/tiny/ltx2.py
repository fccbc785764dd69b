"""Tiny pipelines of LTX-2, 2.3 and 2.5: video and sound from one transformer."""

from __future__ import annotations

import string
from collections.abc import Callable
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


def _gemma4(vocabulary: int) -> Any:
    from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration

    text = {
        "vocab_size": vocabulary,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 16,
        "num_hidden_layers": TEXT_LAYERS,
        "layer_types": ["sliding_attention", "full_attention"],
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 4,
        "num_global_key_value_heads": 1,
        "global_head_dim": 4,
        "attention_k_eq_v": True,
    }
    return Gemma4UnifiedForConditionalGeneration(Gemma4UnifiedConfig(text_config=text)).eval()


CONNECTORS_OF_2_3 = {
    "video_connector_attention_head_dim": 8,
    "video_gated_attn": True,
    "audio_gated_attn": True,
    "per_modality_projections": True,
    "video_hidden_dim": 16,
    "audio_hidden_dim": 8,
    "proj_bias": True,
}
"""What is otherwise in 2.3, here and below: each stream gets words of its own width."""


def _connectors(**later: Any) -> Any:
    from diffusers.pipelines.ltx2 import LTX2TextConnectors

    sizes = {
        "video_connector_num_attention_heads": 2,
        "video_connector_attention_head_dim": 4,
        "video_connector_num_layers": 1,
        "video_connector_num_learnable_registers": 8,
        "audio_connector_num_attention_heads": 2,
        "audio_connector_attention_head_dim": 4,
        "audio_connector_num_layers": 1,
        "audio_connector_num_learnable_registers": 8,
    }
    return LTX2TextConnectors(
        caption_channels=TEXT_WIDTH, text_proj_in_factor=TEXT_LAYERS + 1, **{**sizes, **later}
    ).eval()


TRANSFORMER_OF_2_3 = {
    "gated_attn": True,
    "cross_attn_mod": True,
    "audio_gated_attn": True,
    "audio_cross_attn_mod": True,
    "use_prompt_embeddings": False,
    "perturbed_attn": True,
}


def _transformer(**later: Any) -> Any:
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
        **later,
    ).eval()


VAE_OF_2_3 = {
    "decoder_block_out_channels": (8, 16, 16, 32),
    "decoder_layers_per_block": (1, 1, 1, 1, 1),
    "decoder_spatio_temporal_scaling": (True, True, True, True),
    "decoder_inject_noise": (False, False, False, False, False),
    "upsample_type": ("spatiotemporal", "spatiotemporal", "temporal", "spatial"),
    "upsample_residual": (False, False, False, False),
    "upsample_factor": (2, 2, 1, 2),
    "decoder_spatial_padding_mode": "zeros",
}


def _vae(**later: Any) -> Any:
    """Return an autoencoder with LTX's ratios: 32 in space, 8 in time."""
    from diffusers import AutoencoderKLLTX2Video

    decoder = {
        "decoder_block_out_channels": (8, 16, 32),
        "decoder_layers_per_block": (1, 1, 1, 1),
    }
    return AutoencoderKLLTX2Video(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
        **{**decoder, **later},
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


def _wide_vocoder() -> Any:
    """Return a vocoder of 2.3's real rates: 100 spectra and 48,000 samples a second."""
    from diffusers.pipelines.ltx2 import LTX2VocoderWithBWE

    resnets: dict[str, Any] = {"resnet_kernel_sizes": [3], "resnet_dilations": [[1]]}
    return LTX2VocoderWithBWE(
        in_channels=2 * MEL_BINS,
        hidden_channels=8,
        upsample_kernel_sizes=[11, 16, 8],
        upsample_factors=[5, 8, 4],
        bwe_in_channels=2 * MEL_BINS,
        bwe_hidden_channels=8,
        bwe_upsample_kernel_sizes=[12, 16, 11],
        bwe_upsample_factors=[6, 8, 5],
        # The real one has filters around each activation, which cost most of the time of a test.
        antialias=False,
        bwe_antialias=False,
        num_mel_channels=MEL_BINS,
        filter_length=160,
        window_length=160,
        **resnets,
        **{f"bwe_{name}": value for name, value in resnets.items()},
    ).eval()


def _save(folder: Path, text_encoder: Callable[[int], Any] = _text_encoder, **parts: Any) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, LTX2Pipeline

    words = _tokenizer()
    LTX2Pipeline(
        tokenizer=words,
        text_encoder=text_encoder(len(words)),
        audio_vae=_audio_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            shift_terminal=0.1,
            base_shift=0.95,
            max_shift=2.05,
            base_image_seq_len=1024,
            max_image_seq_len=4096,
        ),
        **parts,
    ).save_pretrained(folder)


def build_ltx2(folder: Path) -> None:
    """Save an LTX2Pipeline."""
    import torch

    torch.manual_seed(0)
    _save(
        folder,
        connectors=_connectors(),
        transformer=_transformer(),
        vae=_vae(),
        vocoder=_vocoder(),
    )


def build_ltx23(folder: Path) -> None:
    """Save an LTX2Pipeline with the networks of 2.3."""
    import torch

    torch.manual_seed(0)
    _save(
        folder,
        connectors=_connectors(**CONNECTORS_OF_2_3),
        transformer=_transformer(**TRANSFORMER_OF_2_3),
        vae=_vae(**VAE_OF_2_3),
        vocoder=_wide_vocoder(),
    )


def build_ltx25(folder: Path) -> None:
    """Save an LTX2Pipeline with the networks of 2.5."""
    import torch

    torch.manual_seed(0)
    later = {"ff_bias": False, "use_keyframes_abs_pos_embedding": True}
    _save(
        folder,
        _gemma4,
        connectors=_connectors(**CONNECTORS_OF_2_3),
        transformer=_transformer(**TRANSFORMER_OF_2_3, **later),
        vae=_vae(**VAE_OF_2_3),
        vocoder=_wide_vocoder(),
    )


TINY = {
    "ltx-2": build_ltx2,
    "ltx-2.3": build_ltx23,
    "ltx-2.3-distilled": build_ltx23,
    "ltx-2.5": build_ltx25,
}
