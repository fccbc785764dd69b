"""The last stage: measure what doodle can do. `python -m training.check --help`.

Everything is measured on combinations of shape, colour and motion that no training
clip had, with fixed seeds, and written as JSON together with the machine's name.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image

from training import measure, sharpness, vae
from training.autoencoder import psnr
from training.config import SETUPS, SHIPPED, Setup
from training.sample import GUIDANCE, STEPS, Sampler
from training.world import prompts, render, scenes
from training.world.lexicon import FIRST, SHAPES, Lexicon

SEED = 77_000
Make = Callable[..., np.ndarray]


def _scene(
    rng: np.random.Generator, *, figure: bool, directed: bool, lexicon: Lexicon = FIRST
) -> scenes.Scene:
    """A held-out scene; `directed` asks for one that moves somewhere."""
    while True:
        scene = scenes.draw_scene(rng, figure=figure, held_out=True, lexicon=lexicon)
        moves = scene.motion in scenes.DIRECTIONS or scene.motion.startswith("walk")
        if moves or not directed:
            return scene


def _plain(setup: Setup) -> Lexicon:
    """One object at its usual pace: what can be measured of a clip that begins with a picture."""
    return replace(setup.lexicon, pairs=0.0, paced=0.0)


def _direction(scene: scenes.Scene) -> str:
    return scene.motion.removeprefix("walk_")


def check_text(
    make: Make,
    setup: Setup,
    count: int,
) -> tuple[dict, list[np.ndarray]]:
    """Colour, direction and shape of clips made from words alone; one in five is a figure."""
    rng, clips, rows = np.random.default_rng(SEED), [], []
    for index in range(count):
        scene = _scene(rng, figure=index % 5 == 4, directed=True, lexicon=setup.lexicon)
        words = prompts.describe(scene, rng, complete=True, lexicon=setup.lexicon)
        clip = make("text_to_video", words, SEED + index)
        clips.append(clip)
        seen = measure.object_colour(clip)
        rows.append(
            {
                "prompt": words,
                "colour": measure.nearest_colour(seen, setup.lexicon) == scene.colour,
                "direction": measure.direction(clip) == _direction(scene),
                "shape": measure.best_shape(clip, setup.lexicon) == scene.shape,
                "figure": scene.shape == scenes.FIGURE,
            }
        )
    both = [row["colour"] and row["direction"] for row in rows]
    result = {name: _share(rows, name) for name in ("colour", "direction", "shape")}
    return {**result, "colour_and_direction": float(np.mean(both)), "clips": rows}, clips


def check_image(make: Make, setup: Setup, count: int) -> tuple[dict, list[np.ndarray]]:
    """First frame and colour of clips made from a picture; half of the colours have no name."""
    rng, clips, rows = np.random.default_rng(SEED + 1), [], []
    for index in range(count):
        scene = scenes.draw_scene(
            rng,
            figure=index % 5 == 4,
            held_out=True,
            free_colours=index % 2 == 1,
            lexicon=_plain(setup),
        )
        picture = render.render_frame(scene, setup.size, 0.0)
        words = prompts.describe(scene, rng, complete=True, lexicon=setup.lexicon)
        clip = make("image_to_video", words, SEED + index, pictures=[picture])
        clips.append(clip)
        seen = measure.object_colour(clip[4:])
        rows.append(
            {
                "prompt": words,
                "first_frame_psnr": psnr(clip[0], picture),
                "colour_kept": measure.same_colour(seen, np.asarray(scene.rgb)),
            }
        )
    return {
        "first_frame_psnr": _mean(rows, "first_frame_psnr"),
        "colour_kept": _share(rows, "colour_kept"),
        "clips": rows,
    }, clips


def check_interpolate(make: Make, setup: Setup, count: int) -> tuple[dict, list[np.ndarray]]:
    """Both end frames, and whether the object goes straight from one to the other."""
    rng, clips, rows = np.random.default_rng(SEED + 2), [], []
    for index in range(count):
        scene = _scene(rng, figure=index % 5 == 4, directed=True, lexicon=setup.lexicon)
        ends = [render.render_frame(scene, setup.size, u) for u in (0.0, 1.0)]
        words = prompts.describe(scene, rng, complete=True, lexicon=setup.lexicon)
        clip = make("interpolate", words, SEED + index, pictures=ends)
        clips.append(clip)
        rows.append(
            {
                "prompt": words,
                "first_frame_psnr": psnr(clip[0], ends[0]),
                "last_frame_psnr": psnr(clip[-1], ends[1]),
                "monotone": measure.is_monotone(clip),
            }
        )
    return {
        "first_frame_psnr": _mean(rows, "first_frame_psnr"),
        "last_frame_psnr": _mean(rows, "last_frame_psnr"),
        "monotone": _share(rows, "monotone"),
        "clips": rows,
    }, clips


def check_pose(make: Make, setup: Setup, count: int) -> tuple[dict, list[np.ndarray]]:
    """Figure on the skeleton, in the reference's colour; half of the colours have no name."""
    rng, clips, rows = np.random.default_rng(SEED + 3), [], []
    for index in range(count):
        scene = scenes.draw_scene(
            rng, figure=True, held_out=True, free_colours=index % 2 == 1, lexicon=setup.lexicon
        )
        skeleton = render.render_skeleton(scene, setup.size, setup.frames)
        reference = render.render_reference(scene, setup.size)
        words = prompts.describe(scene, rng, complete=True, lexicon=setup.lexicon)
        clip = make("pose_guidance", words, SEED + index, pictures=[reference], skeleton=skeleton)
        clips.append(clip)
        wanted = render.render_clip(scene, setup.size, setup.frames)
        seen = measure.object_colour(clip)
        rows.append(
            {
                "prompt": words,
                "skeleton_covered": measure.coverage(clip, skeleton),
                "figure_overlap": measure.overlap(clip, wanted),
                "colour_kept": measure.same_colour(seen, np.asarray(scene.rgb)),
            }
        )
    return {
        "skeleton_covered": _mean(rows, "skeleton_covered"),
        "figure_overlap": _mean(rows, "figure_overlap"),
        "colour_kept": _share(rows, "colour_kept"),
        "clips": rows,
    }, clips


def check_spin(make: Make, setup: Setup, count: int) -> tuple[dict, list[np.ndarray]]:
    """Spinning triangles, squares and stars: the share whose shape is seen in every frame."""
    rng, clips, rows = np.random.default_rng(SEED + 4), [], []
    while len(clips) < count:
        scene = scenes.draw_scene(rng, held_out=None, lexicon=setup.lexicon)
        if scene.motion != "spin" or scene.shape not in SHAPES or scene.other is not None:
            continue
        words = prompts.describe(scene, rng, complete=True, lexicon=setup.lexicon)
        clip = make("text_to_video", words, SEED + len(clips))
        clips.append(clip)
        seen = [measure.best_shape(frame[None], setup.lexicon) == scene.shape for frame in clip]
        rows.append({"prompt": words, "every_frame": all(seen), "frames": float(np.mean(seen))})
    shares = {name: _share(rows, name) for name in ("every_frame", "frames")}
    return {**shares, "clips": rows}, clips


CHECKS = {
    "text_to_video": check_text,
    "image_to_video": check_image,
    "interpolate": check_interpolate,
    "pose_guidance": check_pose,
    "spin": check_spin,
}


def _share(rows: list[dict], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _mean(rows: list[dict], name: str) -> float:
    return statistics.fmean(row[name] for row in rows)


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    return (
        f"{os.cpu_count()} x {model}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


def run(make: Make, setup: Setup, count: int, sheets: Path | None) -> Iterator[tuple[str, dict]]:
    """All checks; contact sheets of the first clips go into `sheets`."""
    for name, check in CHECKS.items():
        begun = time.monotonic()
        result, clips = check(make, setup, count if name == "text_to_video" else round(count * 0.4))
        result["seconds_per_clip"] = (time.monotonic() - begun) / len(clips)
        figures = {k: round(v, 3) for k, v in result.items() if k != "clips"}
        print(name, figures, flush=True)
        if sheets:
            sheets.mkdir(parents=True, exist_ok=True)
            sheet = render.contact_sheet(np.stack(clips[:10]))
            Image.fromarray(sheet).save(sheets / f"{name}.png")
        yield name, result


def _of_folder(args: argparse.Namespace, setup: Setup) -> tuple[Make, dict]:
    """Clips from the pipeline alone, with any settings."""
    sampler = Sampler.from_folder(args.folder, setup, args.device)
    if args.shift:
        sampler.set_shift(args.shift)

    def make(
        task: str,
        prompt: str,
        seed: int,
        pictures: list | None = None,
        skeleton: np.ndarray | None = None,
    ) -> np.ndarray:
        inputs = sampler.inputs(task, pictures or [], skeleton)
        return sampler(prompt, seed, steps=args.steps, guidance=args.guidance, **inputs)

    shift = sampler.pipeline.scheduler.config.flow_shift
    facts = {"path": "pipeline", "steps": args.steps, "guidance": args.guidance}
    return make, facts | {"flow_shift": shift}


def _of_tm(args: argparse.Namespace) -> tuple[Make, dict]:
    """Clips through `tm` with the catalogue's defaults, read back from the mp4."""
    from training.through_tm import ThroughTm

    args.through_tm.mkdir(parents=True, exist_ok=True)
    make = ThroughTm(args.through_tm, device=args.device)
    return make, {"path": "tm, mp4 included", "settings": make.defaults()}


def main() -> None:
    """Measure a pipeline folder, alone or through `tm`."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    setup = SETUPS[args.setup]
    make, facts = _of_tm(args) if args.through_tm else _of_folder(args, setup)
    autoencoder = AutoencoderKLWan.from_pretrained(args.folder / "vae").to(args.device)
    quality = vae.held_out_psnr(autoencoder, setup, args.count // 4, args.device)
    figures, _ = sharpness.run(autoencoder, setup, max(2, args.count // 8), args.device)
    result = {"machine": _machine(), **facts, "vae_psnr": quality, "autoencoder": figures}
    print(result, flush=True)
    for name, figures in run(make, setup, args.count, args.sheets):
        result[name] = figures
        if args.to:
            args.to.parent.mkdir(parents=True, exist_ok=True)
            args.to.write_text(json.dumps(result, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="pipeline folder")
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--count", type=int, default=100, help="text prompts; others get 40 %%")
    parser.add_argument(
        "--through-tm", type=Path, metavar="FOLDER", help="measure the installed model instead"
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--shift", type=float, help="another flow shift than the folder's")
    parser.add_argument("--to", type=Path, help="JSON file for the figures")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
