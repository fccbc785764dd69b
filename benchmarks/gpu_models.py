"""The large models of the benchmarks: true shapes, random weights, built on the device.

The time of a step does not depend on the weights' values, so none are downloaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch

ABSENT = {"tokenizer": None, "text_encoder": None, "transformer_2": None}
"""What Wan's pipelines can do without when prompts come encoded."""
TINY = {"num_layers": 2, "num_attention_heads": 2}
TINY_VAE = {"base_dim": 8, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}


@dataclass(frozen=True)
class Model:
    """A pipeline's classes, and what its configuration has beside their defaults."""

    pipeline: str
    transformer: str
    vae: str
    shape: Mapping[str, Any] = field(default_factory=dict)
    vae_shape: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the pipeline itself."""
    sizes: tuple[tuple[int, int, int], ...] = ((832, 480, 81), (1280, 720, 81))
    """Width, height, frames."""
    words: int = 512
    """Tokens of an encoded prompt."""
    masked: bool = False
    fp32_vae: bool = True
    tiny: Mapping[str, Any] = field(default_factory=lambda: TINY | {"ffn_dim": 64})
    tiny_vae: Mapping[str, Any] = field(default_factory=dict)
    tiny_size: tuple[int, int, int] = (64, 32, 9)


SMALL = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
WIDE_VAE = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
T2V = ("WanPipeline", "WanTransformer3DModel", "AutoencoderKLWan")
VACE = ("WanVACEPipeline", "WanVACETransformer3DModel", "AutoencoderKLWan")
MODELS: Mapping[str, Model] = {
    "wan2.1-t2v-1.3b": Model(*T2V, SMALL),
    "wan2.1-t2v-14b": Model(*T2V),
    "wan2.1-vace-14b": Model(*VACE, tiny=TINY | {"ffn_dim": 64, "vace_layers": [0]}),
    "wan2.2-ti2v-5b": Model(
        *T2V,
        shape={
            "num_attention_heads": 24,
            "ffn_dim": 14336,
            "num_layers": 30,
            "in_channels": 48,
            "out_channels": 48,
        },
        vae_shape=WIDE_VAE,
        settings={"expand_timesteps": True},
        sizes=((832, 480, 121), (1280, 704, 121)),
    ),
    "ltx-video": Model(
        "LTXPipeline",
        "LTXVideoTransformer3DModel",
        "AutoencoderKLLTXVideo",
        sizes=((704, 512, 161), (1280, 704, 161)),
        words=256,
        masked=True,
        fp32_vae=False,
        tiny=TINY | {"cross_attention_dim": 128},
    ),
    "cogvideox-5b": Model(
        "CogVideoXPipeline",
        "CogVideoXTransformer3DModel",
        "AutoencoderKLCogVideoX",
        shape={
            "num_attention_heads": 48,
            "num_layers": 42,
            "use_rotary_positional_embeddings": True,
        },
        vae_shape={
            "down_block_types": ("CogVideoXDownBlock3D",) * 4,
            "up_block_types": ("CogVideoXUpBlock3D",) * 4,
            "block_out_channels": (128, 256, 256, 512),
            "latent_channels": 16,
            "layers_per_block": 3,
        },
        sizes=((720, 480, 49),),
        words=226,
        fp32_vae=False,
        tiny=TINY,
        tiny_vae={"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1},
    ),
}


def build(model: Model, device: torch.device, dtype: torch.dtype, *, tiny: bool) -> Any:
    """Return the pipeline with random weights on the device, without encoders."""
    shape = {**model.shape, **(model.tiny if tiny else {})}
    vae_shape = dict(model.vae_shape)
    if tiny and model.vae == "AutoencoderKLWan" and not vae_shape:
        vae_shape = TINY_VAE
    if tiny:
        vae_shape |= model.tiny_vae
    vae_type = torch.float32 if model.fp32_vae else dtype
    transformer = _random(model.transformer, shape, device, dtype)
    vae = _random(model.vae, vae_shape, device, vae_type)
    kind = getattr(diffusers, model.pipeline)
    given = {
        "transformer": transformer,
        "vae": vae,
        "scheduler": _scheduler(model),
        **model.settings,
    }
    named = inspect.signature(kind.__init__).parameters
    missing = {n: None for n in ("tokenizer", "text_encoder", "transformer_2") if n in named}
    pipeline = kind(**{**missing, **given})
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _random(name: str, shape: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            module = getattr(diffusers, name)(**shape).eval()
    finally:
        torch.set_default_dtype(before)
    # What the library keeps in fp32 when it loads weights.
    kept = set(module._keep_in_fp32_modules or ())  # noqa: SLF001
    for part, tensor in module.named_parameters():
        if kept & set(part.split(".")):
            tensor.data = tensor.data.float()
    return module


def _scheduler(model: Model) -> Any:
    if model.pipeline.startswith("Wan"):
        return diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        )
    if model.pipeline.startswith("CogVideoX"):
        return diffusers.CogVideoXDDIMScheduler()
    return diffusers.FlowMatchEulerDiscreteScheduler()


def make_inputs(
    pipeline: Any, model: Model, generator: torch.Generator, device: torch.device
) -> dict[str, Any]:
    """Return random prompts, as an encoder would have made them, and what goes with them."""
    config = pipeline.transformer.config
    # Of LTX the transformer says its own width, where its captions have another.
    width = config.get("text_dim") or config.get("caption_channels") or config.text_embed_dim
    words = torch.randn(1, model.words, width, generator=generator)
    words = words.to(device, pipeline.transformer.dtype)
    given = {"prompt_embeds": words, "negative_prompt_embeds": words * 0.5}
    if model.masked:
        mask = torch.ones(1, model.words, device=device)
        given |= {"prompt_attention_mask": mask, "negative_prompt_attention_mask": mask}
    return given
