"""An output store for tests, and the contract that every output store keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.testing.repository import make_job


class FakeOutputStore:
    """Puts videos into a folder under the job's id, without care for power cuts.

    Attributes:
        saved: Where each job's video lies, by job id.
        failure: When set, the next saves raise it and leave everything as it is.
        tidied: Calls of the removal of partial files, of which it has none.
    """

    def __init__(self, folder: Path) -> None:
        self.saved: dict[str, Path] = {}
        self.failure: ProcessingError | None = None
        self.tidied: int = 0
        self._folder = folder

    def save(self, job: Job, video: VideoFile) -> Path:
        """Move the video to its place and write the recipe beside it."""
        if self.failure is not None:
            raise self.failure
        target = self._folder.absolute() / f"{job.job_id}.mp4"
        try:
            content = video.path.read_bytes()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.with_suffix(".json").write_text(json.dumps(video.recipe), encoding="utf-8")
        except OSError as error:
            raise ProcessingError(f"cannot save {target}: {error}") from error
        video.path.unlink()
        self.saved[job.job_id] = target
        return target

    def find(self, job: Job) -> VideoFile | None:
        """Return the job's video and recipe, if they are there."""
        target = self.saved.get(job.job_id)
        if target is None or not target.exists():
            return None
        recipe = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
        return VideoFile(path=target, recipe=recipe)

    def remove(self, job: Job) -> list[Path]:
        """Delete the job's video and recipe, if they are there."""
        target = self.saved.pop(job.job_id, None)
        if target is None:
            return []
        found = [path for path in (target, target.with_suffix(".json")) if path.exists()]
        for path in found:
            path.unlink()
        return found

    def remove_partials(self) -> None:
        """Count the call: nothing here is ever half-written."""
        self.tidied += 1


def make_video(folder: Path, content: bytes = b"frames", name: str = "spool.mp4") -> VideoFile:
    """Return a file that stands for a finished video; its bytes are no real mp4."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return VideoFile(path=path, recipe={"tiomagic_recipe": 1, "prompt": "ein Füchslein"})


class OutputStoreContract:
    """What every output store does. Subclass it with a fixture ``store``."""

    def test_the_video_and_its_recipe_are_in_place(
        self, store: OutputStore, tmp_path: Path
    ) -> None:
        """The bytes lie at the returned path, the recipe beside them, the source is gone."""
        video = make_video(tmp_path / "spool")
        path = store.save(make_job(), video)
        assert path.is_absolute()
        assert path.suffix == ".mp4"
        assert path.read_bytes() == b"frames"
        assert json.loads(path.with_suffix(".json").read_text("utf-8")) == video.recipe
        assert not video.path.exists()

    def test_saving_again_replaces(self, store: OutputStore, tmp_path: Path) -> None:
        """The same job saved twice has one video: the second."""
        job = make_job()
        first = store.save(job, make_video(tmp_path / "spool", b"first"))
        second = store.save(job, make_video(tmp_path / "spool", b"second"))
        assert first == second
        assert second.read_bytes() == b"second"
        assert len(list(second.parent.glob("*.mp4"))) == 1

    def test_a_saved_video_is_found_again(self, store: OutputStore, tmp_path: Path) -> None:
        """What was saved for a job is found by the job alone; another job finds nothing."""
        job, video = make_job(), make_video(tmp_path / "spool")
        assert store.find(job) is None
        path = store.save(job, video)
        assert store.find(job) == VideoFile(path=path, recipe=video.recipe)
        assert store.find(make_job()) is None

    def test_a_removed_video_is_gone_and_no_other(self, store: OutputStore, tmp_path: Path) -> None:
        """The video and its recipe are deleted, once; another job keeps its own."""
        job, other = make_job(), make_job()
        path = store.save(job, make_video(tmp_path / "spool"))
        kept = store.save(other, make_video(tmp_path / "spool"))
        assert set(store.remove(job)) == {path, path.with_suffix(".json")}
        assert store.find(job) is None
        assert not path.with_suffix(".json").exists()
        assert store.remove(job) == []
        assert store.find(other) == VideoFile(path=kept, recipe=make_video(tmp_path).recipe)

    def test_tidying_touches_no_finished_video(self, store: OutputStore, tmp_path: Path) -> None:
        """Before the first video, and with one in place, it is harmless."""
        store.remove_partials()
        path = store.save(make_job(), make_video(tmp_path / "spool"))
        store.remove_partials()
        assert path.read_bytes() == b"frames"
        assert path.with_suffix(".json").exists()

    def test_two_jobs_have_two_videos(self, store: OutputStore, tmp_path: Path) -> None:
        """Jobs of the same moment and model do not overwrite each other."""
        first = store.save(make_job(), make_video(tmp_path / "spool", b"first"))
        second = store.save(make_job(), make_video(tmp_path / "spool", b"second"))
        assert (first.read_bytes(), second.read_bytes()) == (b"first", b"second")

    def test_a_source_that_is_gone_is_an_error(self, store: OutputStore, tmp_path: Path) -> None:
        """Without a source nothing is put in place, and what was there stays."""
        job = make_job()
        path = store.save(job, make_video(tmp_path / "spool"))
        with pytest.raises(ProcessingError):
            store.save(job, VideoFile(path=tmp_path / "gone.mp4"))
        assert path.read_bytes() == b"frames"
