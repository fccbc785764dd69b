"""``tiomagic text-to-video``, ``image-to-video``, ``interpolate``, ``pose-guidance``, ``extend``.

Each command has the inputs of its feature, the settings that all models have, and the options of a
run. The domain says which inputs a feature has; it is loaded when one of the commands is called
for, and not for ``tiomagic --help``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from inspect import Parameter, Signature
from typing import Any, Final

from tiomagic.cli import _options as o
from tiomagic.cli._run import run_feature

SIZES: Final[Mapping[str, Any]] = {
    "seconds": o.Seconds,
    "aspect": o.Aspect,
    "resolution": o.Resolution,
}
SETTINGS: Final[Mapping[str, Any]] = {
    "seed": o.Seed,
    **SIZES,
    "width": o.Width,
    "height": o.Height,
    "num_frames": o.NumFrames,
    "num_inference_steps": o.Steps,
    "guidance_scale": o.GuidanceScale,
    "negative_prompt": o.NegativePrompt,
}
"""The settings that have an option of their own, by parameter name."""

OPTIONS: Final[Mapping[str, tuple[Any, object]]] = {
    "source": (o.From, None),
    "model": (o.Model, None),
    "provider": (o.Provider, None),
    **{name: (option, None) for name, option in SETTINGS.items()},
    "loras": (o.Lora, None),
    "assignments": (o.Set, None),
    "output": (o.OutputFile, None),
    "preview": (o.PreviewFile, None),
    "model_path": (o.ModelPath, None),
    "wait": (o.Wait, True),
    "retry": (o.Retry, 0),
    "max_cost": (o.MaxCost, None),
    "timeout": (o.Timeout, None),
    "dry_run": (o.DryRun, False),
    "trust": (o.Trust, False),
    "force": (o.Force, False),
    "yes": (o.Yes, False),
    "accept_terms": (o.AcceptTerms, None),
    "quiet": (o.Quiet, False),
    "as_json": (o.Json, False),
    "debug": (o.Debug, False),
}
"""The options of every feature with their defaults, in the order of the help page."""

INPUT_OPTIONS: Final[Mapping[str, Any]] = {
    "prompt": o.Prompt,
    "guiding_video": o.GuidingVideo,
    "pose_video": o.PoseVideo,
    "control_video": o.ControlVideo,
    "control": o.Control,
    "background_video": o.BackgroundVideo,
    "mask_video": o.MaskVideo,
}
"""The inputs that are no picture; all others are read by ``o.Source``."""


FEATURE_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "interpolate": {"keyframes": o.Keyframes},
}
"""Further inputs of one feature, which not every model has, by parameter name."""
END_OPTIONS: Final[Mapping[str, Any]] = {
    "first_frame": o.FirstFrame,
    "last_frame": o.LastFrame,
}
"""The ends of interpolation, which not every model needs."""
LOOPING: Final = frozenset({"image_to_video", "interpolate"})
"""The features that can make a loop."""


class FeatureCommand:
    """The command of one feature, as typer takes a function.

    Args:
        feature: The feature's name in Python, such as ``text_to_video``.
        summary: The text of its help page.
    """

    def __init__(self, feature: str, summary: str) -> None:
        self.__name__ = feature
        self.__doc__ = summary
        self.__annotations__: dict[str, object] = {}

    @property
    def __signature__(self) -> Signature:
        """The parameters of the command; typer makes the options of them."""
        known = {**INPUT_OPTIONS, **(END_OPTIONS if self._more else {})}
        given: dict[str, tuple[Any, object]] = {
            name: (known.get(name, o.Source), None) for name in self._inputs()
        }
        given |= {name: (option, None) for name, option in self._more.items()}
        if self.__name__ in LOOPING:
            given["loop"] = (o.Loop, False)
        return _sign({**given, **OPTIONS})

    def __call__(self, **values: Any) -> None:
        """Run the command with the values of its options."""
        from tiomagic.cli._values import join_keyframes, loras_text  # noqa: PLC0415  # Heavy.

        given = {name: values[name] for name in (*self._inputs(), *SETTINGS)}
        given |= {name: join_keyframes(values[name]) for name in self._more}
        run_feature(
            self.__name__,
            values["model"],
            given | {"loras": loras_text(values["loras"])},
            values["assignments"],
            o.CommandRun(**{field.name: values[field.name] for field in fields(o.CommandRun)}),
            values["source"],
            more={"loop": True} if values.get("loop") else {},
        )

    @property
    def _more(self) -> Mapping[str, Any]:
        return FEATURE_OPTIONS.get(self.__name__, {})

    def _inputs(self) -> list[str]:
        from tiomagic_domain.features import (  # noqa: PLC0415  # Heavy.
            CONTROLLED_LAST_FRAME,
            INPUTS,
            MOTION_SOURCES,
            REPLACEMENT_SOURCES,
            Feature,
        )

        feature = Feature(self.__name__)
        if feature is not Feature.POSE_GUIDANCE:
            return [parameter.name for parameter in INPUTS[feature]]
        more = (*MOTION_SOURCES, CONTROLLED_LAST_FRAME, *REPLACEMENT_SOURCES)
        return [*(parameter.name for parameter in (*INPUTS[feature], *more)), "control"]


class ExtendCommand(FeatureCommand):
    """The command that continues a video: image to video, with its end as the picture."""

    @property
    def __signature__(self) -> Signature:
        """The parameters of the command."""
        given = {
            "video": (o.ContinuedVideo, Parameter.empty),
            "prompt": (o.NextPrompt, None),
        }
        return _sign({**given, **OPTIONS, "seconds": (o.NewSeconds, None)})

    def __call__(self, **values: Any) -> None:
        """Run the command with the values of its options."""
        run_feature(
            "image_to_video",
            values["model"],
            {name: values[name] for name in ("prompt", *SETTINGS)},
            values["assignments"],
            o.CommandRun(**{field.name: values[field.name] for field in fields(o.CommandRun)}),
            values["source"],
            continued=values["video"],
        )


def _sign(given: Mapping[str, tuple[Any, object]]) -> Signature:
    """Return a signature of options, by name, with their defaults."""
    return Signature(
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=option)
            for name, (option, default) in given.items()
        ]
    )


EXTEND_COMMAND: Final = ExtendCommand("extend", "Continue a video; the result has both parts.")
FEATURE_COMMANDS: Final = (
    FeatureCommand("text_to_video", "Make a video from words."),
    FeatureCommand("image_to_video", "Make a video that begins with a picture."),
    FeatureCommand("interpolate", "Make the video between pictures."),
    FeatureCommand("pose_guidance", "Make a pictured character move like a person in a video."),
)
