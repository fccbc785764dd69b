"""What a vendor can do, in our terms: the seam between the provider and the vendors' SDKs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media
from tiomagic_domain.money.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call as the vendor takes it."""

    endpoint: str
    """The vendor's name for what runs."""
    arguments: Mapping[str, Any] = field(repr=False)
    """The vendor's arguments, plain data. Has the addresses of uploads, so it is never recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a vendor says of a run."""

    status: JobStatus
    """``completed`` only when there is an address to fetch the video from."""
    message: str = ""
    fraction: float | None = None
    """How far it is, 0 to 1; None when the vendor does not say."""
    queue_position: int | None = None
    """Runs that the vendor starts before this one."""
    logs: str | None = None
    cost: Cost | None = None
    """What it was billed, or will be; None when the vendor does not say."""
    address: str | None = field(default=None, repr=False)
    """Where the finished video is. May be signed, so it is never recorded."""
    read: Callable[[], Iterable[bytes]] | None = field(default=None, repr=False)
    """Reads the finished video, where its address needs a key; in place of ``address``. Raises
    ValidationError when it does not arrive whole."""
    error: str | None = None
    """Why it failed, in the vendor's words."""
    error_code: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class HostedService(Protocol):
    """A vendor, through its own SDK. Holds no state of jobs."""

    @property
    def name(self) -> str:
        """The provider's name, lower case."""
        ...

    @property
    def title(self) -> str:
        """The vendor's name, for people."""
        ...

    @property
    def dashboard(self) -> str:
        """Where the vendor's users see their runs and their bill."""
        ...

    @property
    def poll_interval_s(self) -> float:
        """Seconds between two polls, as the vendor asks for."""
        ...

    @property
    def keeps_videos(self) -> timedelta:
        """How long after a run its video can be fetched."""
        ...

    @property
    def can_cancel(self) -> bool:
        """False when a run that was accepted cannot be stopped."""
        ...

    @property
    def can_upload(self) -> bool:
        """False when it reads pictures only from addresses, and has no store for files of ours."""
        ...

    @property
    def largest_file_bytes(self) -> int | None:
        """The most bytes of a file that it takes; None where no limit is known."""
        ...

    def upload(self, media: Media) -> str:
        """Put a picture or a video where the vendor reads it, and return its address.

        Called only where ``can_upload`` is true.

        Raises:
            APIError: when it cannot be uploaded; nothing was billed.
        """
        ...

    def create(self, order: Order, job: Job) -> str:
        """Ask for a run once, without any repetition, and return the vendor's id of it.

        Raises:
            APIError: with the code ``answer_lost`` when it may or may not have started.
            TioMagicError: when it did not start.
        """
        ...

    def find(self, job: Job) -> Sequence[str]:
        """Return the ids of the runs that may be this job's; none, if it has no search.

        Those that are known to be of other jobs may be among them.

        Raises:
            APIError: with ``retryable`` when the vendor cannot be reached.
        """
        ...

    def look(self, run_id: str, job: Job) -> RunState:
        """Return the state of a run.

        Raises:
            APIError: with ``retryable`` when the vendor cannot be reached.
            ResourceNotFoundError: when it does not know the run.
        """
        ...

    def cancel(self, run_id: str, job: Job) -> None:
        """Ask for the end of a run; whether it ended, ``look`` says.

        Raises:
            APIError: with ``retryable`` when the vendor cannot be reached.
        """
        ...
