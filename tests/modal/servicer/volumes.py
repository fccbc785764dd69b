"""Volumes as directories: the committed files, and one view per container.

A container writes in its view; `commit` carries its changes to the committed files and `reload`
fetches those of others, so a worker that forgets to commit is found out.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

Signature = tuple[object, ...]


def scan(root: Path) -> dict[str, Signature]:
    """Describe each file under a directory so that a change shows."""
    found: dict[str, Signature] = {}
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*names, *links]:
            path = Path(folder, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = (str(path.readlink()),)
            else:
                stat = path.stat()
                found[str(path.relative_to(root))] = (stat.st_size, stat.st_mtime_ns)
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    shutil.copy2(source, partial, follow_symlinks=False)
    partial.replace(target)


class VolumeStore:
    """The files of all volumes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._baselines: dict[tuple[str, str], dict[str, Signature]] = {}
        """What each view looked like when it last agreed with the committed files."""

    def committed(self, volume_id: str) -> Path:
        """The directory that clients read."""
        path = self._root / "volumes" / volume_id
        path.mkdir(parents=True, exist_ok=True)
        return path

    def view(self, task_id: str, volume_id: str) -> Path:
        """The directory that one container reads and writes."""
        path = self._root / "views" / task_id / volume_id
        if (task_id, volume_id) not in self._baselines:
            path.mkdir(parents=True, exist_ok=True)
            self._baselines[task_id, volume_id] = {}
            self.reload(task_id, volume_id)
        return path

    def reload(self, task_id: str, volume_id: str) -> None:
        """Bring a view up to date; its own uncommitted files stay."""
        committed = self.committed(volume_id)
        view = self._root / "views" / task_id / volume_id
        baseline = self._baselines.get((task_id, volume_id), {})
        theirs, mine = scan(committed), scan(view)
        for name, signature in theirs.items():
            if mine.get(name) != signature and mine.get(name) == baseline.get(name):
                _copy(committed / name, view / name)
        for name in baseline.keys() - theirs.keys():
            (view / name).unlink(missing_ok=True)
        self._baselines[task_id, volume_id] = theirs

    def commit(self, task_id: str, volume_id: str) -> None:
        """Carry a view's changes to the committed files."""
        if (task_id, volume_id) not in self._baselines:
            return
        committed = self.committed(volume_id)
        view = self._root / "views" / task_id / volume_id
        baseline = self._baselines[task_id, volume_id]
        mine = scan(view)
        for name, signature in mine.items():
            if baseline.get(name) != signature:
                _copy(view / name, committed / name)
        for name in baseline.keys() - mine.keys():
            (committed / name).unlink(missing_ok=True)
        self._baselines[task_id, volume_id] = mine

    def forget(self, task_id: str) -> None:
        """Throw a stopped container's views away, with what it did not commit."""
        for key in [key for key in self._baselines if key[0] == task_id]:
            del self._baselines[key]
        shutil.rmtree(self._root / "views" / task_id, ignore_errors=True)

    def clear(self) -> None:
        """Empty every volume."""
        self._baselines.clear()
        for name in ("volumes", "views"):
            shutil.rmtree(self._root / name, ignore_errors=True)

    def path(self, volume_id: str, name: str) -> Path:
        """Find a committed file; names that climb out are refused."""
        parts = [part for part in PurePosixPath("/", name).parts if part != "/"]
        if ".." in parts:
            raise FileNotFoundError(name)
        return self.committed(volume_id).joinpath(*parts)

    def entries(self, volume_id: str, name: str, *, recursive: bool) -> Iterator[tuple[str, Path]]:
        """List what is under a name: (name in the volume, path)."""
        root = self.committed(volume_id)
        start = self.path(volume_id, name)
        if not start.exists():
            raise FileNotFoundError(name)
        if start.is_file():
            found = [start]
        else:
            found = sorted(start.rglob("*") if recursive else start.iterdir())
        for path in found:
            yield path.relative_to(root).as_posix(), path
