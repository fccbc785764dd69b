"""A worker's files on its node: the inputs of jobs, each fetched once, and what it makes."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_ray.cluster.job_records import KEPT_S
from tiomagic_ray.shared_folder import SharedFolder


def node_folder() -> Path:
    """Return this user's folder on this machine."""
    folder = Path(tempfile.gettempdir()) / f"tiomagic-ray-{os.getuid()}"
    make_private(folder)
    return folder


@contextmanager
def new_folder() -> Iterator[Path]:
    """Yield a folder for what a job makes, removed at the end.

    That of a killed worker stays until `sweep_node`.
    """
    making = node_folder() / "making"
    make_private(making)
    with tempfile.TemporaryDirectory(prefix="job-", dir=making) as name:
        yield Path(name)


def sweep_node() -> None:
    """Remove inputs that no job has used for long, and what killed workers left."""
    now = time.time()
    for path in node_folder().glob("*/*"):
        with suppress(OSError):  # Another worker of this machine removes it, too.
            if now - path.stat().st_mtime > KEPT_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def find_input(digest: str, cluster: str, fetch: Callable[[int], bytes]) -> Path:
    """Return the path of an input on this node, fetched unless a worker of the node has it.

    Args:
        digest: The SHA-256 of the file.
        cluster: The cluster's name: each has a folder of its own.
        fetch: Returns the piece that begins at an offset, empty at the end.

    Raises:
        ProcessingError: when it does not arrive whole.
    """
    folder = node_folder() / cluster
    make_private(folder)
    target = folder / digest
    with _locked(folder / f".{digest}.lock"):
        if target.exists() and sha256_of(target) == digest:
            os.utime(target)
            return target
        with replacing(target, durable=False) as part:
            with part.open("wb") as file:
                while piece := fetch(file.tell()):
                    file.write(piece)
            if sha256_of(part) != digest:
                raise ProcessingError("an input arrived damaged", code=ErrorCode.DAMAGED)
    return target


def find_shared_folder(task: Mapping[str, Any]) -> SharedFolder | None:
    """Return the folder that a job's caller and this machine share; None when files are sent.

    Raises:
        ConfigurationError: when this machine has another folder there. Those that were alive when
            the job was submitted had been asked; this one came later.
    """
    named, job_id = task.get("shared"), task["job"]["job_id"]
    if named is None:
        return None
    shared = SharedFolder.of_cluster(named)
    if not shared.has_job(job_id):
        raise ConfigurationError(
            f"{str(shared.folder)!r} on the machine {socket.gethostname()} is not the folder that "
            "the caller has: mount it there, or set TIOMAGIC_RAY_SHARED_DIR there to its path",
            details={"folder": str(shared.folder), "machine": socket.gethostname()},
            code=ErrorCode.SHARED_FOLDER,
        )
    return shared


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
