"""``tiomagic text-to-video``."""

from __future__ import annotations

from tiomagic.cli import _options as o
from tiomagic.cli._run import CommandRun, run_feature


def text_to_video(  # noqa: PLR0913 - one argument an option
    prompt: o.Prompt = None,
    *,
    source: o.From = None,
    model: o.Model = None,
    provider: o.Provider = None,
    seed: o.Seed = None,
    width: o.Width = None,
    height: o.Height = None,
    num_frames: o.NumFrames = None,
    steps: o.Steps = None,
    guidance_scale: o.GuidanceScale = None,
    negative_prompt: o.NegativePrompt = None,
    assignments: o.Set = None,
    output: o.OutputFile = None,
    model_path: o.ModelPath = None,
    wait: o.Wait = True,
    retry: o.Retry = 0,
    timeout: o.Timeout = None,
    dry_run: o.DryRun = False,
    trust: o.Trust = False,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Make a video from words."""
    given = {
        "prompt": prompt,
        "seed": seed,
        "width": width,
        "height": height,
        "num_frames": num_frames,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "negative_prompt": negative_prompt,
    }
    manner = CommandRun(
        provider=provider,
        model_path=model_path,
        output=output,
        wait=wait,
        retry=retry,
        timeout=timeout,
        dry_run=dry_run,
        trust=trust,
        quiet=quiet,
        as_json=as_json,
        debug=debug,
    )
    run_feature("text_to_video", model, given, assignments, manner, source)
