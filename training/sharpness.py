"""Measure an autoencoder alone, on held-out clips. `python -m training.sharpness --help`.

Clips drawn at the setup's size are encoded and decoded. PSNR hardly sees an edge, so that its
width is measured too, and a sheet shows drawn and decoded frames one above the other.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image

from training import autoencoder as ae
from training import measure, whole
from training.config import SETUPS, Setup
from training.vae import HELD_OUT_SEED
from training.world import render, scenes
from training.world.lexicon import ICONS

KINDS = ("shape", "spin", "figure", "icon")


def held_out(setup: Setup, kind: str, count: int) -> list[scenes.Scene]:
    """Scenes of one kind that no training clip has the combination of; half in free colours."""
    rng, found = np.random.default_rng((HELD_OUT_SEED, KINDS.index(kind))), []
    while len(found) < count:
        free = len(found) % 2 == 1
        scene = scenes.draw_scene(
            rng,
            figure=kind == "figure",
            held_out=True,
            free_colours=free,
            lexicon=setup.lexicon,
        )
        if _kind_of(scene) == kind:
            found.append(scene)
    return found


def _kind_of(scene: scenes.Scene) -> str:
    if scene.shape == scenes.FIGURE:
        return "figure"
    if scene.shape in ICONS or scene.other is not None:
        return "icon"
    return "spin" if scene.motion == "spin" else "shape"


@torch.no_grad()
def decode(vae: AutoencoderKLWan, clip: np.ndarray, device: str) -> np.ndarray:
    """A clip once through the autoencoder: uint8 (T, H, W, 3)."""
    x = ae.to_tensor(clip[None]).to(device)
    return ae.to_clips(whole.decode(vae, whole.encode(vae, x)))[0]


def squares(setup: Setup, count: int) -> list[scenes.Scene]:
    """Upright squares that move, for the width of their edges."""
    rng, found = np.random.default_rng(HELD_OUT_SEED + 7), []
    while len(found) < count:
        scene = scenes.draw_scene(rng, held_out=None, lexicon=setup.lexicon)
        if scene.shape == "square" and scene.motion != "spin" and scene.other is None:
            found.append(scene)
    return found


def run(vae: AutoencoderKLWan, setup: Setup, count: int, device: str) -> tuple[dict, list]:
    """All figures, and for a sheet of each kind the first clips drawn and decoded."""
    result, shown, every = {}, [], []
    for kind in KINDS:
        if kind == "icon" and not set(ICONS) & set(setup.lexicon.shapes):
            continue
        values = []
        for index, scene in enumerate(held_out(setup, kind, count)):
            clip = render.render_clip(scene, setup.size, setup.frames)
            seen = decode(vae, clip, device)
            values.append(ae.psnr(seen, clip))
            if index < 2:
                shown.append((clip, seen))
        result[kind] = float(np.mean(values))
        every += values
    widths, drawn = [], []
    for scene in squares(setup, count):
        clip = render.render_clip(scene, setup.size, setup.frames)
        drawn.append(measure.edge_width(clip))
        widths.append(measure.edge_width(decode(vae, clip, device)))
    result |= {"psnr": float(np.mean(every)), "clips": len(every)}
    edges = {"edge_px": float(np.median(widths)), "drawn_edge_px": float(np.median(drawn))}
    return result | edges, shown


def sheet(shown: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Drawn clips, each with what came back below it."""
    return render.contact_sheet(np.stack([clip for pair in shown for clip in pair]), every=4)


def main() -> None:
    """Print the figures as JSON, and write a sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of an autoencoder")
    parser.add_argument("--setup", choices=SETUPS, default="grown")
    parser.add_argument("--count", type=int, default=6, help="clips of each kind")
    parser.add_argument("--sheet", type=Path, help="PNG to write")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    vae = AutoencoderKLWan.from_pretrained(args.folder).to(args.device).eval()
    result, shown = run(vae, SETUPS[args.setup], args.count, args.device)
    print(json.dumps({k: round(v, 3) for k, v in result.items()}))
    if args.sheet:
        Image.fromarray(sheet(shown)).save(args.sheet)


if __name__ == "__main__":
    main()
