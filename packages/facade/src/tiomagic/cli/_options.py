"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from tiomagic.cli.completion import assignments, values

Json = Annotated[bool, typer.Option("--json", help="Show the result, and errors, as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and every event.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Model to use; see: tiomagic models.",
        autocompletion=values.complete_models,
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        "-p",
        help="Provider that runs it, or several with commas: the first that can. By default "
        "TIOMAGIC_PROVIDER, or local.",
        autocompletion=values.complete_providers,
    ),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        "--watch/--detach",
        help="Wait for the video; with --detach (or --no-wait) the job's id is the result, and a "
        "worker in the background makes the video.",
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Fetch the LoRAs and commits that a recipe names and you have not."
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Run also what cannot work here: too little memory or disk, or no GPU."
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Download weights of any size without a question.")
]
AcceptTerms = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-terms",
        metavar="MODEL",
        help="Accept the terms of a model that has some, by its name; repeatable. For all "
        "commands: TIOMAGIC_ACCEPTED_TERMS.",
        autocompletion=values.complete_models,
    ),
]
MaxCost = Annotated[
    str | None,
    typer.Option(
        "--max-cost",
        metavar="AMOUNT",
        help="Refuse the run if it may cost more, such as 2.50 or '2.50 EUR'; TIOMAGIC_MAX_COST.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check the call and show the plan; make nothing."),
]
Retry = Annotated[
    int,
    typer.Option(
        metavar="TIMES", help="With --detach: run again up to this many times if the worker dies."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Stop waiting after this long; the remote job keeps running."
    ),
]
PreviewFile = Annotated[
    str | None,
    typer.Option(
        "--preview",
        metavar="FILE.jpg",
        help="While the video is being made, keep a small picture of it in this file.",
    ),
]
OutputFile = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="PATH", help="Also copy the video to this file or folder."
    ),
]
ModelPath = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Folder or repository (owner/name) with the weights, or a .safetensors file with "
        "the transformer; TIOMAGIC_MODEL_PATH.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set any parameter of the model; see: tiomagic schema.",
        autocompletion=assignments.complete_assignments,
    ),
]
Lora = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="FILE[@STRENGTH]",
        help="Add a LoRA: a .safetensors file or a repository (owner/name), such as "
        "style.safetensors@0.8; repeatable.",
    ),
]
# Numbers are read as text: the model's schema checks them, all together and with the nearest
# legal value, as it does in Python.
Seed = Annotated[
    str | None, typer.Option(metavar="INTEGER", help="Repeats a video; random by default.")
]
Width = Annotated[str | None, typer.Option(metavar="PIXELS", help="Width of the video.")]
Height = Annotated[str | None, typer.Option(metavar="PIXELS", help="Height of the video.")]
NumFrames = Annotated[str | None, typer.Option(metavar="INTEGER", help="Length in frames.")]
Seconds = Annotated[
    str | None, typer.Option(metavar="SECONDS", help="Length, in place of --num-frames.")
]
Aspect = Annotated[
    str | None,
    typer.Option(
        metavar="W:H",
        help="Shape of the video, such as 16:9.",
        autocompletion=values.complete_aspects,
    ),
]
Resolution = Annotated[
    str | None,
    typer.Option(
        metavar="720p",
        help="Size, in place of --width and --height.",
        autocompletion=values.complete_resolutions,
    ),
]
Steps = Annotated[
    str | None,
    typer.Option("--steps", metavar="INTEGER", help="Denoising steps: more take longer."),
]
GuidanceScale = Annotated[
    str | None, typer.Option(metavar="NUMBER", help="How closely to follow the prompt.")
]
NegativePrompt = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What the video must not show.")
]
Prompt = Annotated[
    str | None,
    typer.Argument(
        help="What the video shows, in words; @FILE reads them from a file, - from stdin.",
        show_default=False,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="RECIPE",
        help="Begin with the settings of a recipe: the JSON beside a video, an mp4, or a job's id. "
        "Other options replace its values.",
        autocompletion=values.complete_videos,
    ),
]
Source = Annotated[str | None, typer.Option(metavar="FILE|URL", help="A picture.")]
FirstFrame = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        help="The picture that the video begins with; doodle, VACE, Pusa and LTX need none beside "
        "a later one.",
    ),
]
LastFrame = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        help="The picture that the video ends with; the same models need none beside --keyframe.",
    ),
]
Keyframes = Annotated[
    list[str] | None,
    typer.Option(
        "--keyframe",
        metavar="FILE|URL@MOMENT",
        help="A picture at a moment: hop.png@1.5 for 1.5 seconds, hop.png@f24 for frame 24; "
        "repeatable. Models that take some: tiomagic models.",
    ),
]
GuidingVideo = Annotated[
    str | None,
    typer.Option(metavar="FILE|URL", help="A video of a moving person; this or --pose-video."),
]
PoseVideo = Annotated[
    str | None,
    typer.Option(metavar="FILE|URL", help="A video of skeletons; this or --guiding-video."),
]
BackgroundVideo = Annotated[
    str | None,
    typer.Option(metavar="FILE|URL", help="A video to keep, whose person is replaced."),
]
MaskVideo = Annotated[
    str | None,
    typer.Option(metavar="FILE|FOLDER", help="White where --background-video is replaced."),
]
Loop = Annotated[
    bool,
    typer.Option(
        "--loop",
        help="Repeat without a cut: the first picture is the last one, too, and shown once.",
    ),
]
ContinuedVideo = Annotated[
    str,
    typer.Argument(
        metavar="VIDEO|JOB",
        help="The video that goes on: a file, an address, a job's id, its first characters, or "
        "@last.",
        autocompletion=values.complete_videos,
        show_default=False,
    ),
]
NextPrompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="TEXT",
        help="What happens next; by default the prompt of the video. @FILE reads it from a file, "
        "- from stdin.",
    ),
]
NewSeconds = Annotated[
    str | None,
    typer.Option("--seconds", metavar="SECONDS", help="Length of the new part alone."),
]
ControlVideo = Annotated[
    str | None,
    typer.Option(metavar="FILE|URL", help="A ready control video, of the kind of --control."),
]
Control = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="What controls the video, if the model has a choice: pose, depth, edges, motion.",
    ),
]
JobId = Annotated[
    str,
    typer.Argument(
        help="Id of the job, its first characters, or @last.",
        autocompletion=values.complete_jobs,
        show_default=False,
    ),
]
Status = Annotated[
    list[str] | None,
    typer.Option(
        help="queued, running, canceling, completed, failed or canceled; repeatable.",
        autocompletion=values.complete_statuses,
    ),
]
Video = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="A job's id, its first characters, @last, or the path of an mp4.",
        autocompletion=values.complete_videos,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="PATH", help="File to write; by default beside the video."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """The run options of a command."""

    provider: str | None
    model_path: str | None
    output: str | None
    wait: bool
    retry: int
    timeout: float | None
    quiet: bool
    as_json: bool
    debug: bool
    dry_run: bool = False
    trust: bool = False
    force: bool = False
    yes: bool = False
    accept_terms: Sequence[str] | None = None
    preview: str | None = None
    max_cost: str | None = None
