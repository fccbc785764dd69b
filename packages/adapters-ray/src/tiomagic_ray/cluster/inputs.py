"""The pictures and videos of jobs on a worker's node, each fetched once."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_ray.shared_folder import SharedFolder


def find_input(digest: str, cluster: str, fetch: Callable[[int], bytes]) -> Path:
    """Return the path of an input on this node, fetched unless a worker of the node has it.

    Args:
        digest: The SHA-256 of the file.
        cluster: The cluster's name: each has a folder of its own.
        fetch: Returns the piece that begins at an offset, empty at the end.

    Raises:
        ProcessingError: when it does not arrive whole.
    """
    folder = Path(tempfile.gettempdir()) / f"tiomagic-ray-{os.getuid()}" / cluster
    make_private(folder)
    target = folder / digest
    with _locked(folder / f".{digest}.lock"):
        if target.exists() and sha256_of(target) == digest:
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
