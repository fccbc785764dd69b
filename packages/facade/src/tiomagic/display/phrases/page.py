"""The vocabulary of the page: its labels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tiomagic.display.next_steps import PAGE
from tiomagic.display.phrases.vocabulary import PLACE, Surface, Vocabulary

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acceleration": "Acceleration",
        "aspect": "Shape",
        "audio_guidance_scale": "Sound guidance",
        "background_video": "Video to keep",
        "cond_position": "Place of the picture",
        "control": "Controlled by",
        "control_video": "Control video",
        "conditioning_scale": "Strength of pictures and poses",
        "continued_video": "Video to continue",
        "decode_noise_scale": "Decoding noise",
        "decode_timestep": "Decoding time step",
        "first_frame": "First picture",
        "flow_shift": "Flow shift",
        "fps": "Frames per second",
        "guidance_rescale": "Guidance rescale",
        "guidance_scale": "Guidance",
        "guidance_scale_2": "Guidance of details",
        "guiding_video": "Video of a person",
        "height": "Height",
        "image": "Picture",
        "image_cond_noise_scale": "Noise on pictures",
        "keyframes": "Pictures between",
        "kv_cache": "Memory of the motion",
        "last_frame": "Last picture",
        "last_noise_multiplier": "Noise of the last picture",
        "loop": "Loop",
        "lora_alpha": "Strength of the model's LoRA",
        "loras": "LoRAs",
        "mask_video": "Mask of what is replaced",
        "max_cost": "Cost limit",
        "memory": "Memory plan",
        "modality_scale": "Picture and sound guidance",
        "model": "Model",
        "negative_prompt": "Negative prompt",
        "noise_multiplier": "Noise of the picture",
        "num_frames": "Length",
        "num_inference_steps": "Steps",
        "pose_colours": "Colours of the skeletons",
        "pose_pace": "Pace of the motion",
        "pose_video": "Video of skeletons",
        "prompt": "Prompt",
        "orientation": "Faces as in",
        "provider": "Runs on",
        "quality": "Quality of the weights",
        "quantization": "Weights in fewer bits",
        "resolution": "Resolution",
        "revisions": "Versions of the weights",
        "seed": "Seed",
        "sound": "Sound",
        "stg_scale": "Spatio-temporal guidance",
        "true_cfg_scale": "Negative prompt guidance",
        "use_dynamic_cfg": "Guidance follows the steps",
        "weights": "Files of weights",
        "width": "Width",
    }
)
"""The label of each parameter of the models that come with tiomagic."""

_NEEDS: Final = MappingProxyType(
    {"image": "Choose a picture", "video": "Choose a video", "string": "Write something here"}
)
_NEEDED: Final = MappingProxyType({"prompt": "Say what the video shows"})


class PageVocabulary:
    """Labels."""

    surface = Surface.PAGE
    ways = PAGE

    def name(self, parameter: str) -> str:
        """Return the label; one made of the name for a parameter of a plug-in's model."""
        place = PLACE.fullmatch(parameter)
        if place is not None:
            return f"{self.name(place['list'])}, {int(place['index']) + 1}"
        words = parameter.removeprefix("num_").replace("_", " ")
        return LABELS.get(parameter) or f"{words[:1].upper()}{words[1:]}"

    def assignment(self, parameter: str, value: object) -> str:
        """Return such as ``Steps 4``, or ``the model ltx-2``, which no field of the form shows."""
        if parameter == "model":
            return f"the model {value}"
        return f"{self.name(parameter)} {value}"

    def need(self, parameter: str, wanted: str, what: str) -> str:  # noqa: ARG002
        """Return such as ``Choose a picture``."""
        return _NEEDED.get(parameter) or _NEEDS.get(wanted) or f"Fill in {self.name(parameter)}"


PAGE_WORDS: Vocabulary = PageVocabulary()
"""The vocabulary of the page."""
