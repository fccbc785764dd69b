"""The arguments of one transformer step on the meta device, by class.

The shapes are those of diffusers' pipelines; tensors have no values, since nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tiomagic_local.footprint.architectures import Architecture

META = torch.device("meta")
CLIP_TOKENS = 257
"""Of one picture in CLIP ViT-H: 16x16 patches and the class."""
CLIP_WIDTH = 1280
"""Channels of a token of it."""
SIGLIP_TOKENS = 729
AUDIO_TOKENS_A_SECOND = 25
"""LTX-2: 16,000 samples, 160 a spectrum, 4 spectra a latent step."""
SOUND_ROWS_A_SECOND = 80
"""MiniMax H3: 32,000 samples, 800 a latent step, two channels."""
FPS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a transformer."""

    transformer: Any
    architecture: Architecture
    latents: tuple[int, int, int]
    """Frames, height and width of the latents."""
    frames: int
    """Of the video."""
    dtype: torch.dtype
    batch: int
    """2 if the pipeline batches both passes of guidance."""
    words: int
    """Tokens of the prompt."""

    def new(self, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Return a tensor for the batch."""
        return torch.empty(self.batch, *shape, device=META, dtype=dtype or self.dtype)

    def mask(self, length: int) -> torch.Tensor:
        """Return a mask of words."""
        return torch.empty(self.batch, length, dtype=torch.long, device=META)

    @property
    def config(self) -> Any:
        """The transformer's configuration."""
        return self.transformer.config


def _times(step: Step, tokens: int) -> torch.Tensor:
    shape = (tokens,) if step.architecture.per_token else ()
    return step.new(*shape, dtype=torch.float32)


def _wan(step: Step) -> dict[str, Any]:
    config, (frames, height, width) = step.config, step.latents
    tokens = frames * (height // 2) * (width // 2)
    given: dict[str, Any] = {
        "hidden_states": step.new(config.in_channels, frames, height, width),
        "timestep": _times(step, tokens),
        "encoder_hidden_states": step.new(step.words, config.text_dim),
    }
    if config.image_dim is not None:
        pictures = (config.get("pos_embed_seq_len") or CLIP_TOKENS) // CLIP_TOKENS
        seen = torch.empty(pictures, CLIP_TOKENS, config.image_dim, device=META, dtype=step.dtype)
        given["encoder_hidden_states_image"] = seen if pictures > 1 else seen[:1]
    return given


def _vace(step: Step) -> dict[str, Any]:
    config = step.config
    layers = len(config.vace_layers)
    return _wan(step) | {
        "control_hidden_states": step.new(config.vace_in_channels, *step.latents),
        "control_hidden_states_scale": torch.empty(layers, device=META, dtype=step.dtype),
    }


def _animate(step: Step) -> dict[str, Any]:
    # The character's picture is a latent frame of its own.
    frames, height, width = step.latents
    larger = (frames + 1, height, width)
    given = _wan(Step(**{**_fields(step), "latents": larger}))
    side = step.config.motion_encoder_size
    return given | {
        "pose_hidden_states": step.new(step.config.latent_channels, *step.latents),
        "face_pixel_values": step.new(3, step.frames, side, side),
    }


def _animate_2(step: Step) -> dict[str, Any]:
    """A step after the pass over the driving video; of its cache, the part of one layer."""
    from diffusers.models.transformers.transformer_wan_animate_2 import WanAnimate2KVCache

    from tiomagic_local.engines._wan_animate_2 import attend_frame_by_frame

    attend_frame_by_frame(step.transformer)
    config, (frames, height, width) = step.config, step.latents
    grid = [frames, height // 2, width // 2]
    tokens = frames * grid[1] * grid[2]
    heads = config.num_heads
    kept = (
        step.new(tokens, heads, config.dim // heads),
        step.new(tokens, heads, config.dim // heads),
    )
    cache = WanAnimate2KVCache(config.num_layers)
    for layer in cache.layer_caches:
        layer.store(*kept)
    # The character's picture is a latent frame of its own.
    larger = (frames + 1, height, width)
    seen = torch.empty(1, CLIP_TOKENS, CLIP_WIDTH, device=META, dtype=step.dtype)
    return {
        "hidden_states": [step.new(config.out_dim, *larger)[0]],
        "timestep": step.new(dtype=torch.float32),
        "encoder_hidden_states": [step.new(step.words, config.text_dim)[0]],
        "condition_latents": [step.new(config.in_dim - config.out_dim, *larger)[0]],
        "kv_cache": cache,
        "kv_cache_mode": "cached",
        "seq_len": tokens + grid[1] * grid[2],
        "encoder_hidden_states_image": seen,
        "reference_grid_sizes": torch.tensor([grid]),
        "origin_len": step.frames,
        "origin_area": [height * 8, width * 8],
    }


def _animate_2_cache(config: Any, latents: tuple[int, int, int]) -> int:
    frames, height, width = latents
    tokens = frames * (height // 2) * (width // 2)
    return int(2 * config.num_layers * config.dim * tokens)


def _skyreels(step: Step) -> dict[str, Any]:
    given = _wan(step)
    if not step.architecture.per_token:
        return given
    given["timestep"] = step.new(step.latents[0], dtype=torch.float32)
    fps = torch.zeros(1, dtype=torch.long, device=META) if step.config.inject_sample_info else None
    return given | {"enable_diffusion_forcing": True, "fps": fps}


def _cogvideox(step: Step) -> dict[str, Any]:
    config, (frames, height, width) = step.config, step.latents
    together = config.patch_size_t or 1
    frames += -frames % together
    tokens = frames // together * (height // 2) * (width // 2)
    half = torch.empty(tokens, config.attention_head_dim, device=META)
    rotary = config.use_rotary_positional_embeddings
    return {
        "hidden_states": step.new(frames, config.in_channels, height, width),
        "encoder_hidden_states": step.new(step.words, config.text_embed_dim),
        "timestep": step.new(dtype=torch.float32),
        "image_rotary_emb": (half, half) if rotary else None,
        "ofs": torch.empty(1, device=META) if config.ofs_embed_dim else None,
    }


def _ltx(step: Step) -> dict[str, Any]:
    config, (frames, height, width) = step.config, step.latents
    tokens = frames * height * width
    return {
        "hidden_states": step.new(tokens, config.in_channels),
        "encoder_hidden_states": step.new(step.words, config.caption_channels),
        "timestep": _times(step, tokens),
        "encoder_attention_mask": torch.empty(step.batch, step.words, device=META),
        "video_coords": step.new(3, tokens, dtype=torch.float32),
    }


def _ltx2(step: Step) -> dict[str, Any]:
    config, (frames, height, width) = step.config, step.latents
    tokens = frames * height * width
    heard = round(step.frames / FPS * AUDIO_TOKENS_A_SECOND)
    # From 2.3 on, the connectors give words the width of each stream.
    whole = config.use_prompt_embeddings
    seen = config.caption_channels if whole else config.cross_attention_dim
    said = config.caption_channels if whole else config.audio_cross_attention_dim
    return {
        "hidden_states": step.new(tokens, config.in_channels),
        "audio_hidden_states": step.new(heard, config.audio_in_channels),
        "encoder_hidden_states": step.new(step.words, seen),
        "audio_encoder_hidden_states": step.new(step.words, said),
        "timestep": _times(step, tokens),
        "audio_timestep": step.new(dtype=torch.float32),
        "sigma": step.new(dtype=torch.float32),
        "audio_sigma": step.new(dtype=torch.float32),
        "encoder_attention_mask": torch.empty(step.batch, step.words, device=META),
        "audio_encoder_attention_mask": torch.empty(step.batch, step.words, device=META),
        "num_frames": frames,
        "height": height,
        "width": width,
        "fps": float(FPS),
        "audio_num_frames": heard,
        "video_coords": step.new(3, tokens, 2, dtype=torch.float32),
        "audio_coords": step.new(1, heard, 2, dtype=torch.float32),
    }


def _hunyuan15(step: Step) -> dict[str, Any]:
    config, glyphs = step.config, 256
    return {
        "hidden_states": step.new(config.in_channels, *step.latents),
        "timestep": step.new(dtype=torch.float32),
        "encoder_hidden_states": step.new(step.words, config.text_embed_dim),
        "encoder_attention_mask": step.mask(step.words),
        "encoder_hidden_states_2": step.new(glyphs, config.text_embed_2_dim),
        "encoder_attention_mask_2": step.mask(glyphs),
        "image_embeds": step.new(SIGLIP_TOKENS, config.image_embed_dim),
    }


def _framepack(step: Step) -> dict[str, Any]:
    config, (_, height, width) = step.config, step.latents
    window, channels = 9, config.in_channels
    past = {"clean": 2, "history_2x": 2, "history_4x": 16}
    given: dict[str, Any] = {}
    for name, count in past.items():
        given[f"latents_{name}"] = step.new(channels, count, height, width)
        given[f"indices_latents_{name}"] = torch.arange(count)
    return given | {
        "hidden_states": step.new(channels, window, height, width),
        "timestep": step.new(dtype=torch.float32),
        "encoder_hidden_states": step.new(step.words, config.text_embed_dim),
        "encoder_attention_mask": step.mask(step.words),
        "pooled_projections": step.new(config.pooled_projection_dim),
        "image_embeds": step.new(SIGLIP_TOKENS, config.image_proj_dim),
        "indices_latents": torch.arange(window),
        "guidance": step.new(),
    }


def _kandinsky(step: Step) -> dict[str, Any]:
    config, (frames, height, width) = step.config, step.latents
    channels = 2 * config.in_visual_dim + 1 if config.visual_cond else config.in_visual_dim
    return {
        "hidden_states": step.new(frames, height, width, channels),
        "encoder_hidden_states": step.new(step.words, config.in_text_dim),
        "pooled_projections": step.new(config.in_text_dim2),
        "timestep": step.new(),
        "visual_rope_pos": [
            torch.arange(length, device=META) for length in (frames, height // 2, width // 2)
        ],
        "text_rope_pos": torch.arange(step.words, device=META),
    }


def _easyanimate(step: Step) -> dict[str, Any]:
    config = step.config
    # The latents of the video, and beside them those of the skeletons and of the picture.
    made = config.out_channels
    return {
        "hidden_states": step.new(made, *step.latents),
        "timestep": step.new(),
        "encoder_hidden_states": step.new(step.words, config.text_embed_dim),
        "control_latents": step.new(config.in_channels - made, *step.latents),
    }


def _minimax_h3(step: Step) -> dict[str, Any]:
    """A step between a first and a last picture, which has the most tokens.

    A picture has as many among the words, where the text encoder has seen it, as among the latents.
    """
    config, (frames, height, width) = step.config, step.latents
    _, rows, columns = config.patch_size
    picture = (height // rows) * (width // columns)
    words, heard = step.words + 2 * picture, round(step.frames / FPS * SOUND_ROWS_A_SECOND)
    seen = (frames + 2) * picture
    length = words + heard + seen
    places = torch.arange(length, device=META)
    return {
        "hidden_states": step.new(seen, config.in_channels * rows * columns, dtype=torch.float32),
        "audio_hidden_states": step.new(heard, config.audio_in_channels, dtype=torch.float32),
        "encoder_hidden_states": step.new(words, config.text_dim),
        # The levels of noise of the pictures, of the sound and of the video.
        "timestep": torch.empty(3, device=META),
        "timestep_indices": torch.empty(length, device=META, dtype=torch.long),
        "token_tags": torch.empty(length, device=META, dtype=torch.long),
        "position_ids": torch.empty(length, 3, device=META, dtype=torch.float64),
        "text_indices": places[:words],
        "audio_indices": places[words : words + heard],
        "video_indices": places[words + heard :],
    }


def _frequencies(base: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    angles = torch.einsum("d,bthw->dbthw", base, places).repeat_interleave(2, dim=0)
    return angles.cos(), angles.sin()


def _helios(step: Step) -> dict[str, Any]:
    # Its own turns autocast off, which the meta device does not have.
    step.transformer.rope.get_frequency_batched = _frequencies
    config, (_, height, width) = step.config, step.latents
    piece, channels = 9, config.in_channels
    # The short memory has the first frame of all beside the last one.
    memory = {"history_short": 2, "history_mid": 2, "history_long": 16}
    given: dict[str, Any] = {}
    for name, count in memory.items():
        given[f"latents_{name}"] = step.new(channels, count, height, width)
        given[f"indices_latents_{name}"] = torch.arange(count)[None]
    return given | {
        "hidden_states": step.new(channels, piece, height, width),
        "timestep": step.new(dtype=torch.float32),
        "encoder_hidden_states": step.new(step.words, config.text_dim),
        "indices_hidden_states": torch.arange(piece)[None],
    }


def _fields(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__slots__}


CALLS: Mapping[str, Callable[[Step], dict[str, Any]]] = {
    "WanTransformer3DModel": _wan,
    "WanVACETransformer3DModel": _vace,
    "WanAnimateTransformer3DModel": _animate,
    "WanAnimate2Transformer3DModel": _animate_2,
    "SkyReelsV2Transformer3DModel": _skyreels,
    "CogVideoXTransformer3DModel": _cogvideox,
    "LTXVideoTransformer3DModel": _ltx,
    "LTX2VideoTransformer3DModel": _ltx2,
    "HunyuanVideo15Transformer3DModel": _hunyuan15,
    "HunyuanVideoFramepackTransformer3DModel": _framepack,
    "Kandinsky5Transformer3DModel": _kandinsky,
    "EasyAnimateTransformer3DModel": _easyanimate,
    "HeliosTransformer3DModel": _helios,
    "MiniMaxH3Transformer3DModel": _minimax_h3,
}
CACHES: Mapping[str, Callable[[Any, tuple[int, int, int]], int]] = {
    "WanAnimate2Transformer3DModel": _animate_2_cache
}
"""Count the numbers in the KV cache of a transformer, from its configuration and the latents."""
TOGETHER = frozenset(
    {
        "CogVideoXTransformer3DModel",
        "EasyAnimateTransformer3DModel",
        "LTXVideoTransformer3DModel",
        "LTX2VideoTransformer3DModel",
    }
)
"""Transformers whose pipelines batch both passes of guidance."""


def call(step: Step) -> None:
    """Run one step of the transformer."""
    step.transformer(**CALLS[type(step.transformer).__name__](step), return_dict=False)
