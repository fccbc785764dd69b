"""What everything does that makes pictures of finished videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, ValidationError
from tiomagic_domain.ports.pictures import ContactSheet, LabelledVideo, Pictures

MakePicture: TypeAlias = Callable[[Pictures, Path, Path], Path]
"""Makes something of a video in a folder."""

PICTURE_MAKERS: Final[Mapping[str, MakePicture]] = {
    "sheet": lambda pictures, video, folder: pictures.contact_sheet(
        video, folder / "made.png", ContactSheet(count=4, columns=2, width=32, title="a fox")
    ),
    "sheet with a mask": lambda pictures, video, folder: pictures.contact_sheet(
        video, folder / "made.png", ContactSheet(count=4, columns=2, width=32, mask=video)
    ),
    "poster": lambda pictures, video, folder: pictures.poster(video, folder / "made.png"),
    "gif": lambda pictures, video, folder: pictures.export(video, folder / "made.gif", width=32),
    "webp": lambda pictures, video, folder: pictures.export(video, folder / "made.webp"),
    "larger mp4": lambda pictures, video, folder: pictures.export(
        video, folder / "made.mp4", width=128
    ),
    "last frame": lambda pictures, video, folder: pictures.export(video, folder / "made.png"),
    "prores": lambda pictures, video, folder: pictures.export(video, folder / "made.mov"),
    "lossless": lambda pictures, video, folder: pictures.export(video, folder / "made.mkv"),
    "frames": lambda pictures, video, folder: pictures.frames(video, folder / "made"),
    "grid": lambda pictures, video, folder: pictures.grid(
        [[LabelledVideo(video=video, label="seed 1"), LabelledVideo(video=None, label="failed")]],
        folder / "made.png",
        count=2,
        width=32,
        title="",
    ),
    "side by side": lambda pictures, video, folder: pictures.side_by_side(
        [[LabelledVideo(video=video), LabelledVideo(video=None, label="failed")]],
        folder / "made.mp4",
        width=32,
        title="",
    ),
}


class PicturesContract:
    """What every maker of pictures does.

    Subclass it with the fixtures ``pictures`` and ``video``, the path of a video that it can read.
    """

    @pytest.mark.parametrize("what", PICTURE_MAKERS)
    def test_it_is_made(self, pictures: Pictures, video: Path, tmp_path: Path, what: str) -> None:
        """The target is returned and there, in a folder that was not; the video is left alone."""
        before, folder = video.read_bytes(), tmp_path / "new" / "folder"
        made = PICTURE_MAKERS[what](pictures, video, folder)
        assert list(folder.iterdir()) == [made]
        files = list(made.iterdir()) if made.is_dir() else [made]
        assert files
        assert all(file.stat().st_size for file in files)
        assert video.read_bytes() == before

    @pytest.mark.parametrize("what", [name for name in PICTURE_MAKERS if name != "frames"])
    def test_what_is_there_is_replaced(
        self, pictures: Pictures, video: Path, tmp_path: Path, what: str
    ) -> None:
        """Making it again is no error."""
        folder = tmp_path / "folder"
        first = PICTURE_MAKERS[what](pictures, video, folder)
        first.write_bytes(b"old")
        assert PICTURE_MAKERS[what](pictures, video, folder) == first
        assert first.read_bytes() != b"old"

    @pytest.mark.parametrize("what", PICTURE_MAKERS)
    def test_a_video_that_is_gone_is_named(
        self, pictures: Pictures, tmp_path: Path, what: str
    ) -> None:
        """Nothing is left where the target would be."""
        with pytest.raises(ResourceNotFoundError, match="gone"):
            PICTURE_MAKERS[what](pictures, tmp_path / "gone.mp4", tmp_path / "folder")
        assert list(tmp_path.glob("folder/*")) == []

    @pytest.mark.parametrize("what", PICTURE_MAKERS)
    def test_what_is_no_video_is_refused(
        self, pictures: Pictures, tmp_path: Path, what: str
    ) -> None:
        """The same for a file that cannot be read."""
        empty = tmp_path / "empty.mp4"
        empty.touch()
        with pytest.raises(ValidationError):
            PICTURE_MAKERS[what](pictures, empty, tmp_path / "folder")
        assert list(tmp_path.glob("folder/*")) == []

    @pytest.mark.parametrize("what", PICTURE_MAKERS)
    def test_a_place_that_cannot_be_written_is_an_error(
        self, pictures: Pictures, video: Path, tmp_path: Path, what: str
    ) -> None:
        """The folder's name is one of a file."""
        (tmp_path / "folder").write_text("a file")
        with pytest.raises(ProcessingError):
            PICTURE_MAKERS[what](pictures, video, tmp_path / "folder")

    def test_every_number_below_one_is_told(
        self, pictures: Pictures, video: Path, tmp_path: Path
    ) -> None:
        """All of them at once, by name."""
        sheet = ContactSheet(count=0, columns=-1, width=0)
        with pytest.raises(ValidationError) as caught:
            pictures.contact_sheet(video, tmp_path / "made.png", sheet)
        assert {problem.field for problem in caught.value.problems} == {"count", "columns", "width"}
        with pytest.raises(ValidationError, match="width"):
            pictures.export(video, tmp_path / "made.gif", width=0)
        assert not list(tmp_path.glob("made*"))

    def test_only_known_formats_are_written(
        self, pictures: Pictures, video: Path, tmp_path: Path
    ) -> None:
        """The ending of the target says which one."""
        with pytest.raises(ValidationError, match="xyz"):
            pictures.export(video, tmp_path / "made.xyz")
        assert not list(tmp_path.glob("made*"))

    def test_frames_go_into_an_empty_folder_only(
        self, pictures: Pictures, video: Path, tmp_path: Path
    ) -> None:
        """Frames of two videos never lie mixed."""
        (tmp_path / "made").mkdir()
        assert pictures.frames(video, tmp_path / "made") == tmp_path / "made"
        with pytest.raises(ValidationError):
            pictures.frames(video, tmp_path / "made")

    def test_nothing_cannot_play_side_by_side(self, pictures: Pictures, tmp_path: Path) -> None:
        """One video at least is needed."""
        with pytest.raises(ValidationError, match="no video"):
            pictures.side_by_side(
                [[LabelledVideo(video=None)]], tmp_path / "made.mp4", width=32, title=""
            )
