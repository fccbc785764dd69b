"""Runs a request: from the job to the finished mp4, here and in rented containers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tiomagic_domain.catalogue.kv_cache import CACHE_SETTING, IN_MAIN_MEMORY
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
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
from tiomagic_domain.weights.formats import QUANTIZATION, read_asked_formats
from tiomagic_domain.weights.given import WEIGHTS_ARGUMENT
from tiomagic_local.engines._shared.frame_sink import stream_frames_to
from tiomagic_local.lora.messages import describe_partial_use, lora_of
from tiomagic_local.memory.plans import BY_LAYERS, MemoryPlan
from tiomagic_local.runtime.doubles import leave_out_doubles
from tiomagic_local.runtime.loaded import Loaded
from tiomagic_local.runtime.memory_choice import VAE_TILES_SETTING
from tiomagic_local.runtime.pipeline_cache import Runtime

__all__ = ["Runtime", "Stopwatch", "run_request"]

LIBRARIES = ("torch", "diffusers", "transformers", "av")
"""Libraries whose versions affect the frames."""

RAN_OUT = "ran out of memory"
"""The end of the reason for a smaller memory plan than the first one."""
MAX_CUT_CHARS_SHOWN = 200
"""Characters of the unread part of a prompt that a message shows; the record has all of it."""


@runtime_checkable
class ReadsPrompts(Protocol):
    """An engine that can count how much of a prompt its model reads."""

    def prompt_facts(self, prompt: str) -> Mapping[str, object]:
        """Return ``prompt_tokens``, ``prompt_tokens_read`` and, if it is cut, ``prompt_cut``."""
        ...


@runtime_checkable
class Warns(Protocol):
    """An engine that can warn before a run."""

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run; empty for none."""
        ...


def ignore_note(text: str) -> None:
    """Do nothing with a note."""


class Stopwatch:
    """Measures the time of each phase, and passes progress events on.

    Args:
        progress: Gets every event.
        now: A monotonic clock, in seconds.
    """

    def __init__(self, progress: ProgressSink, now: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._now = now
        self._phase: Phase | None = None
        self._since = 0.0
        self._seconds: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Take one progress event."""
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
        runtime: Loads the model.
        target: Path of the mp4, which is written whole or not at all.
        progress: Gets each phase and step.
        cancel: Checked at each event; None for a run that cannot be canceled.
        note: Called with warnings before the run.

    Returns:
        ``completed`` with the file, its recipe, and facts of the run. If the video differs from the
        request, its facts have ``notes`` about it, and so has its message.

    Raises:
        GenerationCanceledError: when ``cancel`` was set; nothing is written.
        GenerationError: when the model could not make the video.
        ConfigurationError, AuthenticationError, APIError: when the model cannot be loaded.
        ProcessingError: when the file cannot be written.
    """
    from tiomagic_local.torch_env.quiet import silence_libraries
    from tiomagic_media.encode.streaming_writer import ClipWriter

    watch, token = Stopwatch(progress), cancel or NeverCanceled()
    with ClipWriter(target) as writer:
        with silence_libraries(), stream_frames_to(writer):
            loaded, clip = _make_clip(request, runtime, watch, token, note)
        watch(Progress(phase=Phase.WRITING))
        token.raise_if_canceled()
        clip = leave_out_doubles(clip, request)
        facts = _facts(loaded, clip)
        recipe = build_recipe(_pinned(request.job, loaded), versions=_versions(), facts=facts)
        writer.write(clip, recipe)
        # Known only now, so the file itself does not have it.
        facts |= {"seconds": watch.stop(), "versions": recipe["versions"]}
        notes = _notes(facts)
        if notes:
            facts["notes"] = notes
        return Report(
            status=JobStatus.COMPLETED,
            message="; ".join(["completed", *notes]),
            video=VideoFile(path=writer.path, recipe=recipe),
            facts=facts,
        )


def _make_clip(
    request: Request,
    runtime: Runtime,
    watch: ProgressSink,
    token: CancelToken,
    note: Callable[[str], None],
) -> tuple[Loaded, Clip]:
    """Make the clip; retry once with a smaller plan if an estimated one runs out of memory."""
    settings, failed = dict(request.settings), ""
    while True:
        smaller: MemoryPlan | None = None
        try:
            with runtime.use(request.card, settings, watch, token) as loaded:
                smaller = loaded.fallback_plan
                warned = _say_beforehand(loaded, request, watch, note)
                with loaded.run_in_step(request, token) as both:
                    clip: Clip = getattr(loaded.engine, request.feature.value)(
                        request.inputs, request.settings, watch, both
                    )
            break
        except GenerationError as error:
            if error.code != ErrorCode.OUT_OF_MEMORY or smaller is None or failed:
                raise
            failed = loaded.facts["memory"]["plan"]
            if loaded.quantization:
                asked = read_asked_formats(settings.get(QUANTIZATION))
                settings[QUANTIZATION] = {**asked, **loaded.quantization}
            # The error refers to the pipeline, whose memory the retry needs.
            del loaded
        # The last try is the smallest there is.
        settings[VAE_TILES_SETTING] = smaller in BY_LAYERS
        tiles = " and a VAE in tiles" if settings[VAE_TILES_SETTING] else ""
        note(f"the memory was not enough with {failed}; trying once more with {smaller}{tiles}")
        settings["memory"] = smaller.value
        if settings.get(CACHE_SETTING) == "auto":
            settings[CACHE_SETTING] = IN_MAIN_MEMORY
    if warned:
        clip = replace(clip, facts={**clip.facts, "warnings": warned})
    if failed:
        memory = {**loaded.facts["memory"], "reason": f"{failed} {RAN_OUT}"}
        loaded = replace(loaded, facts={**loaded.facts, "memory": memory})
    return loaded, clip


def _say_beforehand(
    loaded: Loaded, request: Request, watch: ProgressSink, note: Callable[[str], None]
) -> list[str]:
    """Note unread parts of the prompt and warnings; return the warnings."""
    watch(Progress(phase=Phase.PREPARING))
    engine = loaded.engine
    if isinstance(engine, ReadsPrompts):
        cut = _cut(engine.prompt_facts(request.inputs.prompt))
        if cut:
            note(cut)
    warned: list[str] = []
    if isinstance(engine, Warns):
        warned = list(engine.warnings(request.inputs, request.settings))
    worn = {**loaded.facts, "loras": loaded.loras}
    for text in (*warned, *describe_partial_use(worn, loaded.running.facts())):
        note(text)
    return warned


def _facts(loaded: Loaded, clip: Clip) -> dict[str, Any]:
    """Return how the clip was made, as the recipe has it."""
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
    return facts


def _pinned(job: Job, loaded: Loaded) -> Job:
    """Return a job with the commits of the used weights, for its recipe.

    Files are named by their content, and without their folders.
    """
    pinned: dict[str, Any] = {}
    if loaded.loras:
        pinned["loras"] = [lora_of(fact).to_dict() for fact in loaded.loras]
    if loaded.files:
        pinned[WEIGHTS_ARGUMENT] = dict(loaded.files)
    if loaded.quantization:
        # What quality had this machine take is what another one must take.
        pinned[QUANTIZATION] = dict(loaded.quantization)
    if loaded.revisions:
        pinned["revisions"] = dict(loaded.revisions)
    return replace(job, optional_args={**job.optional_args, **pinned}) if pinned else job


def _notes(facts: Mapping[str, Any]) -> list[str]:
    """Return how the run differed from the request."""
    said = (
        *facts.get("warnings", ()),
        _cut(facts),
        *_inexact(facts["acceleration"]),
        _alone(facts),
        _smaller(facts.get("memory", {})),
        *describe_partial_use(facts, facts["acceleration"]),
    )
    return [text for text in said if text]


def _inexact(acceleration: Mapping[str, Any]) -> list[str]:
    """Return the notes about a cache that is off or not the best, and about attention in 8 bits."""
    cache, said = acceleration.get("cache", {}), []
    if "refused" in cache:
        said.append(f"no blocks were left out: {cache['refused']}")
    elif "instead" in cache:
        said.append(f"the step cache is {cache['kind']}, {cache['instead']}")
    if acceleration.get("attention_inexact"):
        said.append(f"attention {acceleration['attention']} is not exact: a different video")
    return said


def _smaller(memory: Mapping[str, Any]) -> str:
    """Return the note when the memory was not enough for the plan that was tried first."""
    reason = str(memory.get("reason", ""))
    return f"{reason}; {memory['plan']} made the video" if reason.endswith(RAN_OUT) else ""


def _alone(facts: Mapping[str, Any]) -> str:
    """Return the note when not all devices of a group made the video."""
    parallel = facts.get("parallel", {})
    refused, devices = parallel.get("refused"), parallel.get("devices", ())
    if not refused or len(devices) > 1:
        return f"{', '.join(devices)} made it: {refused}" if refused else ""
    return f"{devices[0]} made it alone: {refused}"


def _cut(facts: Mapping[str, Any]) -> str:
    """Return the note about a prompt that is too long, or an empty text."""
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
            # An engine of a plug-in may lack one of these.
            continue
    return found
