"""From a request to an mp4: the one function that runs a model, here and in a rented container."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import (
    ImageToVideoInputs,
    InterpolateInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import Clip, VideoFile
from tiomagic_domain.ports.provider import Report, Request
from tiomagic_domain.progress import (
    CancelToken,
    NeverCanceled,
    Phase,
    Progress,
    ProgressSink,
    ignore_progress,
)
from tiomagic_local.engines._shared.frame_sink import stream_frames_to
from tiomagic_local.lora.messages import describe_partial_use, lora_of
from tiomagic_local.runtime.memory_plan import MemoryPlan
from tiomagic_local.runtime.pipeline_cache import VAE_TILES_SETTING, Loaded, Runtime

if TYPE_CHECKING:
    from tiomagic_media.encode.streaming_writer import ClipWriter

__all__ = ["Runtime", "Stopwatch", "run_request"]

LIBRARIES = ("torch", "diffusers", "transformers", "av")
"""Whose versions decide what the frames look like."""

MAX_CUT_CHARS_SHOWN = 200
"""Characters of the unread part of a prompt that a message shows; the record has all of it."""


@runtime_checkable
class ReadsPrompts(Protocol):
    """An engine that knows before a run how much of a prompt its model reads."""

    def prompt_facts(self, prompt: str) -> Mapping[str, object]:
        """Return ``prompt_tokens``, ``prompt_tokens_read`` and, if it is cut, ``prompt_cut``."""
        ...


@runtime_checkable
class Warns(Protocol):
    """An engine that sees before a run what will not be as it was meant."""

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return what a person should know before the time is spent; empty for nothing."""
        ...


def ignore_note(text: str) -> None:
    """Take a word and forget it."""


class Stopwatch:
    """Measures how long each phase takes, and passes the moments on.

    Args:
        progress: Told every moment.
        now: Gives seconds that never go back.
    """

    def __init__(self, progress: ProgressSink, now: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._now = now
        self._phase: Phase | None = None
        self._since = 0.0
        self._seconds: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Take one moment."""
        self._turn_to(progress.phase)
        self._progress(progress)

    def stop(self) -> dict[str, float]:
        """Return the seconds of each phase."""
        self._turn_to(None)
        return {phase: round(seconds, 3) for phase, seconds in self._seconds.items()}

    def _turn_to(self, phase: Phase | None) -> None:
        if phase is self._phase:
            return
        now = self._now()
        if self._phase is not None:
            spent = self._seconds.get(self._phase.value, 0.0)
            self._seconds[self._phase.value] = spent + now - self._since
        self._phase, self._since = phase, now


def run_request(
    request: Request,
    *,
    runtime: Runtime,
    target: Path,
    progress: ProgressSink = ignore_progress,
    cancel: CancelToken | None = None,
    note: Callable[[str], None] = ignore_note,
) -> Report:
    """Make the video of a request and write it.

    Args:
        request: A validated job with its inputs at hand.
        runtime: Gives the model.
        target: Where the mp4 goes; it is there whole or not at all.
        progress: Told each phase and step.
        cancel: Asked at each moment; None for a run that nobody stops.
        note: Told what a person should know before the time is spent, in words.

    Returns:
        ``completed`` with the file, its recipe, and how it ran.

    Raises:
        GenerationCanceledError: when ``cancel`` was set; nothing is written.
        GenerationError: when the model could not make the video.
        ConfigurationError, AuthenticationError, APIError: when the model cannot be loaded.
        ProcessingError: when the file cannot be written.
    """
    from tiomagic_media.encode.streaming_writer import ClipWriter

    watch = Stopwatch(progress)
    with ClipWriter(target) as writer:
        token = cancel or NeverCanceled()
        return _run(request, runtime, writer, watch=watch, token=token, note=note)


def _run(
    request: Request,
    runtime: Runtime,
    writer: ClipWriter,
    *,
    watch: Stopwatch,
    token: CancelToken,
    note: Callable[[str], None],
) -> Report:
    from tiomagic_local.torch_env.quiet import silence_libraries

    with silence_libraries(), stream_frames_to(writer):
        loaded, clip = _make(request, runtime, watch, token, note)
    watch(Progress(phase=Phase.WRITING))
    token.raise_if_canceled()
    frames, height, width, _ = clip.frames.shape
    facts = {**loaded.facts, **clip.facts, "acceleration": loaded.running.facts()}
    facts |= {"frames": frames, "width": width, "height": height}
    facts["fps"] = clip.fps
    if loaded.peak.gib is not None:
        facts["memory"] = {**facts["memory"], "peak_gib": round(loaded.peak.gib, 1)}
    if clip.audio is not None:
        facts["audio_rate"], facts["audio_channels"] = clip.audio_rate, clip.audio.shape[1]
    if loaded.loras:
        facts["loras"] = list(loaded.loras)
    recipe = build_recipe(_pinned(request.job, loaded), versions=_versions(), facts=facts)
    writer.write(clip, recipe)
    # Known only now, so the file itself does not have it.
    facts |= {"seconds": watch.stop(), "versions": recipe["versions"]}
    video = VideoFile(path=writer.path, recipe=recipe)
    return Report(status=JobStatus.COMPLETED, message=_message(facts), video=video, facts=facts)


def _make(
    request: Request,
    runtime: Runtime,
    watch: ProgressSink,
    token: CancelToken,
    note: Callable[[str], None],
) -> tuple[Loaded, Clip]:
    """Make the clip; where the memory was estimated and is not enough, once more with less."""
    settings = dict(request.settings)
    smaller: MemoryPlan | None = None
    try:
        with runtime.use(request.card, settings, watch, token) as loaded:
            smaller = loaded.fallback_plan
            return loaded, _told(loaded, request, watch, token, note)
    except GenerationError as error:
        if error.code != ErrorCode.OUT_OF_MEMORY or smaller is None:
            raise
        plan = loaded.facts["memory"]["plan"]
        # It holds the pipeline, whose place the next one needs.
        del loaded
    # The last try is the smallest there is.
    settings[VAE_TILES_SETTING] = smaller is MemoryPlan.GROUP_OFFLOAD
    tiles = " and a VAE in tiles" if settings[VAE_TILES_SETTING] else ""
    note(f"the memory was not enough with {plan}; trying once more with {smaller}{tiles}")
    settings["memory"] = smaller.value
    with runtime.use(request.card, settings, watch, token) as loaded:
        clip = _told(loaded, request, watch, token, note)
    memory = {**loaded.facts["memory"], "reason": f"{plan} ran out of memory"}
    return replace(loaded, facts={**loaded.facts, "memory": memory}), clip


def _told(
    loaded: Loaded,
    request: Request,
    watch: ProgressSink,
    token: CancelToken,
    note: Callable[[str], None],
) -> Clip:
    """Make the clip, and say before what of the prompt is not read and what looks wrong."""
    watch(Progress(phase=Phase.PREPARING))
    engine = loaded.engine
    if isinstance(engine, ReadsPrompts):
        cut = _cut(engine.prompt_facts(request.inputs.prompt))
        if cut:
            note(cut)
    warned: list[str] = []
    if isinstance(engine, Warns):
        warned = list(engine.warnings(request.inputs, request.settings))
    for text in warned:
        note(text)
    worn = {**loaded.facts, "loras": loaded.loras}
    for left in describe_partial_use(worn, loaded.running.facts()):
        note(left)
    with loaded.run_in_step(request, token) as both:
        clip = call_engine(engine, request.inputs, request.settings, watch, both)
    return replace(clip, facts={**clip.facts, "warnings": warned}) if warned else clip


def call_engine(
    engine: Any,
    inputs: Any,
    settings: Mapping[str, Any],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Clip:
    """Make the clip of some inputs by the method of their feature; see the features' ports."""
    clip: Clip
    match inputs:
        case TextToVideoInputs():
            clip = engine.text_to_video(inputs, settings, progress, cancel)
        case ImageToVideoInputs():
            clip = engine.image_to_video(inputs, settings, progress, cancel)
        case InterpolateInputs():
            clip = engine.interpolate(inputs, settings, progress, cancel)
        case PoseGuidanceInputs():
            clip = engine.pose_guidance(inputs, settings, progress, cancel)
        case _:
            raise TypeError(f"{type(inputs).__name__} are the inputs of no feature")
    return clip


def _pinned(job: Job, loaded: Loaded) -> Job:
    """Return a job as its recipe tells it: by the weights that were used, whatever is newest then.

    LoRA files are named by their content, and without their folders.
    """
    pinned: dict[str, Any] = {}
    if loaded.loras:
        pinned["loras"] = [lora_of(fact).to_dict() for fact in loaded.loras]
    if loaded.revisions:
        pinned["revisions"] = dict(loaded.revisions)
    return replace(job, optional_args={**job.optional_args, **pinned}) if pinned else job


def _message(facts: Mapping[str, Any]) -> str:
    """Return the last word on the job: what it did otherwise than it was asked to."""
    refused = facts["acceleration"].get("cache", {}).get("refused")
    warned = facts.get("warnings", ())
    said = (
        *warned,
        _cut(facts),
        f"no blocks were left out: {refused}" if refused else "",
        _alone(facts),
        *describe_partial_use(facts, facts["acceleration"]),
    )
    return "; ".join(["completed", *filter(None, said)])


def _alone(facts: Mapping[str, Any]) -> str:
    """Return what is to be said where one device of a group has made the video."""
    parallel = facts.get("parallel", {})
    refused = parallel.get("refused")
    return f"{parallel['devices'][0]} made it alone: {refused}" if refused else ""


def _cut(facts: Mapping[str, Any]) -> str:
    """Return what is to be said of a prompt that is too long; empty for one that is not."""
    given, read = facts.get("prompt_tokens", 0), facts.get("prompt_tokens_read", 0)
    if given <= read:
        return ""
    text = str(facts.get("prompt_cut", ""))
    shown = text if len(text) <= MAX_CUT_CHARS_SHOWN else f"{text[:MAX_CUT_CHARS_SHOWN]}…"
    part = f"; it does not read: {shown!r}" if shown else ""
    return f"the prompt has {given} tokens, of which the model reads {read}{part}"


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            # An engine of somebody else may do without one of these.
            continue
    return found
