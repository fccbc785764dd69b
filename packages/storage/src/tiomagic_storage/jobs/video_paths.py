"""Stores paths of videos relative to the database, so that their folder may be renamed or moved.

=============================  ====================================================================
stored                         means
=============================  ====================================================================
``../output_videos/a.mp4``     from the folder of the database; also without ``../``
``/videos/a.mp4``              somewhere else, and every path of an older version
``file:/videos/%FF.mp4``       the same with bytes that are no text
=============================  ====================================================================
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

_QUOTED_PREFIX = "file:"
_UP = ".."


class VideoPaths:
    """Translates between paths of this machine and what is stored.

    Args:
        database: The file of the database; None for a server, where all paths stay as they are.
    """

    def __init__(self, database: Path | None) -> None:
        self._folder = None if database is None else database.parent
        self._moved_folders: dict[Path, Path] = {}

    def to_stored(self, path: str | None) -> str | None:
        """Return what is stored for the path of a video."""
        if path is None:
            return None
        kept = self._to_relative(Path(path)) or path
        try:
            kept.encode()
        except UnicodeEncodeError:
            return _QUOTED_PREFIX + quote(kept, errors="surrogateescape")
        return kept

    def to_local(self, stored: str | None) -> str | None:
        """Return the path on this machine, as far as it is known."""
        if stored is None:
            return None
        text = stored
        if stored.startswith(_QUOTED_PREFIX):
            text = unquote(stored.removeprefix(_QUOTED_PREFIX), errors="surrogateescape")
        if self._folder is None:
            return text
        path = Path(text)
        if path.is_absolute():
            return str(self._find_moved(path, self._folder))
        if path.parts[:1] == (_UP,):
            return str(self._folder.parent.joinpath(*path.parts[1:]))
        return str(self._folder / path)

    def _to_relative(self, path: Path) -> str | None:
        """Return the path relative to the folder of the database; None for one that lies elsewhere.

        The state folder lies in the working folder, beside that of the videos: they move together.
        """
        if self._folder is None or not path.is_absolute():
            return None
        for above, base in (("", self._folder), (_UP, self._folder.parent)):
            # Everything is below the root, also what does not move with the database.
            if path.is_relative_to(base) and base != base.parent:
                return str(PurePosixPath(above, *path.relative_to(base).parts))
        return None

    def _find_moved(self, path: Path, folder: Path) -> Path:
        """Return the place of a video stored by an older version, after its folder was moved."""
        if path.exists():
            return path
        known = self._moved_folders.get(path.parent)
        if known is not None:
            return known / path.name if (known / path.name).exists() else path
        tails = [path.parts[start:] for start in range(1, len(path.parts))]
        for base in (folder.parent, folder):
            for tail in tails:
                found = base.joinpath(*tail)
                if found.exists():
                    self._moved_folders[path.parent] = found.parent
                    return found
        return path
