"""Measures the peak memory of each phase of a model, on the meta device.

===========  ====================================================================================
phase        what runs
===========  ====================================================================================
``text``     the text encoders read a prompt
``encode``   the VAE encodes a picture or a video, where the model is given one
``denoise``  one step of the transformer
``decode``   the VAE decodes the latents, and the frames are brought to the range 0 to 1
===========  ====================================================================================

Each phase includes the pipeline's own tensors: latents, encoded prompts, conditions.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tiomagic_domain.catalogue import models
from tiomagic_local.acceleration.channels_last import CHANNELS_LAST_VAES
from tiomagic_local.checkpoint.pipeline_index import is_modular
from tiomagic_local.engines import find_engine
from tiomagic_local.footprint.architectures import (
    Architecture,
    build_network,
    find_architecture,
    largest_block,
    largest_leaf,
    weights,
)
from tiomagic_local.footprint.calls import CACHES, META, TOGETHER, Step, call
from tiomagic_local.footprint.counting import AsOnAGpu, LiveBytes
from tiomagic_local.modular.placement import MOVES_IN_PARTS, VAE

CUDA_BYTES = 96 * 2**20
"""The workspaces of cuBLAS and cuDNN. Measured on an H100: 0.07 to 0.11 GiB between the weights and
torch's allocations."""

TEXT = ("text_encoder", "text_encoder_2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a video."""

    width: int
    height: int
    frames: int


class Modules:
    """The networks of a model on the meta device, built at first use.

    Args:
        model: Its name.
        dtype: Of all networks that do not stay in fp32; None for the model's type on a GPU.
    """

    def __init__(self, model: str, dtype: torch.dtype | None = None) -> None:
        card = models()[model]
        self.architecture: Architecture = find_architecture(model)
        self.dtype: torch.dtype = dtype or getattr(torch, card.options.get("gpu_dtype", "bfloat16"))
        engine = find_engine(card.engine)
        self._fp32 = engine.fp32
        self._in_blocks = is_modular(engine.pipeline)
        self._built: dict[str, torch.nn.Module] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            component = self.architecture.parts[name]
            dtype = torch.float32 if name in self._fp32 else self.dtype
            module = build_network(component, device=META, dtype=dtype)
            lora = self.architecture.lora
            if lora and name == "transformer":
                _adapt(module, lora["rank"], lora["targets"], self.dtype)
            self._built[name] = module
        return self._built[name]

    @functools.cached_property
    def weights(self) -> dict[str, int]:
        """Bytes of each component."""
        return {name: weights(self[name]) for name in self.architecture.parts}

    @functools.cached_property
    def leaves(self) -> dict[str, int]:
        """Bytes of the largest layer of each component; of the largest block where these move."""
        return {
            name: largest_block(self[name])
            if self._in_blocks and name.startswith("transformer")
            else largest_leaf(self[name])
            for name in self.architecture.parts
        }

    @functools.cached_property
    def fixed(self) -> tuple[str, ...]:
        """Components beside the VAE that stay on the device, since they cannot move in parts."""
        if not self._in_blocks:
            return ()
        others = (name for name in self.architecture.parts if name != VAE)
        return tuple(name for name in others if not getattr(self[name], MOVES_IN_PARTS, True))

    @functools.cached_property
    def vae_dtype(self) -> torch.dtype:
        """Type that the VAE decodes in."""
        found: torch.dtype = next(self["vae"].parameters()).dtype
        return found


def _adapt(module: Any, rank: int, targets: list[str], dtype: torch.dtype) -> None:
    """Add a LoRA to a transformer, as in a call: beside the weights, not merged."""
    from peft import LoraConfig

    with META:
        module.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, target_modules=targets, init_lora_weights=False)
        )
    for name, tensor in module.named_parameters():
        if "lora_" in name:
            tensor.data = tensor.data.to(dtype)
    module.requires_grad_(requires_grad=False)


@contextlib.contextmanager
def _counted(*held: torch.nn.Module, channels_last: bool = False) -> Iterator[LiveBytes]:
    counting = LiveBytes(*held, channels_last=channels_last)
    with torch.no_grad(), AsOnAGpu(), counting as live, warnings.catch_warnings():
        # The warning is about the speed of mixed types on a GPU, which does not matter here.
        warnings.filterwarnings("ignore", "Mismatch dtype between input and weight", UserWarning)
        yield live


def _laid_out(vae: Any) -> bool:
    """Say whether a run on a GPU uses channels-last weights for a VAE."""
    return type(vae).__name__ in CHANNELS_LAST_VAES


def _once_for_a_vae(count: Callable[..., int]) -> Callable[..., int]:
    """Count a VAE only once for all models that share it."""
    known: dict[tuple[object, ...], int] = {}

    @functools.wraps(count)
    def counted(
        modules: Modules, shape: tuple[int, int, int], *, channels_last: bool, tiles: bool
    ) -> int:
        vae = modules.architecture.parts["vae"]
        key = (vae.kind, repr(vae.config), modules.vae_dtype, shape, channels_last, tiles)
        if key not in known:
            known[key] = count(modules, shape, channels_last=channels_last, tiles=tiles)
        return known[key]

    return counted


def latent_shape(vae: Any, size: Size) -> tuple[int, int, int]:
    """Return the frames, the height and the width of a video's latents."""
    spatial, temporal = ratios(vae)
    frames = (size.frames - 1) // temporal + 1
    if hasattr(vae, "tokens_chunk_size"):
        # MiniMax H3 encodes pieces of 17 frames to five each, and two more follow the last one.
        frames = size.frames // vae.config.clip_length * vae.tokens_chunk_size + 2
    return frames, size.height // spatial, size.width // spatial


def ratios(vae: Any) -> tuple[int, int]:
    """Return the compression of a VAE, in space and in time."""
    config = vae.config
    if "scale_factor_spatial" in config:
        return config.scale_factor_spatial, config.scale_factor_temporal
    # Read from the configuration: access through the network warns.
    spatial = config.get("spatial_compression_ratio")
    temporal = config.get("temporal_compression_ratio")
    if spatial is None and "temporal_compression_ratio" not in config:
        spatial = getattr(vae, "spatial_compression_ratio", None)
    if temporal is None:
        temporal = vae.temporal_compression_ratio
        spatial = spatial or vae.spatial_compression_ratio
    if spatial is None:
        spatial = 2 ** (len(config.block_out_channels) - 1)
    return int(spatial), int(temporal)


def channels(vae: Any) -> int:
    """Return the number of latent channels."""
    config = vae.config
    return int(config.get("z_dim") or config.latent_channels)


def windowed(architecture: Architecture, size: Size) -> Size:
    """Return the part of a video that is generated at once."""
    if architecture.window is None or size.frames <= architecture.window:
        return size
    return Size(width=size.width, height=size.height, frames=architecture.window)


def text_bytes(modules: Modules, words: int) -> int:
    """Return the peak of the text encoders beside their weights."""
    peak = 0
    for name in TEXT:
        if name not in modules.architecture.parts:
            continue
        encoder = modules[name]
        limit = getattr(encoder.config, "max_position_embeddings", None) or words
        count = min(words, limit)
        tokens = torch.empty(1, count, dtype=torch.long, device=META)
        given: dict[str, Any] = {"input_ids": tokens, "output_hidden_states": True}
        layers = getattr(encoder.config.get_text_config(), "layer_types", None)
        if encoder.config.model_type == "gemma4_unified" and layers:
            # Its masks are made by reading values, which there are none of here; they are small.
            given["attention_mask"] = dict.fromkeys(layers)
        if encoder.config.model_type == "qwen3_vl":
            # MiniMax H3 reads a layer of it, and no next word.
            encoder = encoder.base_model
        with _counted(encoder) as live:
            kept = encoder(**given)
        del kept
        peak = max(peak, live.peak)
    return peak


def denoise_bytes(modules: Modules, size: Size, *, words: int, guided: bool) -> int:
    """Return the peak of a step beside the weights."""
    transformer, architecture = modules["transformer"], modules.architecture
    seen = windowed(architecture, size)
    twice = guided and type(transformer).__name__ in TOGETHER
    latents = latent_shape(modules["vae"], seen)
    with _counted(transformer, modules["vae"]) as live:
        step = Step(
            transformer=transformer,
            architecture=architecture,
            latents=latents,
            frames=seen.frames,
            dtype=modules.dtype,
            batch=2 if twice else 1,
            words=words,
        )
        # In fp32, with the scheduler's memory of three steps and the prediction.
        kept = [
            torch.empty(channels(modules["vae"]), *latents, device=META, dtype=torch.float32)
            for _ in range(5)
        ]
        call(step)
        del kept
    return live.peak + held_bytes(architecture, size)


def cache_bytes(modules: Modules, size: Size) -> int:
    """Return the bytes that the transformer keeps from one pass for all steps; 0 for most."""
    transformer = modules["transformer"]
    count = CACHES.get(type(transformer).__name__)
    if count is None:
        return 0
    latents = latent_shape(modules["vae"], windowed(modules.architecture, size))
    return count(transformer.config, latents) * modules.dtype.itemsize


def encode_bytes(
    modules: Modules, size: Size, *, tiles: bool = False, channels_last: bool | None = None
) -> int:
    """Return the VAE's peak while it encodes the inputs; 0 without inputs.

    Args:
        modules: The model.
        size: Of the video.
        tiles: True for a VAE that works in tiles.
        channels_last: The layout of its weights; None for that of a real run.
    """
    architecture, vae = modules.architecture, modules["vae"]
    if not architecture.encodes:
        return 0
    seen = windowed(architecture, size)
    spatial, temporal = ratios(vae)
    frames = 1 if architecture.encodes == "image" else (seen.frames - 1) // temporal * temporal + 1
    height, width = seen.height // spatial * spatial, seen.width // spatial * spatial
    laid = _laid_out(vae) if channels_last is None else channels_last
    peak = _encoding(modules, (frames, height, width), channels_last=laid, tiles=tiles)
    # The known and the unknown part are encoded one after the other, but both are built first.
    pair = 2 * _pixels(size) * 12 if architecture.encodes == "masked_video" else 0
    return peak + pair + held_bytes(architecture, size)


@_once_for_a_vae
def _encoding(
    modules: Modules, shape: tuple[int, int, int], *, channels_last: bool, tiles: bool
) -> int:
    vae = modules["vae"]
    with _tiled(vae, tiles=tiles), _counted(vae, channels_last=channels_last) as live:
        video = torch.empty(1, 3, *shape, device=META, dtype=modules.vae_dtype)
        vae.encode(video)
        del video
    return live.peak


def decode_bytes(
    modules: Modules, size: Size, *, tiles: bool = False, channels_last: bool | None = None
) -> int:
    """Return the VAE's peak while it decodes; arguments as for encoding."""
    architecture, vae = modules.architecture, modules["vae"]
    seen = windowed(architecture, size)
    shape = latent_shape(vae, seen)
    laid = _laid_out(vae) if channels_last is None else channels_last
    peak = _decoding(modules, shape, channels_last=laid, tiles=tiles)
    whole = _pixels(size) * 3 * modules.vae_dtype.itemsize if seen is not size else 0
    return peak + 2 * whole + held_bytes(architecture, size)


@_once_for_a_vae
def _decoding(
    modules: Modules, shape: tuple[int, int, int], *, channels_last: bool, tiles: bool
) -> int:
    vae = modules["vae"]
    with _tiled(vae, tiles=tiles), _counted(vae, channels_last=channels_last) as live:
        latents = torch.empty(1, channels(vae), *shape, device=META, dtype=modules.vae_dtype)
        given = {}
        if vae.config.get("timestep_conditioning"):
            given["temb"] = torch.empty(1, device=META, dtype=modules.vae_dtype)
        video = vae.decode(latents, return_dict=False, **given)[0]
        # The conversion of the range needs two more copies.
        video = (video * 0.5 + 0.5).clamp(0, 1)
        del video
    return live.peak


def held_bytes(architecture: Architecture, size: Size) -> int:
    """Return the bytes of the pixels that a pipeline keeps during the whole run, in fp32."""
    kept = {"masked_video": 2}.get(architecture.encodes, 0)
    if architecture.window is not None and architecture.encodes == "video":
        # The skeletons; the faces are small.
        kept = 1
    return CUDA_BYTES + kept * _pixels(size) * 12


def _pixels(size: Size) -> int:
    return size.width * size.height * size.frames


@contextlib.contextmanager
def _tiled(vae: Any, *, tiles: bool) -> Iterator[None]:
    if tiles:
        vae.enable_tiling()
    try:
        yield
    finally:
        vae.disable_tiling()
