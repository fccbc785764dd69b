"""Shots that go on and loops of ``doodle``: how well the parts meet, and which way the shot goes.

::

    uv run python benchmarks/continuing.py --sheets sheets/

``loops``     a picture (the first frame of a clip from the same words) becomes a loop; ten prompts
              whose motion returns, and in ``one_way`` ten whose motion does not
``shots``     the first nine frames of a clip go on with the same words; along the direction asked
              for, how far the object is at the end of the old part and of the new one

The seam is ``facts["seam"]`` of the job: the root mean square error between the two frames at the
seam, over the median between neighbouring frames. Writes ``continuing.json``, and with
``--sheets`` a contact sheet of each video.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import report
from PIL import Image

from tiomagic import TioMagic
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.film import read_film

OBJECTS = (
    ("red ball", "white"),
    ("purple star", "mint"),
    ("blue square", "white"),
    ("green triangle", "sky"),
)
PERSON = ("orange person", "sky")
RETURNING = (
    *((what, does, on) for what, on in OBJECTS for does in ("bounces", "spins")),
    *((PERSON[0], does, PERSON[1]) for does in ("jumps", "waves")),
)
"""Motions that come back to where they began."""
ONE_WAY = (
    *((what, does, on) for what, on in OBJECTS for does in ("moves left", "grows")),
    *((PERSON[0], does, PERSON[1]) for does in ("dances", "walks left")),
)
"""Motions that do not, or not within a second."""
DIRECTIONS = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}
"""Unit vectors in pixels: x to the right, y downwards."""
OLD_FRAMES = 9
"""Of 17: the object is then in the middle of the picture, and has a way to go."""


def say(what: str, does: str, on: str) -> str:
    """Return a prompt in the words that the model knows."""
    article = "an" if what[0] in "aeiou" else "a"
    return f"{article} {what} {does} on a {on} background"


def place(frame: Any) -> np.ndarray:
    """Return the centre of what differs from the background: x and y in pixels."""
    pixels = frame.astype(float)
    differs = np.abs(pixels - np.median(pixels.reshape(-1, 3), axis=0)).sum(axis=2)
    weight = np.where(differs > 90, differs, 0.0)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / max(weight.sum(), 1.0)


def loop(tm: TioMagic, prompt: str, seed: int, folder: Path, sheets: Path | None) -> dict[str, Any]:
    """Make a loop and return its seam."""
    clip = tm.text_to_video("doodle", prompt=prompt, seed=seed, progress=False)
    picture = folder / f"{seed}.png"
    Image.fromarray(read_film(clip.result()).frames[0]).save(picture)
    job = tm.image_to_video(
        "doodle", prompt=prompt, image=picture, loop=True, seed=seed, progress=False
    )
    _draw(job, sheets, f"loop-{prompt}")
    return {"prompt": prompt, "seed": seed, **job.facts["seam"]}


def shot(tm: TioMagic, prompt: str, seed: int, folder: Path, sheets: Path | None) -> dict[str, Any]:
    """Continue half a clip and return its seam and how far it goes, in pixels."""
    clip = tm.text_to_video("doodle", prompt=prompt, seed=seed, progress=False)
    half = folder / f"{seed}.mp4"
    write_mp4(half, read_film(clip.result()).frames[:OLD_FRAMES], fps=16, recipe={})
    job = tm.extend(half, prompt, model="doodle", seed=seed + 100, progress=False)
    _draw(job, sheets, f"shot-{prompt}")
    frames = read_film(job.result()).frames
    way = np.array(next(v for k, v in DIRECTIONS.items() if f" {k} " in prompt))
    first, joint, last = (
        float(place(frames[index]) @ way) for index in (0, OLD_FRAMES - 1, len(frames) - 1)
    )
    moved = {"old_px": round(joint - first, 1), "new_px": round(last - joint, 1)}
    return {"prompt": prompt, "seed": seed, **moved, **job.facts["seam"]}


def _draw(job: Any, sheets: Path | None, name: str) -> None:
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        job.contact_sheet(sheets / f"{name.replace(' ', '-')}.png", frames=32, columns=16, width=64)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each video")
    given = parser.parse_args()
    sheets = given.sheets and given.sheets.absolute()
    shots = [
        say(what, f"moves {way}", on)
        for number, way in enumerate(DIRECTIONS)
        # Each direction with two objects.
        for what, on in (OBJECTS[number], OBJECTS[number - 2])
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tm = TioMagic(working_dir=folder, provider="local", announce_jobs=False)
        result = {
            "loops": [loop(tm, say(*p), n, folder, sheets) for n, p in enumerate(RETURNING)],
            "one_way": [loop(tm, say(*p), n, folder, sheets) for n, p in enumerate(ONE_WAY)],
            "shots": [shot(tm, p, seed, folder, sheets) for seed, p in enumerate(shots)],
        }
        tm.close()
    for kind, rows in result.items():
        print(kind)
        for row in rows:
            print("  ", row)
    print(report.write("continuing", result))


if __name__ == "__main__":
    main()
