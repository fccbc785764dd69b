"""Examples for the help page of each command. A test parses each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "demo": ("demo", "demo clips/"),
    "text-to-video": (
        'text-to-video "a red circle moves to the right"',
        "text-to-video @words.txt -m wan2.1-t2v-1.3b --seed 7 -o fox.mp4",
        'text-to-video "a fox runs" -m wan2.1-t2v-14b -p modal --dry-run',
        "text-to-video --from fox.mp4 --seed 8 --set flow_shift=4",
    ),
    "image-to-video": (
        'image-to-video "a blue square moves up" --image square.png',
        "image-to-video --from clip.json --image other.png --detach",
        'image-to-video "a purple star bounces" --image star.png --loop',
    ),
    "interpolate": (
        'interpolate "a ball grows" --first-frame small.png --last-frame large.png',
        'interpolate "a ball hops" --first-frame a.png --last-frame c.png --keyframe b.png@0.5',
        "interpolate --from clip.mp4 --seconds 2 --aspect 16:9",
    ),
    "pose-guidance": (
        'pose-guidance "a red person waves" --image person.png --pose-video skeletons.mp4',
        'pose-guidance "a robot dances" --image robot.png --guiding-video me.mp4',
    ),
    "extend": (
        'extend clip.mp4 --prompt "the fox sits down" --seconds 2',
        "extend @last --seed 7",
    ),
    "rerun": (
        "rerun clip.mp4 --seed 8",
        "rerun draft.mp4 -m wan2.1-vace-14b --seconds 3 --dry-run",
        "rerun JOB --set num_inference_steps=20 --detach",
    ),
    "batch": ("batch requests.json", "batch - --name night --concurrency 8 < requests.jsonl"),
    "compare": (
        'compare text-to-video --prompt "a fox runs" --prompt "a fox sleeps" --seed 1 --seed 2',
        'compare text-to-video --prompt "a fox runs" -m wan2.1-t2v-1.3b -m cogvideox-2b -o grid/',
    ),
    "models": ("models", "models --feature pose-guidance --json"),
    "schema": ("schema wan2.1-vace-14b pose-guidance", "schema doodle text-to-video --json"),
    "jobs": ("jobs", "jobs --status failed --since 7d", 'jobs --text "fox" --json'),
    "costs": ("costs", "costs --by model --since 2026-11-01", "costs --by tag --csv"),
    "status": ("status JOB", "status JOB --watch"),
    "cancel": ("cancel JOB",),
    "logs": ("logs JOB", "logs JOB --json"),
    "open": ("open", "open JOB"),
    "mask": ("mask dance.mp4", "mask dance.mp4 --outline -o mask.mp4"),
    "sheet": (
        "sheet clip.mp4",
        "sheet dance.mp4 --mask mask.mp4",
        "sheet JOB --frames 8 --columns 8 -o strip.png",
    ),
    "convert": ("convert JOB --to gif", "convert clip.mp4 --to prores -o clip.mov"),
    "run-next": ("run-next JOB",),
    "tag": ("tag JOB client-x approved", "tag JOB --remove approved"),
    "note": ('note JOB "the tail flickers"', "note JOB"),
    "delete": ("delete JOB", "delete JOB --files"),
    "export": ("export jobs.csv", "export - --format json --status completed"),
    "inspect": ("inspect clip.mp4", "inspect clip.json --json"),
    "download": ("download wan2.1-t2v-1.3b", "download wan2.1-vace-1.3b ltx-video --dry-run"),
    "weights": (
        "weights",
        "weights remove wan2.1-t2v-1.3b --yes",
        "weights verify",
    ),
    "rehearse": ("rehearse doodle", "rehearse wan2.2-ti2v-5b --provider modal"),
    "doctor": ("doctor", "doctor --json"),
    "worker": ("worker", "worker stop"),
    "serve": ("serve", "serve keys add ann", "serve --host 0.0.0.0 --workers 4"),
    "mcp": ("mcp", "mcp --provider modal"),
    "ui": ("ui", "ui --host 0.0.0.0 --no-browser"),
}


def epilog(name: str) -> str:
    """Return the end of a command's help page."""
    lines = "\n".join(f"  tiomagic {example}" for example in EXAMPLES[name])
    return f"\b\nExamples:\n{lines}"
