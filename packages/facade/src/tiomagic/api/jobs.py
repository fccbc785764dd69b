"""The methods of ``tm`` for stored jobs and recipes."""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, Unpack

if TYPE_CHECKING:
    from datetime import datetime

    from tiomagic.api.arguments import JobFilters
    from tiomagic.handle.handle import JobHandle
    from tiomagic.wiring.session import Session
    from tiomagic_domain.jobs.job import Job


class JobMethods(ABC):
    """The methods of ``tm`` for stored jobs and recipes."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def inspect(self, path: str | Path) -> dict[str, Any]:
        """Return the recipe of a video: feature, model, all arguments and the seed.

        Args:
            path: A video of tiomagic, the JSON file beside one, or a job's id.

        Raises:
            ResourceNotFoundError: when there is no such file or job, or the job has no video.
            ValidationError: when it has no recipe.
        """
        from tiomagic.results import recipes
        from tiomagic.results.pictures import video_of
        from tiomagic_domain.usecases.job_ids import find_job_id

        if isinstance(path, str) and not (recipes.is_file_name(path) or Path(path).is_file()):
            repository = self.session.container.repository()
            path = video_of(self.session.generation.get(find_job_id(repository, path)))
        return recipes.of_file(path)

    def get_recipe(self, source: str | Path) -> dict[str, Any]:
        """Return what is needed to make a video again.

        Args:
            source: A job's id, a video of tiomagic, or the JSON file beside one.

        Raises:
            ResourceNotFoundError: when there is no such job or file.
            ValidationError: when the file has no recipe, or a path or an address for an input.
        """
        from tiomagic.results import recipes

        # Its weights are checked when it runs.
        return recipes.load_trusted_recipe(self.session, source, trust=True)

    def check_generation_status(
        self,
        job_id: str,
        returnJob: bool = False,  # noqa: ARG002, FBT001, FBT002, N803 - 1.0.0's name
    ) -> JobHandle:
        """Ask the provider how a job is, fetch its video when it is done, and return its handle.

        A network that is down leaves the job as it is, with a message.

        Args:
            job_id: Which job.
            returnJob: Accepted for old scripts; the handle is always returned.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the video cannot be written; the next check tries again.
        """
        return self._handle_of(self.session.generation.check(self._find_id(job_id)))

    def cancel_job(self, job_id: str, *, lost: bool = False) -> JobHandle:
        """Ask a job to stop, store the outcome and return its handle.

        Args:
            job_id: Which job.
            lost: End a job whose run is gone for good; see :meth:`tiomagic.JobHandle.cancel`.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when it is ``lost``, and its run was seen just now.
            APIError: when the provider cannot be reached; the next call retries.
        """
        from tiomagic.display.next_steps import advise_in_python

        with advise_in_python():
            return self._handle_of(self.session.generation.cancel(self._find_id(job_id), lost=lost))

    def recover(self) -> list[JobHandle]:
        """Recover every job that is not over, as after a crash or a reboot.

        Jobs of lost workers fail or run again, remote ones are followed, videos that are done are
        fetched, and queues with jobs in them get a worker.

        Returns:
            The jobs that have changed by it, oldest first. Trouble with one is logged.
        """
        return [self._handle_of(job) for job in self.session.generation.recover()]

    def get_job(self, job_id: str) -> JobHandle:
        """Return a job as it is stored, without asking its provider.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        return self._handle_of(self.session.generation.get(self._find_id(job_id)))

    def _find_id(self, name: object) -> str:
        """Return the id of the job that a name means: an id, its beginning, or ``@last``."""
        from tiomagic_domain.usecases.job_ids import find_job_id

        return find_job_id(self.session.container.repository(), name)

    def _handle_of(self, job: Job) -> JobHandle:
        from tiomagic.handle.handle import JobHandle

        return JobHandle(job, self.session)

    def list_jobs(self, **filters: Unpack[JobFilters]) -> list[JobHandle]:
        """Return stored jobs, newest first.

        Args:
            **filters: Which jobs; see :class:`tiomagic.api.arguments.JobFilters`. ``limit`` is 50
                by default.

        Raises:
            ValidationError: when a filter is refused.
            ResourceNotFoundError: when ``after`` is not a job.
        """
        from tiomagic.api.arguments import build_job_query

        query = build_job_query(filters, limit=50)
        if query.after is not None:
            query = replace(query, after=self._find_id(query.after))
        return [self._handle_of(job) for job in self.session.generation.list(query)]

    def costs(
        self,
        by: Literal["day", "model", "provider", "tag"] = "day",
        *,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        model: str | None = None,
        provider: str | None = None,
        tag: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return what stored jobs have cost, one row for each group and currency.

        Args:
            by: What a row is of. Days are those of UTC, and a job is in the one in which it was
                submitted. A job with several tags is in the row of each.
            since: Submitted then or later: datetime, ISO 8601 (local if without a zone), or 7d ago
                (h, d, w).
            until: Submitted before.
            model: Jobs of this model alone.
            provider: Jobs of this provider alone.
            tag: Jobs with this tag alone.

        Returns:
            Sorted rows: the group under its name, such as ``day``; ``currency``; ``spent``, what
            providers have said that runs cost, and ``spent_jobs``, of how many; ``expected``, the
            most that those are likely to cost of which that is not known yet, and
            ``expected_jobs``. Jobs that cost nothing are in none.

        Raises:
            ValidationError: when a filter is refused.
            ConfigurationError: when a job store of your own does not sum costs.
        """
        from tiomagic.api.costs import sum_costs

        filters = {"since": since, "until": until, "model": model, "provider": provider, "tag": tag}
        return sum_costs(self.session, by, filters)

    def export_jobs(
        self,
        path: str | Path | TextIO,
        format: str | None = None,  # noqa: A002 - what everybody calls it
        **filters: Unpack[JobFilters],
    ) -> int:
        """Export stored jobs to a file, and return their number.

        JSON is an array of the jobs' dicts, one per line. CSV has a header and one row per job, in
        UTF-8, with the columns of :data:`tiomagic.results.export.EXPORT_COLUMNS`, always the same;
        lists and dicts are JSON within their cell. Any number of jobs is written in little memory.

        Args:
            path: The file, replaced when the new one is whole; or an open text file.
            format: ``json`` or ``csv``; None for the ending of the file's name.
            **filters: Which jobs, as for :meth:`list_jobs`; all when there is no ``limit``.

        Raises:
            ValidationError: when a filter or the format is refused.
            ProcessingError: when the file cannot be written; what was there is as it was.
        """
        from tiomagic.api.arguments import build_job_query
        from tiomagic.results.export import export

        return export(self.session, path, format, build_job_query(filters, limit=None))

    def delete_job(self, job_id: str, files: bool = False) -> list[Path]:  # noqa: FBT001, FBT002
        """Delete a finished job.

        Args:
            job_id: Which job.
            files: True to delete its video and the recipe beside it too.

        Returns:
            The files that were deleted.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when the job is not over: cancel it first, or wait for its end.
            ProcessingError: when a file cannot be deleted; the job is still there.
        """
        return self.session.archive.delete(self._find_id(job_id), files=files)
