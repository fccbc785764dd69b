"""What the engines over a diffusers pipeline share: one call, from settings to frames.

An engine says what its pipeline is called with and nothing of what every call needs::

    class MyEngine(PipelineEngine):
        pipeline = "MyPipeline"
        features = (Feature.TEXT_TO_VIDEO,)

The base has the methods of the four feature ports, which are one. What a pipeline does in its own
way is said by the class attributes and by the methods in this order, each with a default that fits
most pipelines:

==================  ===============================================================================
method              answers
==================  ===============================================================================
``_for_inputs``     the engine of another pipeline, where this one does not take the inputs
``_conditions``     what the pipeline is called with for the inputs: by default their pictures
``_set_up``         what the pipeline has to have before a call; ``_scheduler`` is its scheduler
``_watch``          what is watched while it runs; ``_sections`` and ``_chunks`` are its numbers,
                    and ``_latent_frames`` what a preview shows
``_arguments``      what the pipeline is called with; by default every setting by its own name
``_collect``        what is done with its output, and what is to be so for the time of the call
``_clip``           what its output is as a clip; ``_frames`` and ``_length`` are the parts of it
``_facts``          what the record says of the prompt; ``_tokenizer`` reads it
``_clean``          what a run that was stopped leaves behind in the pipeline
==================  ===============================================================================
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from PIL import Image

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import GenerationError, TioMagicError
from tiomagic_domain.features import (
    Feature,
    ImageToVideoInputs,
    Inputs,
    InterpolateInputs,
    MotionInputs,
    TextToVideoInputs,
)
from tiomagic_domain.media import Clip, Media
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.engine_errors import translate_engine_error
from tiomagic_local.engines._shared.pixels import to_pixels
from tiomagic_local.engines._shared.previews import preview_drawer
from tiomagic_local.engines._shared.sibling import sibling
from tiomagic_local.engines._shared.watch import Watch
from tiomagic_media.decode.frames import cover, load_image, load_video

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the inputs of a call come to."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the pipeline; they win over those of the settings."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the record says of the inputs."""


class PipelineEngine:
    """Calls a diffusers pipeline.

    Args:
        pipeline: Loaded and placed.
        card: The model.
    """

    pipeline: ClassVar[str]
    """The name of the pipeline class in diffusers."""
    features: ClassVar[tuple[Feature, ...]]
    """Its features."""
    picture_pipeline: ClassVar[str | None] = None
    """The class that takes pictures, set up on the same components; None where ``pipeline`` does.
    """
    fp32: ClassVar[tuple[str, ...]] = ()
    """Components that stay in fp32 whatever the rest runs in."""
    has_step_callback: ClassVar[bool] = True
    """False for a pipeline without a step callback; then the scheduler's steps are counted."""
    limit_argument: ClassVar[str | None] = "max_sequence_length"
    """What the pipeline calls the longest prompt in tokens; None when it takes no such argument."""
    masked: ClassVar[bool] = True
    """False where the transformer's attention has no mask, so that every kernel can run it."""
    consumed_settings: ClassVar[frozenset[str]] = frozenset(
        {
            *(
                "seed",
                "fps",
                "memory",
                "quality",
                "quantization",
                "weights",
                "loras",
                "acceleration",
                "revisions",
            ),
            # The engine itself reads the inputs.
            *("pose_colours", "pose_pace", "control", "picture_frames"),
        }
    )
    """Settings that are not passed to the pipeline by their names.

    An explicit list, not the pipeline's signature: with that, unknown settings would be dropped
    without an error, and settings with another meaning (``fps`` of SkyReels) would be passed on.
    """

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        self._card = card
        self._placed = self._pipeline = pipeline
        self._pictures: PipelineEngine | None = None
        if self.picture_pipeline is not None:
            self._pictures = self._on_sibling(self.picture_pipeline)

    def _on_sibling(self, name: str) -> Self:
        """Return this engine over another pipeline on the same components."""
        other = copy.copy(self)
        other._pipeline = sibling(self._placed, name)  # noqa: SLF001 - a copy of itself
        return other

    def generate(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port of the inputs' feature says.

        Raises:
            TypeError: when the engine does not have the feature.
        """
        if inputs.feature not in self.features:
            raise TypeError(f"{type(self).__name__} does not have {inputs.feature.value}")
        other = self._for_inputs(inputs)
        if other is not self:
            return other.generate(inputs, settings, progress, cancel)
        conditions = self._conditions(inputs, settings, progress, cancel)
        cancel.raise_if_canceled()
        self._set_up(settings)
        watch = self._watch(settings, progress, cancel)
        arguments = {**self._arguments(inputs.prompt, settings), **conditions.arguments}
        if self.has_step_callback:
            theirs = arguments.get("callback_on_step_end")
            arguments["callback_on_step_end"] = chain_callbacks(watch.on_step_end, theirs)
        with watch, self._collect(settings) as collect:
            with self._left_clean():
                output = self._pipeline(**arguments)
            output = collect(output)
        clip = self._clip(output, inputs.prompt, settings)
        return replace(clip, facts={**clip.facts, **conditions.facts})

    text_to_video: Callable[..., Clip] = generate
    image_to_video: Callable[..., Clip] = generate
    interpolate: Callable[..., Clip] = generate
    pose_guidance: Callable[..., Clip] = generate

    def _for_inputs(self, inputs: Inputs) -> PipelineEngine:
        """Return the engine over the pipeline that takes the inputs: this one, or a sibling."""
        if self._pictures is not None and inputs.feature is not Feature.TEXT_TO_VIDEO:
            return self._pictures
        return self

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        """Return the arguments for the inputs beside the prompt: here, a picture or two.

        Args:
            inputs: Of one of the features that the engine has.
            settings: Those of the model's schema.
            progress: Gets the events of long steps.
            cancel: Checked at each of them.
        """
        del progress, cancel
        ends = zip(("image", "last_image"), end_pictures(inputs), strict=False)
        return Conditions({name: self._picture(media, settings) for name, media in ends})

    def _set_up(self, settings: Mapping[str, Any]) -> None:
        """Make the pipeline ready for one call."""
        self._pipeline.scheduler = self._scheduler(settings)

    def _collect(self, settings: Mapping[str, Any]) -> AbstractContextManager[Callable[[Any], Any]]:
        """Give, for the time of a call, what takes the pipeline's output and returns it."""
        del settings
        return nullcontext(lambda output: output)

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        """Return the scheduler of one call: the repository's own.

        A new one for each call, so that it has no state of an interrupted run.
        """
        del settings
        shipped = self._pipeline.scheduler
        return type(shipped).from_config(shipped.config)

    def _watch(
        self, settings: Mapping[str, Any], progress: ProgressSink, cancel: CancelToken
    ) -> Watch:
        """Return the watcher of one call."""
        return Watch(
            self._pipeline,
            steps=int(settings["num_inference_steps"]),
            sections=self._sections(settings),
            chunks=self._chunks(settings),
            progress=progress,
            cancel=cancel,
            has_step_callback=self.has_step_callback,
            drawer=preview_drawer(
                self._pipeline, self._card, lambda latents: self._latent_frames(latents, settings)
            ),
        )

    def _latent_frames(self, latents: torch.Tensor, settings: Mapping[str, Any]) -> torch.Tensor:
        """Return the latents of a step as latent frames for a preview: (C, T, h, w), or more C."""
        del settings
        return latents[0]

    def _sections(self, settings: Mapping[str, Any]) -> int:
        """Return how many parts of the video are made one after the other."""
        del settings
        return 1

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        """Return how often the VAE's decoder will be called; 0 when that is not known."""
        del settings
        return 0

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the pipeline is called with, beside the conditions of the feature."""
        arguments = {
            name: value for name, value in settings.items() if name not in self.consumed_settings
        }
        if self.limit_argument is not None:
            arguments[self.limit_argument] = self._card.prompt_tokens
        # Drawn on the CPU, so that a seed means the same noise on every device.
        generator = torch.Generator("cpu").manual_seed(int(settings["seed"]))
        arguments |= {"prompt": prompt, "generator": generator, "output_type": "pt"}
        # A pipeline takes words or what an encoder made of them, never both.
        for name in ("prompt", "negative_prompt"):
            if f"{name}_embeds" in arguments:
                arguments[name] = None
        return arguments

    def _clip(self, output: Any, prompt: str, settings: Mapping[str, Any]) -> Clip:
        """Return the pipeline's output as a clip of the requested size and length."""
        pixels = to_pixels(self._frames(output, settings))
        wanted = (self._length(settings), settings["height"], settings["width"], 3)
        if pixels.shape != wanted:
            raise GenerationError(f"the model gave frames of {pixels.shape} instead of {wanted}")
        return Clip(frames=pixels, fps=float(settings["fps"]), facts=self._facts(prompt))

    def _frames(self, output: Any, settings: Mapping[str, Any]) -> torch.Tensor | NDArray[np.uint8]:
        """Return the frames of the output: (T, 3, H, W), 0.0-1.0; or pixels, (T, H, W, 3)."""
        del settings
        frames: torch.Tensor | NDArray[np.uint8] = output.frames[0]
        return frames

    def _length(self, settings: Mapping[str, Any]) -> int:
        """Return how many frames there have to be."""
        return int(settings["num_frames"])

    def prompt_facts(self, prompt: str) -> dict[str, object]:
        """Return how many tokens a prompt has and how many are read, and the text that is not."""
        return self._facts(prompt)

    def _facts(self, prompt: str) -> dict[str, object]:
        """Return what the record says of the prompt."""
        tokenizer, limit = self._tokenizer(), self._card.prompt_tokens
        tokens = len(tokenizer(prompt).input_ids)
        facts: dict[str, object] = {
            "prompt_tokens": tokens,
            "prompt_tokens_read": min(tokens, limit),
        }
        if tokens > limit:
            facts["prompt_cut"] = cut_text(tokenizer, prompt, limit)
        return facts

    def _tokenizer(self) -> Any:
        """Return the tokenizer whose limit the card names."""
        return self._pipeline.tokenizer

    def _clean(self) -> None:
        """Clean up after an interrupted run: components on the device, state in the hooks."""
        self._pipeline.maybe_free_model_hooks()

    @contextmanager
    def _left_clean(self) -> Iterator[None]:
        """Clean up after an interrupted run, and translate errors of the pipeline."""
        try:
            yield
        except BaseException as error:
            self._clean()
            if isinstance(error, TioMagicError) or not isinstance(error, Exception):
                raise
            raise translate_engine_error(error) from error
        finally:
            # Only the pipeline that was placed can put its components back.
            if self._pipeline is not self._placed:
                self._placed.maybe_free_model_hooks()

    def _picture(self, media: Media, settings: Mapping[str, Any]) -> Image.Image:
        """Return a picture in exactly the size of the video, cropped and never stretched."""
        return cover(load_image(media), int(settings["width"]), int(settings["height"]))

    def _context(self, media: Media, settings: Mapping[str, Any]) -> list[Image.Image]:
        """Return the frames that a continuation begins with, in exactly the size of the video."""
        size = (int(settings["width"]), int(settings["height"]))
        return [Image.fromarray(frame) for frame in load_video(media, size=size)]


def end_pictures(inputs: Inputs) -> tuple[Media, ...]:
    """Return the pictures that a video begins and ends with: none, the first, or both."""
    match inputs:
        case ImageToVideoInputs(image=image):
            return (image,)
        case InterpolateInputs(first_frame=first, last_frame=last):
            if first is None or last is None:
                raise TypeError("this pipeline has no place for one end without the other")
            return first, last
        case TextToVideoInputs():
            return ()
        case MotionInputs():
            raise TypeError("the pictures of pose guidance are frames of no video")


def placed_pictures(inputs: Inputs, count: int) -> dict[int, Media]:
    """Return the pictures of the inputs by the frame that each becomes, in the order of time.

    Args:
        inputs: Of any feature but pose guidance.
        count: Frames of the video.
    """
    if isinstance(inputs, InterpolateInputs):
        return inputs.frames(count)
    return dict(enumerate(end_pictures(inputs)))


def chain_callbacks(
    ours: Callable[..., dict[str, Any]], theirs: Callable[..., Any] | None
) -> Callable[..., dict[str, Any]]:
    """Return a callback that calls ours, then the caller's, and returns the caller's changes."""
    if theirs is None:
        return ours

    def on_step_end(
        pipeline: Any, index: int, timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        tensors = ours(pipeline, index, timestep, tensors)
        changed: dict[str, Any] | None = theirs(pipeline, index, timestep, tensors)
        return tensors if changed is None else changed

    return on_step_end


def cut_text(tokenizer: Any, prompt: str, limit: int) -> str:
    """Return the end of a prompt that a model does not read.

    Args:
        tokenizer: The model's own.
        prompt: With more tokens than the limit.
        limit: In tokens, with those that mark the ends.
    """
    # Only fast tokenizers know the position of a token in the text.
    places = {"return_offsets_mapping": True} if tokenizer.is_fast else {}
    words = tokenizer(prompt, add_special_tokens=False, **places)
    marks = len(tokenizer(prompt).input_ids) - len(words.input_ids)
    first = max(limit - marks, 0)
    if tokenizer.is_fast:
        return prompt[words.offset_mapping[first][0] :].strip()
    text: str = tokenizer.decode(words.input_ids[first:])
    return text.strip()
