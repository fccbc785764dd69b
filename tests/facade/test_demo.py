"""``tiomagic demo``: its inputs are in the package, its sheet shows every clip."""

from pathlib import Path

import numpy as np
from PIL import Image
from tests.facade.conftest import Run

from tiomagic import TioMagic
from tiomagic.demo import (
    CELL_WIDTH,
    DEMO_INPUTS,
    DEMO_MODEL,
    EXAMPLES,
    FRAMES_PER_CLIP,
    draw_sheet,
    enlarge_clip,
    make_clips,
)
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.testing import FakeClock, FakeProvider
from tiomagic_media.decode.frames import even_indices
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.film import read_film


def test_there_is_one_example_a_feature_in_words_that_the_model_knows() -> None:
    """All four features, each legal as it stands, with inputs that are there."""
    card = find_model(DEMO_MODEL)
    assert [example.feature for example in EXAMPLES] == [feature.value for feature in Feature]
    for example in EXAMPLES:
        schema = card.schema(Feature(example.feature))
        values = schema.validate(example.arguments, subject=example.feature)
        assert card.unknown_words(example.prompt) == []
        assert all(
            Path(str(values[parameter.name])).is_file()
            for parameter in schema.media
            if parameter.name in values
        )


def test_the_clips_come_in_order(tmp_path: Path) -> None:
    """Each example is a job of its own, and done when it is given, on a remote provider too."""
    remote = FakeProvider(tmp_path / "spool", name="modal")
    tm = TioMagic(
        provider="modal", overrides={"providers": {"modal": remote}, "clock": FakeClock()}
    )
    made = list(make_clips(tm))
    assert [example for example, _ in made] == list(EXAMPLES)
    assert all(video.is_file() for _, video in made)
    jobs = tm.list_jobs()
    tm.close()
    assert {(job.feature, job.model) for job in jobs} == {(f.value, DEMO_MODEL) for f in Feature}


def test_the_sheet_has_a_row_a_clip(tmp_path: Path) -> None:
    """Frames of all clips, left to right as they play: the last cell is the last frame."""
    clips = []
    for shade, example in enumerate(EXAMPLES):
        frames = np.full((9, 64, 64, 3), 40 * shade, np.uint8)
        frames[-1] = 250
        path = tmp_path / f"{example.feature}.mp4"
        write_mp4(path, frames, fps=16, recipe={})
        clips.append((example, path))
    with Image.open(draw_sheet(TioMagic(), clips, tmp_path / "sheet.png")) as sheet:
        assert sheet.width > FRAMES_PER_CLIP * CELL_WIDTH
        assert sheet.height > len(EXAMPLES) * CELL_WIDTH
        row = [sheet.getpixel((x, 90)) for x in (60, sheet.width - 60)]
    assert row[0] != row[1]


def test_the_dancer_dances_on_the_sheet() -> None:
    """The skeletons on the sheet are not all at rest: their dance has a period of eight frames."""
    skeletons = read_film(DEMO_INPUTS / "skeletons.mp4")
    shown = even_indices(len(skeletons.frames), FRAMES_PER_CLIP)
    rest = skeletons.frames[0].astype(int)
    moved = [np.abs(skeletons.frames[index] - rest).max(axis=-1) > 100 for index in shown]
    assert sum(pixels.sum() > 50 for pixels in moved) >= len(shown) - 2


def test_a_clip_is_large_enough_to_be_looked_at(tmp_path: Path) -> None:
    """The demo's copy is 512 pixels wide; the job's own clip stays."""
    write_mp4(tmp_path / "a.mp4", np.zeros((9, 64, 64, 3), np.uint8), fps=16, recipe={})
    large = enlarge_clip(TioMagic(), tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert read_film(large).frames.shape == (9, 512, 512, 3)
    assert read_film(tmp_path / "a.mp4").frames.shape == (9, 64, 64, 3)


def test_a_folder_that_cannot_be_made_is_found_before(shell: Run, folder: Path) -> None:
    """Nothing runs when the clips would have nowhere to go."""
    (folder / "file").write_text("in the way")
    done = shell("demo", str(folder / "file" / "clips"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "FOLDER" in done.stderr
    assert not (folder / "output_videos").exists()
