"""What of a model's weights is on this machine, and what a run would fetch. Asks no network.

Sizes are those of the hub's own list where a download has asked for it before; otherwise the
catalogue's, which is about right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.quantities import GIB
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.hub_cache import HubCache, ListedFile, select_names
from tiomagic_local.weights.hub_files import PIPELINE_FILES, WantedFiles, list_wanted
from tiomagic_local.weights.locate import Origin, local_folder
from tiomagic_local.weights.pinned_commits import read_pinned_commit

NEARLY_ALL = 0.9
"""Weights whose list is not known count as whole from this part of the catalogue's size on, which
is rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsInventory:
    """A model's weights on this machine."""

    model: str
    origin: Origin
    """Where they come from."""
    location: Path | None
    """The folder that has them, or will; None if the hub's client is not installed."""
    bytes_here: int
    """Bytes that need not be fetched, parts of files and files of other models included."""
    bytes_to_fetch: int
    """Bytes that a run would fetch; about, unless ``is_exact``."""
    is_complete: bool
    """True if a run fetches nothing, as far as it can be told."""
    is_exact: bool
    """False if a size is the catalogue's."""


def take_inventory(
    card: ModelCard, options: LocalOptions, cache: HubCache | None = None
) -> WeightsInventory:
    """Return what of a model's weights is here. Loads no torch and reads no weights.

    Args:
        card: The model, at the commits that a call wants.
        options: Where to look.
        cache: For several models in a row, one cache for all; None for a fresh look.

    Raises:
        ConfigurationError: when a given folder is not there, or the package lacks its weights.
    """
    given = local_folder(card, options)
    if given is not None:
        folder, origin = given
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return WeightsInventory(
            model=card.name,
            origin=origin,
            location=folder,
            bytes_here=size,
            bytes_to_fetch=0,
            is_complete=True,
            is_exact=True,
        )
    wanted = list_wanted(card)
    if options.repository is not None:
        name, revision = options.repository
        wanted = (WantedFiles(repository=name, revision=revision, names=PIPELINE_FILES),)
    return _of_hub(card, wanted, cache or HubCache.of_client())


def _of_hub(
    card: ModelCard, wanted: tuple[WantedFiles, ...], cache: HubCache | None
) -> WeightsInventory:
    here = missing = unlisted_here = 0
    is_exact = is_complete = cache is not None
    seen: set[str] = set()
    for files in wanted if cache is not None else ():
        assert cache is not None, "asked in the line before"
        listed = find_listed(cache, files)
        if listed is None:
            is_exact = False
            found = sum(path.stat().st_size for path in list_unlisted(cache, files))
            is_complete = is_complete and found > 0
            unlisted_here += found
            continue
        commit, names = listed
        for name, file in names.items():
            if file.blob_name in seen:
                continue
            seen.add(file.blob_name)
            if cache.has(files.repository, commit, name, file):
                here += file.size
                continue
            part = cache.partial_bytes(files.repository, file)
            here, missing, is_complete = here + part, missing + file.size - part, False
    here += unlisted_here
    if not is_exact:
        expected = round(card.weights_gib * GIB)
        is_complete = is_complete and here >= NEARLY_ALL * expected
        missing = 0 if is_complete else max(missing, expected - here)
    return WeightsInventory(
        model=card.name,
        origin=Origin.HUB,
        location=None if cache is None else cache.root,
        bytes_here=here,
        bytes_to_fetch=missing,
        is_complete=is_complete,
        is_exact=is_exact,
    )


def find_listed(cache: HubCache, files: WantedFiles) -> tuple[str, dict[str, ListedFile]] | None:
    """Return the commit and the wanted files of a repository; None if its list is not here."""
    commit = find_commit(cache, files)
    listing = None if commit is None else cache.listing(files.repository, commit)
    if commit is None or listing is None:
        return None
    names = select_names(listing, files.names, files.without)
    return commit, {name: listing[name] for name in names}


def find_commit(cache: HubCache, files: WantedFiles) -> str | None:
    """Return the commit that a run would take; None if that is not known without the hub."""
    revision = files.revision or read_pinned_commit(files.repository)
    # What is no branch or tag of this machine is a commit.
    return revision and (cache.last_commit(files.repository, revision) or revision)


def list_unlisted(cache: HubCache, files: WantedFiles) -> Iterator[Path]:
    """Yield the wanted files of a snapshot that an older client has fetched, without a list."""
    commit = find_commit(cache, files)
    if commit is None:
        return
    folder = cache.snapshot(files.repository, commit)
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    yield from (there[name] for name in select_names(there, files.names, files.without))
