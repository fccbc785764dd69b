"""One clip of each feature, made with the model that comes along: what ``tiomagic demo`` shows.

Everything that it needs is in the package: no download, no account, no GPU.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tiomagic.api.client import TioMagic
    from tiomagic.display.progress_bar import ProgressChoice

DEMO_MODEL: Final = "doodle"
DEMO_INPUTS: Final = Path(__file__).parent / "inputs"
"""Pictures and a skeleton video, drawn by ``training/showcase.py``."""
SHEET: Final = "contact_sheet.png"
FRAMES_PER_CLIP: Final = 6
"""Frames of each clip on the contact sheet. With five of 17 frames, each fourth one, the dancer of
an eight-frame dance would stand still."""
CLIP_WIDTH: Final = 512
"""Pixels of a clip in the demo's folder; the job keeps its own, which players show as a stamp."""
CELL_WIDTH: Final = 128
"""Pixels of a frame on the contact sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call of one feature."""

    feature: str
    prompt: str
    seed: int
    inputs: Mapping[str, str]
    """File names in :data:`DEMO_INPUTS` by parameter."""

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments of the call."""
        paths = {name: str(DEMO_INPUTS / file) for name, file in self.inputs.items()}
        return {"prompt": self.prompt, "seed": self.seed, **paths}


EXAMPLES: Final = (
    Example(
        feature="text_to_video",
        prompt="a red circle moves right on a white background",
        seed=1,
        inputs={},
    ),
    Example(
        feature="image_to_video",
        prompt="a blue square moves up on a white background",
        seed=1,
        inputs={"image": "square.png"},
    ),
    Example(
        feature="interpolate",
        prompt="a purple star moves right on a mint background",
        seed=1,
        inputs={"first_frame": "star_left.png", "last_frame": "star_right.png"},
    ),
    Example(
        feature="pose_guidance",
        prompt="an orange person dances on a sky background",
        seed=1,
        inputs={"image": "person.png", "pose_video": "skeletons.mp4"},
    ),
)


def make_clips(tm: TioMagic, *, progress: ProgressChoice = False) -> Iterator[tuple[Example, Path]]:
    """Make the clips one after the other and give each example with its video.

    Args:
        tm: Makes them; a provider is configured.
        progress: See :meth:`tiomagic.TioMagic.text_to_video`.

    Raises:
        TioMagicError: when a clip cannot be made.
    """
    for example in EXAMPLES:
        call = getattr(tm, example.feature)
        job = call(DEMO_MODEL, wait=True, progress=progress, **example.arguments)
        yield example, job.result()


def copy_inputs(target: Path) -> None:
    """Put the pictures and the skeletons of the examples into a folder, to try more with them.

    Args:
        target: A folder, made when it is not there.

    Raises:
        ProcessingError: when they cannot be written.
    """
    from tiomagic_domain.errors import ProcessingError  # noqa: PLC0415  # Not for the import.

    try:
        shutil.copytree(DEMO_INPUTS, target, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise ProcessingError(f"the demo's pictures cannot be put in {target}: {error}") from error


def enlarge_clip(tm: TioMagic, video: Path, target: Path) -> Path:
    """Write a clip large enough to be looked at, with the same recipe, and return where it is.

    Args:
        tm: Has the maker of pictures.
        video: A clip; it stays as it is.
        target: An mp4; it is replaced.

    Raises:
        ProcessingError: when it cannot be written.
    """
    return tm.session.pictures.export(video, target, width=CLIP_WIDTH)


def draw_sheet(tm: TioMagic, clips: Iterable[tuple[Example, Path]], target: Path) -> Path:
    """Write a picture with a row of frames for each clip.

    Args:
        tm: Has the maker of pictures.
        clips: Examples with their videos.
        target: A PNG file.
    """
    from tiomagic_domain.ports import LabelledVideo  # noqa: PLC0415  # Not for the import.

    rows = [[LabelledVideo(video=path, label=example.feature)] for example, path in clips]
    return tm.session.pictures.grid(
        rows, target, count=FRAMES_PER_CLIP, width=CELL_WIDTH, title=f"tiomagic demo: {DEMO_MODEL}"
    )
