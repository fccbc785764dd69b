"""A file that two repositories of the hub have is downloaded and stored once."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain.errors import AuthenticationError
from tiomagic_domain.progress import Progress, ignore_progress
from tiomagic_local.weights import hub
from tiomagic_local.weights.hub_files import PIPELINE_FILES

__all__ = ["hub_server"]

FIRST, SECOND = "some/first", "some/second"
ENCODER = "text_encoder/model.safetensors"
OTHER = "transformer/model.safetensors"
SAME = b"the encoder that all of them have" * 40_000
DIGEST = hashlib.sha256(SAME).hexdigest()


def files(own: bytes, encoder: bytes = SAME) -> dict[str, bytes]:
    """Return a repository that has the encoder of all and something of its own."""
    return {"model_index.json": b"{}", "README.md": own, ENCODER: encoder, OTHER: own}


def get(repository: str, told: list[Progress] | None = None) -> Path:
    """Download a repository as the runtime does."""
    progress = ignore_progress if told is None else told.append
    return hub.download_repository(
        repository, None, model="m", token=None, progress=progress, names=PIPELINE_FILES
    )


def blob(cache: Path, repository: str) -> Path:
    """Return where a repository keeps the encoder."""
    return cache / f"models--{repository.replace('/', '--')}" / "blobs" / DIGEST


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder of the hub's cache."""
    return tmp_path / "cache"


@pytest.fixture
def both(hub_server: Hub) -> Hub:
    """A hub with two repositories that have the same encoder; the first is downloaded."""
    hub_server.publish(FIRST, files(b"first"))
    hub_server.publish(SECOND, files(b"second"))
    get(FIRST)
    return hub_server


def test_the_same_file_comes_once(both: Hub, cache: Path) -> None:
    """Not a byte of it is asked for again, and the disk has it once."""
    folder = get(SECOND)
    assert ENCODER in both.downloaded_files(FIRST)
    assert both.downloaded_files(SECOND) == {"model_index.json", OTHER}
    assert not [entry for entry in both.asked if SECOND in entry and ENCODER in entry[:3]]
    assert (folder / ENCODER).read_bytes() == SAME
    assert (folder / OTHER).read_bytes() == b"second"
    assert blob(cache, FIRST).samefile(blob(cache, SECOND))
    both.asked.clear()
    assert get(SECOND) == folder
    assert both.asked == []


def test_what_is_here_writes_nothing(both: Hub, cache: Path) -> None:
    """A cache that is all there may be one that nobody can write to."""
    from huggingface_hub import file_download

    get(SECOND)
    places = [cache, *(path for path in cache.rglob("*") if path.is_dir())]
    before = [place.stat().st_mtime_ns for place in places]
    file_download._are_symlinks_supported_in_dir.clear()
    get(SECOND)
    assert [place.stat().st_mtime_ns for place in places] == before
    assert set(places) == {cache, *(path for path in cache.rglob("*") if path.is_dir())}


def test_what_is_not_downloaded_is_not_counted(both: Hub) -> None:
    """The size that is announced is that of what comes."""
    both.publish("some/third", files(bytes(3 * 2**20)))
    told: list[Progress] = []
    get("some/third", told)
    assert {p.steps for p in told if p.step} == {3}


def test_either_repository_may_go(both: Hub, cache: Path) -> None:
    """What is left of the two is whole."""
    folder = get(SECOND)
    shutil.rmtree(blob(cache, FIRST).parents[1])
    both.asked.clear()
    assert get(SECOND) == folder
    assert (folder / ENCODER).read_bytes() == SAME
    assert both.asked == []


def test_what_is_not_wanted_is_not_taken(both: Hub, cache: Path) -> None:
    """A component that comes from elsewhere is left out of the blobs too."""
    hub.download_repository(
        SECOND, None, model="m", token=None, progress=ignore_progress, without=("text_encoder/*",)
    )
    assert not blob(cache, SECOND).exists()
    assert blob(cache, FIRST).exists()


@pytest.mark.parametrize("damage", [SAME[:-1], SAME[:-1] + b"?"], ids=["cut off", "one byte"])
def test_a_damaged_file_is_not_passed_on(both: Hub, cache: Path, damage: bytes) -> None:
    """A file that no longer is what its name says is downloaded instead."""
    blob(cache, FIRST).write_bytes(damage)
    folder = get(SECOND)
    assert ENCODER in both.downloaded_files(SECOND)
    assert (folder / ENCODER).read_bytes() == SAME


def test_a_download_under_way_is_not_taken(hub_server: Hub, cache: Path) -> None:
    """What another process has not finished has another name."""
    hub_server.publish(SECOND, files(b"second"))
    beginning = blob(cache, FIRST).with_name(f"{DIGEST}.0123abcd.incomplete")
    beginning.parent.mkdir(parents=True)
    beginning.write_bytes(SAME)
    get(SECOND)
    assert ENCODER in hub_server.downloaded_files(SECOND)


def test_one_byte_more_is_another_file(both: Hub) -> None:
    """The content decides, not the name."""
    both.publish("some/third", files(b"third", encoder=SAME + b"!"))
    folder = get("some/third")
    assert (folder / ENCODER).read_bytes() == SAME + b"!"


def test_a_dangling_link_is_replaced(both: Hub, cache: Path) -> None:
    """What was left of something deleted is in nobody's way."""
    own = blob(cache, SECOND)
    own.parent.mkdir(parents=True)
    own.symlink_to("../../models--gone/blobs/x")
    folder = get(SECOND)
    assert ENCODER not in both.downloaded_files(SECOND)
    assert not own.is_symlink()
    assert (folder / ENCODER).read_bytes() == SAME


def test_another_file_system(both: Hub, cache: Path) -> None:
    """No hard link leads to another disk: the file is downloaded."""
    elsewhere = Path("/dev/shm") / f"tiomagic-test-{os.getpid()}"
    own = blob(cache, FIRST).parents[1]
    assert Path("/dev/shm").stat().st_dev != cache.stat().st_dev
    shutil.move(own, elsewhere)
    own.symlink_to(elsewhere, target_is_directory=True)
    try:
        folder = get(SECOND)
    finally:
        shutil.rmtree(elsewhere)
    assert ENCODER in both.downloaded_files(SECOND)
    assert (folder / ENCODER).read_bytes() == SAME


@pytest.mark.parametrize("setting", ["HF_HUB_DISABLE_SYMLINKS", "HF_HUB_DISABLE_SHARED_BLOBS"])
def test_who_does_not_want_it(both: Hub, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """The switches of the hub's client hold here too; without links it would make copies."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, setting, True)
    folder = get(SECOND)
    assert ENCODER in both.downloaded_files(SECOND)
    assert (folder / ENCODER).read_bytes() == SAME


def test_a_list_that_is_kept_in_another_way(
    both: Hub, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What another version of the client writes down is not read: the hub is asked again."""
    commit = get(SECOND).name
    tree = blob(cache, SECOND).parents[1] / "trees" / f"{commit}.json"
    tree.write_text('{"format_version": 1, "files": []}')
    caplog.set_level(logging.DEBUG, "tiomagic.local")
    assert get(SECOND).name == commit
    assert "no list of the files" in caplog.text
    assert "README.md" in tree.read_text()


def test_several_at_once(both: Hub, cache: Path) -> None:
    """Whoever is first makes the link; all have the same files."""
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(get(SECOND))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert ENCODER not in both.downloaded_files(SECOND)
    assert (found[0] / ENCODER).read_bytes() == SAME
    assert blob(cache, SECOND).stat().st_nlink == 2


def test_two_processes_that_link_the_same(cache: Path) -> None:
    """The second of them finds the file and is content; nothing is left beside it."""
    from tiomagic_local.weights.blob_reuse import _taken
    from tiomagic_local.weights.hub_cache import ListedFile

    other, own = blob(cache, FIRST), blob(cache, SECOND)
    other.parent.mkdir(parents=True)
    other.write_bytes(SAME)
    code = (
        "import sys; from pathlib import Path\n"
        "from tiomagic_local.weights.blob_reuse import _taken\n"
        "from tiomagic_local.weights.hub_cache import ListedFile\n"
        "other, own, digest, size = sys.argv[1:]\n"
        "listed = ListedFile(size=int(size), git_sha1='', sha256=digest)\n"
        "assert _taken(Path(other), listed, Path(own))\n"
    )
    command = [sys.executable, "-c", code, str(other), str(own), DIGEST, str(len(SAME))]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert _taken(other, ListedFile(size=len(SAME), git_sha1="", sha256=DIGEST), own)
    assert list(own.parent.iterdir()) == [own]


def test_a_break_after_the_link(both: Hub, cache: Path) -> None:
    """A download that broke off goes on, and what was taken stays."""
    commit = get(SECOND).name
    shutil.rmtree(blob(cache, SECOND).parents[1] / "snapshots" / commit)
    (blob(cache, SECOND).parent / hashlib.sha256(b"second").hexdigest()).unlink()
    both.asked.clear()
    both.trouble = [403] * 1000
    with pytest.raises(AuthenticationError):
        get(SECOND)
    both.trouble.clear()
    folder = get(SECOND)
    assert both.downloaded_files(SECOND) == {OTHER}
    assert (folder / ENCODER).read_bytes() == SAME


def test_the_clients_own_store_comes_first(hub_server: Hub, cache: Path) -> None:
    """What the client shares by itself is its own: it keeps account of who has it."""
    from huggingface_hub.utils import _shared_blobs

    xet_hash = "ab" * 32
    for repository in (FIRST, SECOND):
        hub_server.publish(repository, files(repository.encode()))
    get(FIRST)
    # As after a download by Xet, which is the only way into the store.
    assert _shared_blobs.publish_blob_to_shared_store(
        blob_path=str(blob(cache, FIRST)),
        xet_hash=xet_hash,
        cache_dir=cache,
        expected_size=len(SAME),
    )
    hub_server.xet = {ENCODER: xet_hash}
    folder = get(SECOND)
    assert ENCODER not in hub_server.downloaded_files(SECOND)
    stored = _shared_blobs.shared_blob_path(cache, xet_hash)
    assert blob(cache, SECOND).is_symlink()
    assert blob(cache, SECOND).resolve() == stored.resolve()
    assert stored.stat().st_nlink == 1
    assert (folder / ENCODER).read_bytes() == SAME
