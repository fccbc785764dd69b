"""Weights from the Hugging Face hub, and what the hub's errors mean for a user.

=================================================  =========================  ====================
the hub's client raises                            becomes                    what helps
=================================================  =========================  ====================
GatedRepoError                                     AuthenticationError        accept the licence
RepositoryNotFoundError, HTTP 401 and 403          AuthenticationError        a token
RevisionNotFoundError, DisabledRepoError           ConfigurationError         weights by hand
LocalEntryNotFoundError, OfflineModeIsEnabled      APIError, retryable        network, or by hand
HTTP 429                                           RateLimitError             later
other HTTP errors, broken connections              APIError, retryable        later
no space left                                      ConfigurationError         another disk
anything else of the client                        APIError                   its own words
=================================================  =========================  ====================
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    TioMagicError,
)
from tiomagic_domain.progress import Phase, Progress, ProgressSink

MIB = 2**20

FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
"""What is downloaded: configuration, weights without code inside, and tokenizers."""

FOLDERS = {"*.safetensors": "*/*.safetensors"}
"""What is downloaded of a pipeline in place of a pattern above: only what lies in a folder."""

FILE_BY_HAND = "give a file of this machine"


def download(
    repository: str,
    revision: str | None,
    *,
    model: str,
    token: str | None,
    progress: ProgressSink,
    only: str = "",
    without: tuple[str, ...] = (),
    pipeline: bool = False,
) -> Path:
    """Return the folder of a repository's files, downloaded where they are not here yet.

    Args:
        repository: Such as ``Wan-AI/Wan2.1-T2V-14B-Diffusers``.
        revision: A commit; None for the newest.
        model: The model's name, for errors.
        token: For repositories that want one; None for the one that the hub's tools have stored.
        progress: Told how many MiB are there, of how many.
        only: The one folder of the repository that is wanted; empty for all of it.
        without: Folders of the repository that are left out.
        pipeline: True for the repository of a pipeline, whose components have a folder each:
            weights at its root are other forms of the same model, and often hundreds of gigabytes.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as the table above says.
    """
    from huggingface_hub import snapshot_download

    wanted = [FOLDERS.get(name, name) if pipeline else name for name in FILES]
    progress(Progress(phase=Phase.DOWNLOADING))
    with translated(repository, model=model):
        folder = snapshot_download(
            repository,
            revision=revision,
            token=token,
            allow_patterns=[f"{only}/{pattern}" if only else pattern for pattern in wanted],
            ignore_patterns=[f"{folder}/*" for folder in without],
            tqdm_class=_counter(progress),
        )
        return Path(folder)


def files_of(repository: str, revision: str | None, *, token: str | None) -> list[str]:
    """Return the names of a repository's files; only the hub can tell.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as the table above says.
    """
    from huggingface_hub import HfApi

    with translated(repository, model=repository, by_hand=FILE_BY_HAND):
        return HfApi(token=token).list_repo_files(repository, revision=revision)


def download_file(
    repository: str, revision: str | None, name: str, *, token: str | None, progress: ProgressSink
) -> tuple[Path, str]:
    """Return one file of a repository, downloaded if it is not here yet, and its commit.

    Raises:
        AuthenticationError, APIError, ConfigurationError: as the table above says.
    """
    from huggingface_hub import snapshot_download

    progress(Progress(phase=Phase.DOWNLOADING))
    with translated(repository, model=f"{repository}:{name}", by_hand=FILE_BY_HAND):
        # A snapshot of one file: the commit is the name of its folder, with and without a network.
        folder = snapshot_download(
            repository,
            revision=revision,
            token=token,
            allow_patterns=[name],
            tqdm_class=_counter(progress),
        )
    path = Path(folder) / name
    if not path.is_file():
        raise ConfigurationError(
            f"{repository!r} has no file {name!r}",
            details={"repository": repository, "file": name},
        )
    return path, path.parents[len(Path(name).parts) - 1].name


def _counter(progress: ProgressSink) -> Any:
    """Return a progress bar for the hub's client that shows nothing and counts for us."""
    from tqdm.std import tqdm

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *given: Any, **rest: Any) -> None:
            # Of its bars, one for the files and two for bytes, this one grows as files do.
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


@contextlib.contextmanager
def translated(repository: str, *, model: str, by_hand: str = "") -> Iterator[None]:
    """Turn what the hub's client raises into errors that say what to do.

    Args:
        repository: What is asked for.
        model: What it is for.
        by_hand: How to do without the hub; empty for the folders of a model.
    """
    from huggingface_hub import errors as hub

    try:
        yield
    except TioMagicError:
        raise
    except (
        OSError,
        hub.RevisionResolutionError,
        hub.EntryNotFoundError,
        hub.CachedRepoTreeNotFoundError,
        hub.XetDownloadError,
        # Of the transport that the hub's client uses, whichever its version has.
        hub.HTTPError,  # type: ignore[attr-defined]
    ) as error:
        raise _meaning(error, repository, model, by_hand or _by_hand(model)) from error
    except ValueError as error:
        raise ConfigurationError(f"{repository!r} cannot be asked for: {error}") from error


def _meaning(error: Exception, repository: str, model: str, by_hand: str) -> TioMagicError:
    return _refusal(error, repository, model, by_hand) or _trouble(error, model, by_hand)


def _refusal(error: Exception, repository: str, model: str, by_hand: str) -> TioMagicError | None:
    """Return what it means when the hub has answered and does not give the files."""
    from huggingface_hub import errors as hub

    details = {"repository": repository, "model": model}
    page = f"https://huggingface.co/{repository}"
    if isinstance(error, hub.GatedRepoError):
        message = (
            f"{repository!r} is gated: accept its licence at {page} and give a token (HF_TOKEN)"
        )
        return AuthenticationError(message, details=details)
    status = _status(error)
    if isinstance(error, hub.RepositoryNotFoundError) or status in {401, 403}:
        message = (
            f"the hub does not show {repository!r}: a token (HF_TOKEN) that may see it is needed"
        )
        return AuthenticationError(message, details=details)
    if isinstance(error, hub.RevisionNotFoundError | hub.DisabledRepoError):
        message = f"the hub no longer has these weights of {repository!r}: {by_hand}"
        return ConfigurationError(message, details=details)
    if status == 429:
        return RateLimitError("the hub asks to come back later", details=details)
    return None


def _trouble(error: Exception, model: str, by_hand: str) -> TioMagicError:
    """Return what it means when the hub was not reached, or the disk did not take the files."""
    details = {"model": model}
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        message = f"the disk is full: the weights of {model!r} do not fit; HF_HOME names another"
        return ConfigurationError(message, details=details)
    if isinstance(error, PermissionError):
        message = f"the weights cannot be stored: {error}; HF_HOME names another place"
        return ConfigurationError(message, details=details)
    message = (
        f"the weights of {model!r} are not here and the hub cannot be reached "
        f"({type(error).__name__}). Try again with a network, or {by_hand}"
    )
    return APIError(message, details=details | {"cause": str(error)[:300]}, retryable=True)


def _by_hand(model: str) -> str:
    return f"put the files into <weights_dir>/{model} or give their folder as model_path"


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None
