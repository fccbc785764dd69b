"""Downloads weights from the Hugging Face hub into its client's cache.

Commits, contents, links and locks are as the client makes them, so that its other users find the
files. What comes over the network comes in our own way, which ``transfer`` explains.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    GenerationCanceledError,
)
from tiomagic_domain.progress import (
    DOWNLOAD_STAYS,
    CancelToken,
    NeverCanceled,
    Phase,
    Progress,
    ProgressSink,
)
from tiomagic_local.lora.scaling import BESIDE, PEFT_FILE
from tiomagic_local.weights.blob_reuse import link_shared_blobs
from tiomagic_local.weights.cache_writes import (
    lock_of,
    place_of,
    store_link,
    store_listing,
    store_ref,
)
from tiomagic_local.weights.hub_cache import (
    DEFAULT_BRANCH,
    HubCache,
    ListedFile,
    has_size,
    select_names,
)
from tiomagic_local.weights.hub_errors import full_disk_error
from tiomagic_local.weights.hub_files import FILES, WantedFiles
from tiomagic_local.weights.hub_requests import HubRequests
from tiomagic_local.weights.pinned_commits import COMMIT, pin_commit, read_pinned_commit
from tiomagic_local.weights.transfer import FileToFetch, Transfer

FILE_BY_HAND = "give a file of this machine"


@dataclass(slots=True, kw_only=True)
class _Snapshot:
    """The wanted files of a commit."""

    hub: HubRequests
    revision: str | None
    """As it was asked for."""
    commit: str
    files: Mapping[str, ListedFile]
    """Empty if only a snapshot without a list is here, and no network."""
    missing: dict[str, ListedFile]
    """Those that have no content in the snapshot."""
    trouble: Exception | None = None
    """Why the hub could not be asked; None if it was, or had not to be."""


def download_repository(
    repository: str,
    revision: str | None,
    *,
    model: str,
    token: str | None,
    progress: ProgressSink,
    names: tuple[str, ...] = FILES,
    without: tuple[str, ...] = (),
    cancel: CancelToken | None = None,
) -> Path:
    """Return the folder of a repository's files, downloading the missing ones.

    Args:
        repository: Such as ``Wan-AI/Wan2.1-T2V-14B-Diffusers``.
        revision: A commit, a branch or a tag; None for the commit that this machine fetched first,
            or the newest at the first use.
        model: The model's name, for errors.
        token: For gated repositories; None for the token that the hub's tools have stored.
        progress: Gets the state of the download.
        names: Patterns of the files that are wanted.
        without: Patterns of files that are left out.
        cancel: Ends it at once; what has come stays.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
        GenerationCanceledError: when the job was canceled.
    """
    files = WantedFiles(repository=repository, revision=revision, names=names, without=without)
    (folder,) = download_all([files], model=model, token=token, progress=progress, cancel=cancel)
    return folder


def download_all(
    wanted: Sequence[WantedFiles],
    *,
    model: str,
    token: str | None,
    progress: ProgressSink,
    cancel: CancelToken | None = None,
    by_hand: str = "",
) -> list[Path]:
    """Return the folders of several repositories' files; the missing ones come as one download.

    Args:
        wanted: Which files of which repositories.
        model: The model's name, for errors.
        token: For gated repositories.
        progress: Gets the state of the download.
        cancel: Ends it at once; what has come stays.
        by_hand: How to do without the hub, for errors; empty for a folder of weights.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
        GenerationCanceledError: when the job was canceled.
    """
    cancel = cancel or NeverCanceled()
    cache = _clients_cache()
    progress(Progress(phase=Phase.DOWNLOADING))
    with _saying_that_it_stays():
        found = []
        for files in wanted:
            hub = HubRequests(
                files.repository, model=model, token=token, cancel=cancel, by_hand=by_hand
            )
            with hub.errors():
                found.append(_look_up(cache, hub, files))
        # Before the first byte: a download that is continued is of the same commit.
        for files, snapshot in zip(wanted, found, strict=True):
            if files.revision is None and files.pins and snapshot.files:
                pin_commit(files.repository, snapshot.commit)
        missing = [snapshot for snapshot in found if snapshot.missing]
        if missing:
            _fetch(cache, missing, model, progress, cancel)
    return [cache.snapshot(each.hub.repository, each.commit) for each in found]


def plan_download(
    wanted: Sequence[WantedFiles], *, model: str, token: str | None
) -> list[tuple[str, str, int, int]]:
    """Return repository, path, bytes, and bytes that are missing, of each file of a download.

    Asks the hub where its list is not here, and downloads nothing.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    cache = _clients_cache()
    planned = []
    for files in wanted:
        hub = HubRequests(files.repository, model=model, token=token)
        with hub.errors():
            found = _look_up(cache, hub, files, links=False)
        for name, file in found.files.items():
            missing = 0
            if name in found.missing and not cache.has(files.repository, found.commit, name, file):
                missing = file.size - cache.partial_bytes(files.repository, file)
            planned.append((files.repository, name, file.size, missing))
    return planned


def ask_for_lists(wanted: Sequence[WantedFiles], *, model: str, token: str | None) -> None:
    """Ask the hub for what a download begins with, so that trouble is known before it.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    cache = _clients_cache()
    is_asked = False
    for files in wanted:
        hub = HubRequests(files.repository, model=model, token=token)
        with hub.errors():
            found = _look_up(cache, hub, files, links=False)
            is_asked = is_asked or hub.is_asked
            if found.missing and not is_asked:
                # Every list is here. That the hub is there, too, one answer says.
                hub.find_commit(found.commit)
                is_asked = True


def _clients_cache() -> HubCache:
    cache = HubCache.of_client()
    assert cache is not None, "the client comes with the engines"
    return cache


@contextlib.contextmanager
def _saying_that_it_stays() -> Iterator[None]:
    """Say to who stops a download that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"stopped; {DOWNLOAD_STAYS}")
        raise
    except GenerationCanceledError as error:
        raise GenerationCanceledError(
            f"{error.message}; {DOWNLOAD_STAYS}", details=error.details
        ) from error


def _look_up(
    cache: HubCache, hub: HubRequests, wanted: WantedFiles, *, links: bool = True
) -> _Snapshot:
    """Find the commit and the files, asking the hub for what is not here."""
    repository = wanted.repository
    revision = wanted.revision or (read_pinned_commit(repository) if wanted.pins else None)
    commit, trouble = _commit(cache, hub, revision or DEFAULT_BRANCH)
    listing = cache.listing(repository, commit)
    if listing is None:
        folder = cache.snapshot(repository, commit)
        try:
            if trouble is not None:
                raise trouble
            listing = hub.list_files(commit)
        except (APIError, AuthenticationError):
            if not folder.is_dir():
                raise
            # As the client does: what was downloaded before is all that can be had.
            return _Snapshot(hub=hub, revision=wanted.revision, commit=commit, files={}, missing={})
        with contextlib.suppress(OSError):  # A cache that can only be read is good enough.
            store_listing(cache, repository, commit, listing)
    files = {name: listing[name] for name in select_names(listing, wanted.names, wanted.without)}
    folder = cache.snapshot(repository, commit)
    missing = {name: file for name, file in files.items() if not has_size(folder / name, file.size)}
    if missing and links:
        if trouble is not None:
            raise trouble
        link_shared_blobs(cache, repository, missing)
    return _Snapshot(hub=hub, revision=wanted.revision, commit=commit, files=files, missing=missing)


def _commit(
    cache: HubCache, hub: HubRequests, revision: str
) -> tuple[str, APIError | AuthenticationError | None]:
    """Return the commit of a revision, and why it is the last known one, if it is."""
    if COMMIT.fullmatch(revision):
        return revision, None
    try:
        commit = hub.find_commit(revision)
    except (APIError, AuthenticationError) as error:
        known = cache.last_commit(hub.repository, revision)
        if known is None or not cache.snapshot(hub.repository, known).is_dir():
            raise
        return known, error
    with contextlib.suppress(OSError):
        store_ref(cache, hub.repository, revision, commit)
    return commit, None


def _fetch(
    cache: HubCache,
    snapshots: Sequence[_Snapshot],
    model: str,
    progress: ProgressSink,
    cancel: CancelToken,
) -> None:
    """Download what is missing of snapshots, and link it."""
    fetched: dict[Path, FileToFetch] = {}
    for snapshot in snapshots:
        repository = snapshot.hub.repository
        for name, file in snapshot.missing.items():
            with snapshot.hub.errors():
                target = place_of(cache, repository, snapshot.commit, name, file)
            if not has_size(target, file.size):
                fetched[target] = FileToFetch(
                    hub=snapshot.hub,
                    commit=snapshot.commit,
                    name=name,
                    listed=file,
                    target=target,
                    part=cache.part(repository, file),
                    lock=lock_of(cache, repository, file),
                )
    if fetched:
        _raise_if_no_room(cache, list(fetched.values()), model)
        Transfer(list(fetched.values()), progress=progress, cancel=cancel).run()
    for snapshot in snapshots:
        with snapshot.hub.errors():
            for name, file in snapshot.missing.items():
                store_link(cache, snapshot.hub.repository, snapshot.commit, name, file)


def _raise_if_no_room(cache: HubCache, files: Sequence[FileToFetch], model: str) -> None:
    """Raise if the disk cannot hold a download, before a byte comes."""
    wanted = sum(
        file.listed.size - cache.partial_bytes(file.hub.repository, file.listed) for file in files
    )
    there = next(path for path in (cache.root, *cache.root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < wanted:
        raise full_disk_error(model, cache.root, free, wanted)


def list_repository_files(repository: str, revision: str | None, *, token: str | None) -> list[str]:
    """Return the names of a repository's files, asking the hub.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    hub = HubRequests(repository, model=repository, token=token, by_hand=FILE_BY_HAND)
    return list(hub.list_files(revision or DEFAULT_BRANCH))


def sizes_of(
    repository: str, revision: str | None, *, token: str | None, model: str
) -> tuple[str, dict[str, int]]:
    """Return a repository's commit, and the size of each of its files, asking the hub.

    Args:
        repository: Such as ``owner/name``.
        revision: A commit, a branch or a tag; None for the commit that a run would take.
        token: For repositories that want one.
        model: The model's name, for errors.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    hub = HubRequests(repository, model=model, token=token)
    commit = hub.find_commit(revision or read_pinned_commit(repository) or DEFAULT_BRANCH)
    return commit, {name: file.size for name, file in hub.list_files(commit).items()}


def first_bytes(
    repository: str, revision: str, name: str, count: int, *, token: str | None, model: str
) -> bytes:
    """Return the beginning of a file without downloading the rest.

    Args:
        repository: Such as ``owner/name``.
        revision: A commit.
        name: The file's path in the repository.
        count: Bytes.
        token: For repositories that want one.
        model: The model's name, for errors.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    return HubRequests(repository, model=model, token=token).first_bytes(revision, name, count)


def download_file(
    repository: str,
    revision: str | None,
    name: str,
    *,
    token: str | None,
    progress: ProgressSink,
    stays: bool = False,
    cancel: CancelToken | None = None,
) -> tuple[Path, str]:
    """Return one file of a repository, downloading it if needed, and its commit.

    Args:
        repository: Such as ``owner/name``.
        revision: A commit, a branch or a tag; None for the newest.
        name: The file's path in the repository.
        token: For repositories that want one.
        progress: Gets the state of the download.
        stays: True if no revision means the commit that this machine fetched first.
        cancel: Ends it at once; what has come stays.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    wanted = WantedFiles(
        repository=repository, revision=revision, names=(name, *_beside(name)), pins=stays
    )
    (folder,) = download_all(
        [wanted],
        model=f"{repository}:{name}",
        token=token,
        progress=progress,
        cancel=cancel,
        by_hand=FILE_BY_HAND,
    )
    path = folder / name
    if not path.is_file():
        raise ConfigurationError(
            f"{repository!r} has no file {name!r}",
            details={"repository": repository, "file": name},
        )
    return path, folder.name


def _beside(name: str) -> list[str]:
    """Return the companion files of a file: peft stores the strength of a LoRA in one."""
    folder, slash, last = name.rpartition("/")
    return [f"{folder}{slash}{BESIDE}"] if last == PEFT_FILE else []
