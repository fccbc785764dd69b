"""Uploads are bounded, kept as they came, found by their id alone, and cleared away."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tiomagic.ui.web import uploads as module
from tiomagic.ui.web.uploads import UploadRefusedError, Uploads, safe_name

Keep = Callable[..., str]


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    """A folder of uploads that is not there yet."""
    return Uploads(tmp_path / "state" / "uploads")


@pytest.fixture
def keep(uploads: Uploads) -> Keep:
    """Take a file, and return its id."""

    def run(content: bytes = b"abc", name: str = "a.png") -> str:
        with uploads.receive_file(len(content)) as reception:
            reception.begin(name)
            reception.write(content)
        return reception.file_ids[0]

    return run


def test_the_very_bytes_are_kept_for_their_owner(uploads: Uploads, keep: Keep) -> None:
    """Whatever they are: a play list is not opened, and others on the machine read none."""
    content = b"#EXTM3U\nfile:///etc/passwd\n"
    file = uploads.find(keep(content, "clip.mkv"))
    assert file is not None
    assert file.path.read_bytes() == content
    assert file.name == "clip.mkv"
    assert str(file.path.parent) not in str(file.as_entry())
    modes = [file.path.stat().st_mode, file.path.parent.stat().st_mode]
    modes.append(file.path.parent.parent.stat().st_mode)
    assert [mode & 0o777 for mode in modes] == [0o600, 0o700, 0o700]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a cat.png", "a cat.png"),
        ("../../../../etc/cron.d/x", "x"),
        ("..\\..\\x.png", "x.png"),
        ("/etc/passwd", "passwd"),
        (".env", "env"),
        ("..", "file"),
        ("", "file"),
        ("a\0b\nc.png", "a_b_c.png"),
        ("Füchse 狐.png", "Füchse 狐.png"),
        ("\ud83d.png", "_.png"),
        ("gnp.\u202eexe", "gnp._exe"),
        ('"><img src=x>.png', "___img src_x_.png"),
        ("x" * 500 + ".png", "x" * 76 + ".png"),
        ("狐" * 500 + ".png", "狐" * 65 + ".png"),
    ],
)
def test_a_name_is_a_name(name: str, kept: str, keep: Keep, uploads: Uploads) -> None:
    """No folder, nothing hidden, no markup, and short enough for every file system."""
    assert safe_name(name) == kept
    file = uploads.find(keep(name=name))
    assert file is not None
    assert file.path.name == kept


def test_nothing_but_an_id_finds_one(uploads: Uploads, keep: Keep, tmp_path: Path) -> None:
    """No path, no other spelling, no link, no folder, and nothing beside it."""
    file_id = keep()
    _, token, name = file_id.split("/")
    folder = tmp_path / "state" / "uploads" / token
    (folder / "link.png").symlink_to("/etc/passwd")
    (folder / "folder.png").mkdir()
    (folder / ".hidden").write_text("x")
    (folder.parent / "beside.png").write_text("x")
    for wrong in (
        *(f"upload/{token}/link.png", f"upload/{token}/folder.png", f"upload/{token}/.hidden"),
        *(f"upload/{token}/../beside.png", f"upload/{token}/..", "upload/../uploads/beside.png"),
        *(f"upload/{token}//{name}", f"/upload/{token}/{name}", f"upload/{token}/{name}/"),
        *(f"upload/{token.upper()}x/{name}", f"upload/{token}", f"upload/{token}/", "", "upload"),
        *(str(folder / name), f"upload/{token}/{name}\n", f"upload/{token}/{name}\0", None, 7, []),
        *({"path": file_id}, [file_id], f"upload/{'0' * 32}/{name}"),
    ):
        assert uploads.find(wrong) is None, wrong
    assert uploads.find(file_id) is not None


def test_what_breaks_off_leaves_nothing(uploads: Uploads, tmp_path: Path) -> None:
    """A half upload is deleted, and its room is free again."""
    for _ in range(2 * module.MAX_CONCURRENT_UPLOADS):
        with suppress(EOFError), uploads.receive_file(10) as reception:
            reception.begin("a.png")
            reception.write(b"ab")
            assert uploads.find(reception.file_ids[0]) is None
            raise EOFError
    assert list((tmp_path / "state" / "uploads").iterdir()) == []


def test_one_file_has_a_bound(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is said before, and by what comes."""
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 1000)
    with pytest.raises(UploadRefusedError), uploads.receive_file(1000 + 2**20 + 1):
        raise AssertionError("it was taken")
    with uploads.receive_file(10) as reception:
        reception.begin("a.png")
        reception.write(b"a" * 1000)
        with pytest.raises(UploadRefusedError) as refused:
            reception.write(b"a")
    assert refused.value.status == 413


@pytest.mark.parametrize(("size", "most"), [(10, 5), (4_000, 2)])
def test_all_together_have_bounds(
    size: int,
    most: int,
    uploads: Uploads,
    keep: Keep,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The oldest make room for the newest: neither their number nor their size grows."""
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 10_000)
    monkeypatch.setattr(module, "MAX_UPLOADS", 5)
    folder = tmp_path / "state" / "uploads"
    ids = []
    for number in range(12):
        ids.append(keep(b"x" * size))
        when = time.time() - 100 + number
        path = folder / ids[-1].split("/")[1]
        for one in (path / "a.png", path):
            os.utime(one, (when, when))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == most
    assert sum(path.stat().st_size for path in files) <= 10_000
    assert uploads.find(ids[-1]) is not None
    assert uploads.find(ids[0]) is None


def test_those_on_their_way_count(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many at once cannot go past the bounds together."""
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 1000)
    with uploads.receive_file(600):
        with pytest.raises(UploadRefusedError) as refused, uploads.receive_file(600):
            raise AssertionError("it was taken")
        assert refused.value.status == 429
    with uploads.receive_file(600):
        pass


def test_old_ones_are_cleared_away(uploads: Uploads, keep: Keep, tmp_path: Path) -> None:
    """After a day, those that an earlier version has left as well, and nothing of others."""
    old, new = keep(), keep()
    folder = tmp_path / "state" / "uploads"
    earlier = folder / ("a" * 64)
    others = folder / "notes"
    for path in (earlier, others):
        path.mkdir()
        (path / "x.png").write_bytes(b"x")
    long_ago = time.time() - 25 * 3600
    for path in (folder / old.split("/")[1], earlier, others):
        for one in (*path.iterdir(), path):
            os.utime(one, (long_ago, long_ago))
    uploads.clear()
    assert uploads.find(old) is None
    assert uploads.find(new) is not None
    assert not earlier.exists()
    assert (others / "x.png").exists()
