"""Downloads several files at once, and stops at once: on Ctrl-C, a cancel or an error.

The hub's own client does neither stop nor go on: it waits for the files that are under way, and
throws away what it has of them. Here each file comes in a thread of its own, into a part beside its
place, which the next download continues with a range request. A whole file is checked against the
digest that the hub lists, and only then gets its name. To stop, the sockets are shut down, so that
no thread is left reading.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.progress import (
    CancelToken,
    DownloadState,
    Phase,
    Progress,
    ProgressSink,
)
from tiomagic_local.weights.hub_cache import ListedFile
from tiomagic_local.weights.hub_errors import damaged_file_error, describe_wait, retry_after_of
from tiomagic_local.weights.hub_requests import HubRequests, may_pass

MIB = 2**20

FILES_AT_ONCE = 8
"""Files that come at the same time, as with the hub's client."""
PROGRESS_EVERY_S = 0.25
"""Seconds between two events."""
POLL_S = 0.05
"""Seconds between two looks for a cancel, and the longest that a stop waits to be seen."""
STOP_WITHIN_S = 0.3
"""Seconds that a stop waits for its threads. One that waits for a connection is left behind; it
writes nothing any more."""
SPEED_OVER_S = 10.0
"""Seconds whose speed is shown."""
GIVE_UP_AFTER_S = 60.0
"""Seconds without a byte after which a download ends that had some; it can be continued."""
FIRST_PAUSE_S = 0.5
"""Seconds before a broken connection is opened again; each further pause is twice as long."""
LONGEST_PAUSE_S = 10.0
READ_BYTES = 4 * MIB
"""Bytes that are read at once from a part on the disk, to know its digest so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToFetch:
    """A file, and where it goes."""

    hub: HubRequests
    commit: str
    name: str
    """Its path in the repository."""
    listed: ListedFile
    target: Path
    """The place of its content, which it gets when it is whole."""
    part: Path
    """Where it grows, on the same disk."""
    lock: Path
    """Held while it comes, as by the hub's client."""


class Transfer:
    """One download of several files.

    Args:
        files: Which.
        progress: Gets an event now and then, in the thread that called ``run``.
        cancel: Looked at all the time.
    """

    def __init__(
        self,
        files: Sequence[FileToFetch],
        *,
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> None:
        # The largest first: small ones fit in beside them.
        self._queue = deque(sorted(files, key=lambda file: -file.listed.size))
        self._files = len(files)
        self._total = sum(file.listed.size for file in files)
        self._progress, self._cancel = progress, cancel
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._over = threading.Event()
        """Set when an error ends the download, or its last file is here."""
        self._error: BaseException | None = None
        self._bytes: dict[str, int] = {}
        self._finished = 0
        self._current = ""
        self._running: dict[str, Any] = {}
        self._waits: dict[str, str] = {}
        self._speeds: deque[tuple[float, int]] = deque()
        self._came = 0

    def run(self) -> None:
        """Download the files.

        Raises:
            AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
            GenerationCanceledError: when the job was canceled.
        """
        for file in self._queue:
            self._bytes[self._key(file)] = _size(file.part)
        workers = [
            threading.Thread(target=self._work, name=f"tiomagic-download-{number}", daemon=True)
            for number in range(min(FILES_AT_ONCE, self._files))
        ]
        try:
            for worker in workers:
                worker.start()
            self._follow(workers)
        except BaseException:
            self._stop(workers)
            raise
        if self._error is not None:
            self._stop(workers)
            raise self._error

    def _follow(self, workers: Sequence[threading.Thread]) -> None:
        """Tell the progress until all is done, or something is wrong."""
        told = float("-inf")
        while any(worker.is_alive() for worker in workers) and self._error is None:
            self._over.wait(POLL_S)
            self._cancel.raise_if_canceled()
            now = time.monotonic()
            if now - told >= PROGRESS_EVERY_S:
                told = now
                self._tell(now)
        if self._error is None:
            self._tell(time.monotonic())

    def _tell(self, now: float) -> None:
        with self._lock:
            done, came = sum(self._bytes.values()), self._came
            self._current = next(iter(self._running), self._current)
            waits = next(iter(self._waits.values()), "") if self._running else ""
            waiting = bool(self._waits) and len(self._waits) >= len(self._running)
            number = min(self._finished + 1, self._files)
        self._speeds.append((now, came))
        while now - self._speeds[0][0] > SPEED_OVER_S:
            self._speeds.popleft()
        since, before = self._speeds[0]
        speed = (came - before) / (now - since) if now - since >= 2 * PROGRESS_EVERY_S else None
        state = DownloadState(
            file=self._current.partition(":")[2],
            number=number,
            files=self._files,
            bytes_done=done,
            bytes_total=self._total,
            bytes_per_s=speed,
            waits_for=waits if waiting else "",
        )
        steps = max(1, self._total // MIB)
        step = steps if done >= self._total else min(done // MIB, steps)
        self._progress(Progress(phase=Phase.DOWNLOADING, step=step, steps=steps, download=state))

    def _stop(self, workers: Sequence[threading.Thread]) -> None:
        """End the threads: those that read find their socket shut."""
        self._stopping.set()
        with self._lock:
            answers = [answer for answer in self._running.values() if answer is not None]
        for answer in answers:
            _shut_down(answer)
        until = time.monotonic() + STOP_WITHIN_S
        for worker in workers:
            if worker.ident is not None:
                worker.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        """Download one file after the other."""
        while not self._stopping.is_set():
            with self._lock:
                if not self._queue:
                    return
                file = self._queue.popleft()
                self._running[self._key(file)] = None
            try:
                self._fetch(file)
            except _StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - raised again by who called
                with self._lock:
                    if self._error is None and not self._stopping.is_set():
                        self._error = error
                self._over.set()
                return
            finally:
                with self._lock:
                    self._running.pop(self._key(file), None)
                    self._waits.pop(self._key(file), None)
            with self._lock:
                self._finished += 1
                self._bytes[self._key(file)] = file.listed.size
                if self._finished == self._files:
                    self._over.set()

    def _fetch(self, file: FileToFetch) -> None:
        with self._locked(file):
            if _size(file.target) == file.listed.size and file.target.is_file():
                return  # Another process was faster.
            with self._errors(file):
                for place in (file.part, file.target):
                    place.parent.mkdir(parents=True, exist_ok=True)
                continued = _size(file.part) > 0
                if self._complete(file):
                    file.part.replace(file.target)
                    return
                file.part.unlink(missing_ok=True)
                if continued and self._complete(file):
                    # The part was damaged, as after a loss of power.
                    file.part.replace(file.target)
                    return
                file.part.unlink(missing_ok=True)
            raise damaged_file_error(file.hub.repository, file.name)

    @contextlib.contextmanager
    def _errors(self, file: FileToFetch) -> Iterator[None]:
        """Translate errors of the hub and of the disk, and drop those that a stop has caused."""
        try:
            with file.hub.errors():
                yield
        except (TioMagicError, ValueError):
            if self._stopping.is_set():
                raise _StoppedError from None
            raise

    @contextlib.contextmanager
    def _locked(self, file: FileToFetch) -> Iterator[None]:
        """Hold the lock of a file, for which another process may be waiting or working."""
        file.lock.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file.lock)
        while True:
            try:
                lock.acquire(timeout=POLL_S)
                break
            except Timeout:
                self._wait_for(file, "another program")
                self._raise_if_stopping()
            except NotImplementedError:
                # A file system without locks: the digest still tells a broken file.
                yield
                return
        self._wait_for(file, "")
        try:
            yield
        finally:
            lock.release()

    def _complete(self, file: FileToFetch) -> bool:
        """Download what is missing of a part; return whether it is the file then."""
        if _size(file.part) > file.listed.size:
            file.part.unlink()
        digest = _begin_digest(file.listed)
        with file.part.open("a+b") as part:
            self._read_part(part, digest)
            quiet_since, pause = time.monotonic(), FIRST_PAUSE_S
            while (size := part.tell()) < file.listed.size:
                before = size
                try:
                    with file.hub.errors():
                        digest = self._append(file, part, digest)
                    if part.tell() < file.listed.size:
                        raise ConnectionError("the connection ended before the file")
                    continue
                except (TioMagicError, ConnectionError) as error:
                    part.flush()
                    self._raise_if_stopping()
                    if part.tell() != before:
                        quiet_since, pause = time.monotonic(), FIRST_PAUSE_S
                    pause = self._pause_after(file, error, quiet_since, pause)
                    waits_for = describe_wait(error)
                self._sleep(file, pause, waits_for)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        self._bytes[self._key(file)] = file.listed.size
        wanted = file.listed.sha256 or file.listed.git_sha1
        return bool(digest.hexdigest() == wanted)

    def _pause_after(
        self, file: FileToFetch, error: Exception, quiet_since: float, pause: float
    ) -> float:
        """Return how long to wait before the next attempt.

        Raises:
            TioMagicError: when no attempt helps.
        """
        if isinstance(error, TioMagicError) and not may_pass(error):
            raise error
        asked = retry_after_of(error.__cause__) or pause
        if time.monotonic() + asked - quiet_since > GIVE_UP_AFTER_S:
            with file.hub.errors():
                raise error
        return asked

    def _append(self, file: FileToFetch, part: Any, digest: Any) -> Any:
        """Append what the hub gives to a part; return the digest of all of it."""
        size = part.tell()
        headers = {"Range": f"bytes={size}-"} if size else {}
        with file.hub.open(file.commit, file.name, headers) as answer:
            with self._lock:
                self._running[self._key(file)] = answer
            self._raise_if_stopping()
            self._wait_for(file, "")
            if size and not _starts_at(answer, size):
                # The whole file comes, although a part was asked for.
                part.truncate(0)
                part.seek(0)
                digest, size = _begin_digest(file.listed), 0
                self._bytes[self._key(file)] = 0
            for piece in answer.iter_bytes():
                if self._stopping.is_set():
                    break
                if size > file.listed.size:
                    break  # More than was listed: the digest will tell.
                part.write(piece)
                part.flush()
                digest.update(piece)
                size += len(piece)
                with self._lock:
                    self._bytes[self._key(file)] = size
                    self._came += len(piece)
        part.flush()
        self._raise_if_stopping()
        return digest

    def _read_part(self, part: Any, digest: Any) -> None:
        """Bring the digest to the end of what is here."""
        part.seek(0)
        while piece := part.read(READ_BYTES):
            self._raise_if_stopping()
            digest.update(piece)

    def _sleep(self, file: FileToFetch, seconds: float, waits_for: str) -> None:
        self._wait_for(file, waits_for)
        if self._stopping.wait(seconds):
            raise _StoppedError

    def _wait_for(self, file: FileToFetch, what: str) -> None:
        with self._lock:
            if what:
                self._waits[self._key(file)] = what
            else:
                self._waits.pop(self._key(file), None)

    def _raise_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise _StoppedError

    @staticmethod
    def _key(file: FileToFetch) -> str:
        return f"{file.hub.repository}:{file.name}"


class _StoppedError(Exception):
    """The download is to end; never seen outside."""


def _begin_digest(listed: ListedFile) -> Any:
    if listed.sha256 is not None:
        return hashlib.sha256()
    # What git itself calls a file.
    return hashlib.sha1(f"blob {listed.size}\0".encode(), usedforsecurity=False)


def _starts_at(answer: Any, size: int) -> bool:
    """Say whether an answer continues a part."""
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status_code == 206 and found is not None and int(found[1]) == size


def _shut_down(answer: Any) -> None:
    """Wake up a thread that waits for the next bytes of an answer."""
    stream = answer.extensions.get("network_stream")
    sock = None if stream is None else stream.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
