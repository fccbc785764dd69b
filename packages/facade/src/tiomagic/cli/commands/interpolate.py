"""``tiomagic interpolate``."""

from __future__ import annotations

from tiomagic.cli import _options as o
from tiomagic.cli._run import CommandRun, run_feature


def interpolate(  # noqa: PLR0913 - one argument an option
    prompt: o.Prompt = None,
    first_frame: o.Source = None,
    last_frame: o.Source = None,
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
    """Make the video between two pictures."""
    given = {
        "prompt": prompt,
        "first_frame": first_frame,
        "last_frame": last_frame,
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
    run_feature("interpolate", model, given, assignments, manner, source)
