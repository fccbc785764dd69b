"""Did-you-mean for names that are almost right, or that other tools have for the same thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

ALMOST: Final = 0.72
"""Likeness (difflib's ratio) from which a name may be a slip of another: negativ_prompt is,
aspect_ratio is no acceleration."""
CLEARLY: Final = 0.85
"""The same for the words of other tools, of which there are many."""
LONGEST_NAME: Final = 200
"""Characters beyond which a name is no slip of another: the time for likeness is quadratic."""

_WORDS: Final[Mapping[tuple[str, ...], str]] = MappingProxyType(
    {
        ("seconds", "num_frames", "at"): "duration seconds length time clip_length video_length"
        " duration_seconds num_seconds video_duration duration_s",
        ("num_frames",): "frames frame_num frame_count n_frames nframes num_video_frames"
        " video_frames total_frames",
        ("num_inference_steps",): "steps num_steps n_steps sampling_steps sample_steps"
        " inference_steps denoising_steps num_sampling_steps infer_steps",
        ("guidance_scale",): "cfg cfg_scale guidance guide_scale sample_guide_scale"
        " guidance_strength prompt_strength embedded_guidance_scale scale",
        ("guidance_scale_2",): "guidance_2 guidance2 guidance2_scale cfg_2 guidance_scale_low",
        ("true_cfg_scale", "guidance_scale"): "true_cfg real_guidance_scale",
        ("flow_shift",): "shift sample_shift sigma_shift time_shift timestep_shift",
        ("resolution", "width"): "resolution size dimensions video_size image_size frame_size",
        ("aspect", "width"): "aspect aspect_ratio ratio",
        ("seed",): "generator random_seed noise_seed manual_seed base_seed rng",
        ("fps",): "frame_rate framerate frames_per_second output_fps force_fps",
        ("negative_prompt",): "negative neg_prompt n_prompt negative_text uncond_prompt",
        ("prompt",): "text caption positive positive_prompt text_prompt input_text",
        ("image", "first_frame"): "input_image start_image init_image first_image image_start"
        " image_url start_image_url picture photo img image_path input_image_url ref_image",
        ("first_frame", "image"): "first_frame_image start_frame first_frame_url",
        ("keyframes",): "key_frames keyframe key_frame keyframe_images keyframe_image frames_at"
        " images_at waypoints way_points key_poses middle_frame middle_frames mid_frame mid_frames"
        " middle_image between_frames pictures_between guide_frames guide_images anchor_frames"
        " conditions image_conditions conditioning_images",
        ("at",): "timestamp moment second timecode at_seconds",
        ("frame",): "frame_index frame_idx index frame_number frame_id at_frame",
        ("last_frame",): "end_image last_image tail_image image_end end_frame end_image_url"
        " tail_image_url last_frame_image",
        ("guiding_video", "pose_video"): "video input_video driving_video video_url"
        " reference_video motion_video video_guide video_path source_video",
        ("control_video", "pose_video", "guiding_video"): "control_video depth_video canny_video"
        " control_reference depth edge_video",
        ("background_video",): "background bg_video background_url",
        ("mask_video",): "mask masks mask_url video_mask src_mask mask_image",
        ("control",): "control_type control_kind control_mode",
        ("pose_video", "pose_guidance"): "pose poses skeletons pose_images control_images",
        ("noise_multiplier", "conditioning_scale", "image_cond_noise_scale"): "strength denoise"
        " denoising_strength image_strength",
        ("loras",): "lora lora_weights activated_loras adapters lora_path lora_paths",
        ("memory",): "offload cpu_offload vram low_vram memory_mode memory_profile enable_offload",
        ("acceleration",): "teacache tea_cache speed fast turbo torch_compile attention_backend",
        ("quantization",): "quantize quantise quantization_config load_in_8bit load_in_4bit",
        ("weights",): "gguf unet unet_name transformer text_encoder model_file checkpoint ckpt",
        ("revisions",): "revision commit commits",
        ("text_to_video",): "t2v txt2vid text2video",
        ("image_to_video",): "i2v img2vid image2video",
        ("interpolate",): "flf2v keyframes interpolation",
        ("weights_dir",): "cache_dir models_dir model_dir checkpoint_dir",
        ("output_dir",): "outdir output_folder save_dir output_path",
    }
)

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {word: names for names, words in _WORDS.items() for word in words.split()}
)
"""What diffusers, ComfyUI, fal, Wan2GP and people call an argument, and our names for it: the first
one that a call has is meant."""


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with a leading blank, or an empty string.

    Args:
        given: What the caller wrote.
        known: The names that exist.
    """
    nearest = closest(given, known)
    return f" Did you mean {nearest!r}?" if nearest else ""


def closest(given: object, known: Iterable[str]) -> str | None:
    """Return the known name that is most likely meant, or None rather than a far-fetched one.

    The same but for case and separators comes first, then what other tools call it, then what
    differs by a few letters, then a name that has all the parts of the given one.
    """
    if len(str(given)) > LONGEST_NAME:
        return None
    by_form = {_form(name): name for name in known}
    form = _form(str(given))
    if form in by_form:
        return by_form[form]
    words = {word: found for word in SYNONYMS if (found := _synonym(word, by_form))}
    if form in words:
        return words[form]
    nearest = _most_alike(form, by_form, ALMOST)
    if nearest is not None:
        return by_form[nearest]
    word = _most_alike(form, words, CLEARLY)
    if word is not None:
        return words[word]
    return _with_all_parts(form, by_form)


def _form(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def _synonym(word: str, by_form: Mapping[str, str]) -> str | None:
    return next((by_form[_form(name)] for name in SYNONYMS[word] if _form(name) in by_form), None)


def _with_all_parts(form: str, by_form: Mapping[str, str]) -> str | None:
    """Return the most alike of the names in which each part of the given one stands."""
    parts = [part for part in re.split(r"[\W_]+", form) if part]
    if len(parts) < 2:
        return None
    holding = [name for name in by_form if all(part in name for part in parts)]
    nearest = _most_alike(form, holding, 0.0)
    return None if nearest is None else by_form[nearest]


def _most_alike(form: str, known: Iterable[str], likeness: float) -> str | None:
    return next(iter(get_close_matches(form, list(known), n=1, cutoff=likeness)), None)


def list_names(names: Iterable[str]) -> str:
    """Return the names sorted and quoted, for the end of an error message."""
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def shorten_repr(value: object, limit: int = 80) -> str:
    """Return ``repr`` of a value, cut so that an error message stays readable.

    Bytes are shown by their number: they are a picture, and their ``repr`` is four times as long.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    if isinstance(value, str) and len(value) > limit:
        value = value[:limit]
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out a whole number of more than 4,300 digits.
        return f"{type(value).__name__} that is too long to be shown"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
