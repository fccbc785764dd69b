"""What people see first: the inputs of `tiomagic demo`, and the four GIFs of the README.

python -m training.showcase inputs   # draws the demo's pictures and skeleton video
python -m training.showcase gifs     # runs the demo and writes docs/images/*.gif
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tiomagic import TioMagic
from tiomagic.demo import DEMO_INPUTS, make_clips
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.film import Film, read_film
from training.config import SETUPS, SHIPPED
from training.world import render, scenes

IMAGES = Path("docs/images")
SETUP = SETUPS[SHIPPED]
WIDTH = 160
"""Pixels of a GIF's side."""
COLOURS = 48


def draw_inputs(folder: Path) -> None:
    """Draw what the demo's four clips start from."""
    folder.mkdir(parents=True, exist_ok=True)
    square = _scene("square", "up", "blue", "white")
    _save(folder / "square.png", render.render_frame(square, SETUP.size, 0.0))
    star = _scene("star", "right", "purple", "mint")
    for name, u in (("star_left", 0.0), ("star_right", 1.0)):
        _save(folder / f"{name}.png", render.render_frame(star, SETUP.size, u))
    person = _scene(scenes.FIGURE, "dance", "orange", "sky")
    _save(folder / "person.png", render.render_reference(person, SETUP.size))
    skeleton = render.render_skeleton(person, SETUP.size, SETUP.frames)
    write_mp4(folder / "skeletons.mp4", skeleton, fps=SETUP.fps, recipe={})


def _scene(shape: str, motion: str, colour: str, background: str) -> scenes.Scene:
    """A scene of these names, the rest drawn from a fixed seed."""
    rng = np.random.default_rng(4)
    while True:
        scene = scenes.draw_scene(rng, figure=shape == scenes.FIGURE, held_out=None)
        found = (scene.shape, scene.motion, scene.colour, scene.background)
        if found == (shape, motion, colour, background):
            return scene


def _save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path, optimize=True)


def _write_gif(film: Film, path: Path) -> Path:
    """Write a film with few colours and no dithering: flat pictures pack three times as well."""
    size = (WIDTH, WIDTH)
    frames = [image.resize(size, Image.Resampling.BICUBIC) for image in film.images()]
    together = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
    palette = together.quantize(COLOURS)
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    duration = round(1000 / float(film.fps))
    first.save(path, save_all=True, append_images=others, duration=duration, loop=0)
    return path


def write_gifs(folder: Path) -> None:
    """Run the demo with its fixed seeds and write one GIF a feature."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        tm = TioMagic(working_dir=work, provider="local")
        for example, clip in make_clips(tm):
            path = _write_gif(read_film(clip), folder / f"{example.feature}.gif")
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        tm.close()


def main() -> None:
    """Draw the inputs or write the GIFs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("inputs", "gifs"))
    if parser.parse_args().what == "inputs":
        draw_inputs(DEMO_INPUTS)
    else:
        write_gifs(IMAGES)


if __name__ == "__main__":
    main()
