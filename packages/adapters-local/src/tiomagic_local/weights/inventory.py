"""What of a model's weights is on this machine, and what a run would fetch. Asks no network.

Sizes are those of the hub's own list where a download has asked for it before; otherwise the
catalogue's, which is about right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.quantities import GIB
from tiomagic_local.component_files.kinds import TRANSFORMER
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.given_files import full_gib_of, list_hub_files
from tiomagic_local.weights.hub_cache import DEFAULT_BRANCH, HubCache, ListedFile, select_names
from tiomagic_local.weights.hub_files import (
    PIPELINE_FILES,
    WantedFiles,
    list_lora_files,
    list_wanted,
)
from tiomagic_local.weights.locate import Origin, local_folder
from tiomagic_local.weights.lora_files import find_brought
from tiomagic_local.weights.pinned_commits import read_pinned_commit

NEARLY_ALL = 0.9
"""Weights whose list is not known count as whole from this part of the catalogue's size on, which
is rounded."""

UNLISTED_LORA_BYTES = round(0.5 * GIB)
"""A LoRA of some calls whose size is not known counts as this: most have 0.3 to 0.7 GiB."""


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
    card: ModelCard,
    options: LocalOptions,
    cache: HubCache | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> WeightsInventory:
    """Return what of a model's weights is here. Loads no torch and reads no weights.

    Args:
        card: The model, at the commits that a call wants.
        options: Where to look.
        cache: For several models in a row, one cache for all; None for a fresh look.
        settings: Of a call, whose own LoRAs of the card count as well; None for the model alone.

    Raises:
        ConfigurationError: when a given folder is not there, or the package lacks its weights.
    """
    cache = cache or HubCache.of_client()
    call = settings or {}
    more = _count(_list_more(card, options, call), cache)
    given = [(_count([one.files], cache), one) for one in list_hub_files(card, call, options)]
    place = local_folder(card, options)
    folder: Path | None
    if place is not None:
        folder, origin = place
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        own, is_exact = _Counted(here=size), True
    else:
        own = _count(_list_own(card, options, call), cache)
        origin, is_exact = Origin.HUB, cache is not None and not own.is_unlisted
        folder = None if cache is None else cache.root
    missing, is_complete = own.missing, is_exact and own.is_whole
    if not is_exact:
        expected = round((card.weights_gib - _replaced_gib(card, call)) * GIB)
        nearly = own.here >= NEARLY_ALL * expected
        is_complete = cache is not None and own.is_whole and not own.unlisted and nearly
        missing = 0 if is_complete else max(own.missing, expected - own.here)
    guessed = sum(one.guessed_bytes for counted, one in given if counted.unlisted)
    files = [counted for counted, _ in given]
    counts = (more, *files)
    return WeightsInventory(
        model=card.name,
        origin=origin,
        location=folder,
        bytes_here=own.here + sum(one.here for one in counts),
        bytes_to_fetch=missing
        + sum(one.missing for one in counts)
        + more.unlisted * UNLISTED_LORA_BYTES
        + guessed,
        is_complete=is_complete and all(one.is_whole and not one.unlisted for one in counts),
        is_exact=is_exact and not any(one.is_unlisted for one in counts),
    )


def _replaced_gib(card: ModelCard, settings: Mapping[str, Any]) -> float:
    """Return the GiB of the components that files of a call replace."""
    return sum(full_gib_of(card, component) or 0.0 for component in card.files_of(settings))


def list_run_files(
    card: ModelCard, options: LocalOptions, settings: Mapping[str, Any]
) -> tuple[WantedFiles, ...]:
    """Return the files of the hub that a run reads; those of a given folder are not among them.

    Args:
        card: The model, at the commits that the call wants.
        options: Where to look.
        settings: Of the call.

    Raises:
        ConfigurationError: when a given folder is not there, or the package lacks its weights.
    """
    own = _list_own(card, options, settings) if local_folder(card, options) is None else ()
    given = (one.files for one in list_hub_files(card, settings, options))
    return (*own, *_list_more(card, options, settings), *given)


def _list_more(
    card: ModelCard, options: LocalOptions, settings: Mapping[str, Any]
) -> tuple[WantedFiles, ...]:
    """Return the files of the LoRAs that the card has for this call and not for every one."""
    given = local_folder(card, options)
    loras = (lora for lora in card.loras_of(settings) if lora not in card.loras)
    folder = None if given is None else given[0]
    return list_lora_files(lora for lora in loras if find_brought(lora, folder) is None)


def _list_own(
    card: ModelCard, options: LocalOptions, settings: Mapping[str, Any]
) -> tuple[WantedFiles, ...]:
    replaced = [*card.files_of(settings)]
    if options.single_file is not None:
        replaced.append(TRANSFORMER)
    if options.repository is None:
        own, *others = list_wanted(card) or (None,)
        if own is None:
            return ()
        without = (*own.without, *(f"{name}/*.safetensors" for name in replaced))
        return (replace(own, without=without), *others)
    name, revision = options.repository
    return (WantedFiles(repository=name, revision=revision, names=PIPELINE_FILES),)


@dataclass(slots=True)
class _Counted:
    """Bytes of wanted files."""

    here: int = 0
    missing: int = 0
    unlisted: int = 0
    """Repositories whose list is not here, and none of whose files is."""
    is_unlisted: bool = False
    """True if the list of a repository is not here."""
    is_whole: bool = True
    """False if a listed file is not here."""


def _count(wanted: Sequence[WantedFiles], cache: HubCache | None) -> _Counted:
    count = _Counted()
    seen: set[str] = set()
    if cache is None:
        return _Counted(unlisted=len(wanted), is_unlisted=bool(wanted))
    for files in wanted:
        listed = find_listed(cache, files)
        if listed is None:
            found = sum(path.stat().st_size for path in list_unlisted(cache, files))
            count.here, count.is_unlisted = count.here + found, True
            count.unlisted += 0 if found else 1
            continue
        commit, names = listed
        for name, file in names.items():
            if file.blob_name in seen:
                continue
            seen.add(file.blob_name)
            if cache.has(files.repository, commit, name, file):
                count.here += file.size
                continue
            part = cache.partial_bytes(files.repository, file)
            count.here, count.missing = count.here + part, count.missing + file.size - part
            count.is_whole = False
    return count


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
    if not revision:
        return cache.last_commit(files.repository, DEFAULT_BRANCH)
    # What is no branch or tag of this machine is a commit.
    return cache.last_commit(files.repository, revision) or revision


def list_unlisted(cache: HubCache, files: WantedFiles) -> Iterator[Path]:
    """Yield the wanted files of a snapshot that an older client has fetched, without a list."""
    commit = find_commit(cache, files)
    if commit is None:
        return
    folder = cache.snapshot(files.repository, commit)
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    yield from (there[name] for name in select_names(there, files.names, files.without))
