"""Downloads weights from the Hugging Face hub, with retries.

Transient faults (a broken connection, an overloaded hub) are retried before they become errors; a
download resumes where it stopped. ``hub_errors`` translates all others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.progress import Phase, Progress, ProgressSink, ignore_progress
from tiomagic_local.lora.scaling import BESIDE, PEFT_FILE
from tiomagic_local.weights.blob_reuse import link_shared_blobs
from tiomagic_local.weights.hub_errors import status_of, translate_hub_errors
from tiomagic_local.weights.hub_files import FILES
from tiomagic_local.weights.pinned_commits import pin_commit, read_pinned_commit
from tiomagic_media.fetch.hub_telemetry import disable_hub_telemetry
from tiomagic_media.fetch.retry import build_retry_policy

T = TypeVar("T")

MIB = 2**20

MAX_ATTEMPTS = 3
"""Few attempts: within each, the client retries lists and resumes downloads itself."""
MAX_FIRST_PAUSE_S = 1.0
"""The longest first pause between two attempts; see ``tiomagic_media.fetch.retry``."""

TRANSIENT_STATUSES = frozenset({408, 429})
"""Statuses below 500 that are worth a retry."""

WEIGHTS = "*.safetensors"

DEFAULT_BRANCH = "main"
"""The branch whose last commit is the newest."""

FILE_BY_HAND = "give a file of this machine"


def download_repository(
    repository: str,
    revision: str | None,
    *,
    model: str,
    token: str | None,
    progress: ProgressSink,
    names: tuple[str, ...] = FILES,
    without: tuple[str, ...] = (),
) -> Path:
    """Return the folder of a repository's files, downloading the missing ones.

    Args:
        repository: Such as ``Wan-AI/Wan2.1-T2V-14B-Diffusers``.
        revision: A commit, a branch or a tag; None for the commit that this machine fetched first,
            or the newest at the first use.
        model: The model's name, for errors.
        token: For gated repositories; None for the token that the hub's tools have stored.
        progress: Gets the MiB so far, and in all.
        names: Patterns of the files that are wanted.
        without: Patterns of files that are left out.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    from huggingface_hub import snapshot_download

    def get(revision: str | None, without: tuple[str, ...], sink: ProgressSink) -> Path:
        folder = snapshot_download(
            repository,
            revision=revision,
            token=token,
            allow_patterns=list(names),
            ignore_patterns=list(without),
            tqdm_class=_counter(sink),
        )
        return Path(folder)

    def ask() -> Path:
        # Small files and the list of all files first. They are not counted: they would be done
        # before the counted download begins.
        folder = get(
            revision or read_pinned_commit(repository), (*without, WEIGHTS), ignore_progress
        )
        link_shared_blobs(folder, names, without)
        # The cache's folder of a snapshot has the commit as its name.
        folder = get(folder.name, without, progress)
        if revision is None:
            pin_commit(repository, folder.name)
        return folder

    progress(Progress(phase=Phase.DOWNLOADING))
    return _ask_with_retries(ask, repository, model=model)


def list_repository_files(repository: str, revision: str | None, *, token: str | None) -> list[str]:
    """Return the names of a repository's files, asking the hub.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    from huggingface_hub import HfApi

    def ask() -> list[str]:
        return HfApi(token=token).list_repo_files(repository, revision=revision)

    return _ask_with_retries(ask, repository, model=repository, by_hand=FILE_BY_HAND)


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
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    def ask() -> tuple[str, dict[str, int]]:
        client = HfApi(token=token)
        found = client.repo_info(
            repository, revision=revision or read_pinned_commit(repository) or DEFAULT_BRANCH
        )
        commit = str(found.sha)
        tree = client.list_repo_tree(repository, recursive=True, revision=commit)
        return commit, {file.path: file.size for file in tree if isinstance(file, RepoFile)}

    return _ask_with_retries(ask, repository, model=model)


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
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # Public, and not listed.
        build_hf_headers,
        get_session,
        hf_raise_for_status,
    )

    def ask() -> bytes:
        headers = build_hf_headers(token=token) | {"Range": f"bytes=0-{count - 1}"}
        url = hf_hub_url(repository, name, revision=revision)
        # A server without range requests would send the whole file.
        with get_session().stream("GET", url, headers=headers, follow_redirects=True) as answer:
            hf_raise_for_status(answer)
            found = bytearray()
            for piece in answer.iter_raw():
                found += piece
                if len(found) >= count:
                    break
        return bytes(found[:count])

    return _ask_with_retries(ask, repository, model=model)


def download_file(
    repository: str,
    revision: str | None,
    name: str,
    *,
    token: str | None,
    progress: ProgressSink,
    stays: bool = False,
) -> tuple[Path, str]:
    """Return one file of a repository, downloading it if needed, and its commit.

    Args:
        repository: Such as ``owner/name``.
        revision: A commit, a branch or a tag; None for the newest.
        name: The file's path in the repository.
        token: For repositories that want one.
        progress: Gets the state of the download.
        stays: True if no revision means the commit that this machine fetched first.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
    """
    from huggingface_hub import snapshot_download

    def ask() -> Path:
        # A snapshot of one file: the folder's name is the commit, online and offline.
        folder = snapshot_download(
            repository,
            revision=revision or (read_pinned_commit(repository) if stays else None),
            token=token,
            allow_patterns=[name, *_beside(name)],
            tqdm_class=_counter(progress),
        )
        if revision is None and stays:
            pin_commit(repository, Path(folder).name)
        return Path(folder)

    progress(Progress(phase=Phase.DOWNLOADING))
    wanted = f"{repository}:{name}"
    path = _ask_with_retries(ask, repository, model=wanted, by_hand=FILE_BY_HAND) / name
    if not path.is_file():
        raise ConfigurationError(
            f"{repository!r} has no file {name!r}",
            details={"repository": repository, "file": name},
        )
    return path, path.parents[len(Path(name).parts) - 1].name


def _beside(name: str) -> list[str]:
    """Return the companion files of a file: peft stores the strength of a LoRA in one."""
    folder, slash, last = name.rpartition("/")
    return [f"{folder}{slash}{BESIDE}"] if last == PEFT_FILE else []


def _counter(progress: ProgressSink) -> Any:
    """Return a progress bar class for the hub's client that reports to us and shows nothing."""
    from tqdm.std import tqdm

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *given: Any, **rest: Any) -> None:
            # The client has three bars, one for files and two for bytes: this one counts written
            # bytes.
            self._counts = str(rest.get("desc", "")).startswith("Reconstructing")
            self._told = 0
            super().__init__(*given, **rest | {"disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            done = int(self.n) // MIB
            if self._counts and done > self._told:
                self._told = done
                steps = max(done, int(self.total or 0) // MIB)
                progress(Progress(phase=Phase.DOWNLOADING, step=done, steps=steps))

    return Counter


def _ask_with_retries(ask: Callable[[], T], repository: str, *, model: str, by_hand: str = "") -> T:
    """Send a request to the hub, retrying transient faults."""

    def once() -> T:
        with (
            disable_hub_telemetry(),
            translate_hub_errors(repository, model=model, by_hand=by_hand),
        ):
            return ask()

    # No deadline: one attempt of a large model may take hours before it fails.
    again = build_retry_policy(
        f"{repository} of the hub",
        _may_pass,
        within_s=math.inf,
        attempts=MAX_ATTEMPTS,
        pause_s=MAX_FIRST_PAUSE_S,
    )
    return again(once)


def _may_pass(error: BaseException) -> bool:
    """Return True for a hub or a network in trouble; offline by choice is offline."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or not isinstance(error, TioMagicError) or not error.retryable:
        return False
    status = status_of(error.__cause__)
    return status is None or status >= 500 or status in TRANSIENT_STATUSES
