"""Stage 2: draw clips and keep their latents. `python -m training.cache --help`.

Each clip may be asked for by its words alone, and has one condition of its own
beside that (kept frames, or a skeleton and a reference). Everything is written to
arrays in half precision that the next stage maps into memory. With `--words-only`
there are no conditions and all colours have names: half the work for a clip that
can teach words, of which a model learns all it knows of them.
"""

import argparse
import json
import multiprocessing
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from training import autoencoder as ae
from training import whole
from training.batches import WORDINGS
from training.conditions import TASKS, Conditions
from training.config import SETUPS, SHIPPED, Setup
from training.world import prompts, render, scenes
from training.world.lexicon import Lexicon

FIGURES = 0.35
"""Share of clips with a stick figure."""
FREE_COLOURS = 0.5
"""Share of clips whose colours have no name: for these only a picture can carry them."""
WORDS_ONLY_FIGURES = 0.2
"""Share of clips with a stick figure among those for words alone."""


def main(argv: list[str] | None = None) -> None:
    """Draw and encode `--clips` clips; goes on where an earlier run stopped."""
    args = _arguments(argv)
    (args.work / "cache").mkdir(parents=True, exist_ok=True)
    shards = range(args.clips // args.shard)
    parts = [shards[first :: args.processes] for first in range(args.processes)]
    if args.processes == 1:
        _write_shards(args, shards)
        return
    # Drawing is what takes the time, on one core a process; a card encodes for all of them.
    spawn = multiprocessing.get_context("spawn")
    running = [spawn.Process(target=_write_shards, args=(args, part)) for part in parts]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if any(process.exitcode for process in running):
        sys.exit("a process failed; what is written stays, and the same command goes on")


def _write_shards(args: argparse.Namespace, shards: range) -> None:
    """Write what is not there yet."""
    setup = SETUPS[args.setup]
    torch.set_num_threads(args.threads)
    vae = AutoencoderKLWan.from_pretrained(args.work / "vae").eval()
    vae = ae.channels_last(vae).to(args.device).requires_grad_(False)
    whole.use_fast_norms(vae)
    conditions = Conditions(vae, setup, args.device)
    begun = time.monotonic()
    for shard in shards:
        if not _file(args, shard).exists():
            _write_shard(args, shard, conditions)
        print(f"shard {shard} of {shards}, {time.monotonic() - begun:.0f} s", flush=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", choices=SETUPS, default=SHIPPED)
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained `vae`")
    parser.add_argument("--clips", type=int, default=4_000)
    parser.add_argument("--shard", type=int, default=250)
    parser.add_argument("--batch", type=int, default=8, help="clips that are encoded together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--keep-clips", action="store_true", help="their pixels too, 0.2 MB each, for `made`"
    )
    parser.add_argument(
        "--words-only", action="store_true", help="clips for text alone, beside the others"
    )
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


def _file(args: argparse.Namespace, shard: int) -> Path:
    """The notes of a shard, which are written last."""
    kind = "words-" if args.words_only else ""
    return args.work / "cache" / f"{kind}{shard:04d}.json"


def _draw(
    rng: np.random.Generator, lexicon: Lexicon, *, words_only: bool
) -> tuple[scenes.Scene, str]:
    """A scene and the task of which its own condition is."""
    if words_only:
        figure = rng.uniform() < WORDS_ONLY_FIGURES
        return scenes.draw_scene(rng, figure=figure, lexicon=lexicon), "text_to_video"
    figure, free = rng.uniform() < FIGURES, rng.uniform() < FREE_COLOURS
    scene = scenes.draw_scene(rng, figure=figure, free_colours=free, lexicon=lexicon)
    weights = (0, 0.15, 0.15, 0.7) if figure else (0, 0.5, 0.5, 0)
    return scene, str(rng.choice(TASKS, p=weights))


def _write_shard(args: argparse.Namespace, shard: int, conditions: Conditions) -> None:
    setup, rng = conditions.setup, np.random.default_rng((args.seed, shard))
    drawn = [_draw(rng, setup.lexicon, words_only=args.words_only) for _ in range(args.shard)]
    arrays: dict[str, list[np.ndarray]] = {}
    for first in range(0, args.shard, args.batch):
        part = drawn[first : first + args.batch]
        clips = np.stack([render.render_clip(s, setup.size, setup.frames) for s, _ in part])
        videos = {"target": ae.to_tensor(clips)}
        if not args.words_only:
            own = [_own_video(clip, *item, setup) for clip, item in zip(clips, part, strict=True)]
            pictures = np.stack([render.render_reference(s, setup.size) for s, _ in part])
            videos |= {"own": torch.cat(own), "reference": ae.to_tensor(pictures[:, None])}
        for name, video in videos.items():
            latents = conditions.encode(video, fast=True).half().numpy()
            arrays.setdefault(name, []).append(latents)
        if args.keep_clips:
            arrays.setdefault("clip", []).append(clips)
    notes = [
        {
            "task": task,
            "words": [prompts.describe(scene, rng, lexicon=setup.lexicon) for _ in range(WORDINGS)],
            "scene": asdict(scene),
        }
        for scene, task in drawn
    ]
    file = _file(args, shard)
    for name, parts in arrays.items():
        np.save(file.with_suffix(f".{name}.npy"), np.concatenate(parts))
    # Last, and at once: where there are notes, there is a whole shard.
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps(notes))
    partial.rename(file)


def _own_video(clip: np.ndarray, scene: scenes.Scene, task: str, setup: Setup) -> torch.Tensor:
    """The video behind a clip's own condition, (1, 3, T, H, W)."""
    if task == "pose_guidance":
        return ae.to_tensor(render.render_skeleton(scene, setup.size, setup.frames)[None])
    x = ae.to_tensor(clip[None])
    x[:, :, 1 : (-1 if task == "interpolate" else None)] = 0
    return x


if __name__ == "__main__":
    main()
