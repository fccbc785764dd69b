"""The methods of ``tm`` that ask: about jobs, models, parameters and providers."""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tiomagic.handle import JobHandle
    from tiomagic.session import Session


class Inquiries(ABC):
    """What can be asked of a set of settings. Nothing here starts a generation."""

    @property
    @abstractmethod
    def _session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def inspect(self, path: str | Path) -> dict[str, Any]:
        """Return the recipe of a video: what made it, with the seed.

        Args:
            path: A video of tiomagic, or the JSON file beside one.

        Raises:
            ResourceNotFoundError: when there is no such file.
            ValidationError: when it has no recipe.
        """
        from tiomagic import recipes

        return recipes.of_file(path)

    def get_recipe(self, source: str | Path) -> dict[str, Any]:
        """Return what is needed to make a video again.

        Args:
            source: A job's id, a video of tiomagic, or the JSON file beside one.

        Raises:
            ResourceNotFoundError: when there is no such job or file.
            ValidationError: when the file has no recipe.
        """
        from tiomagic import recipes

        if recipes.is_file_name(source):
            return recipes.of_file(source)
        return recipes.of_job(self._session.generation.get(str(source)))

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
        return self.get_job(job_id).refresh()

    def cancel_job(self, job_id: str) -> JobHandle:
        """Ask for a job to stop, store the outcome and return its handle.

        Raises:
            ResourceNotFoundError: when there is no such job.
            APIError: when the provider cannot be asked; the next call asks again.
        """
        return self.get_job(job_id).cancel()

    def get_job(self, job_id: str) -> JobHandle:
        """Return a job as it is stored, without asking its provider.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        from tiomagic.handle import JobHandle

        return JobHandle(self._session.generation.get(job_id), self._session)

    def list_jobs(  # noqa: PLR0913 - one keyword a filter
        self,
        *,
        status: str | Iterable[str] | None = None,
        feature: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        text: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        limit: int | None = 50,
        after: str | None = None,
    ) -> list[JobHandle]:
        """Return stored jobs, newest first. What is None does not narrow.

        Args:
            status: A status, or several.
            feature: A feature's name.
            model: A model's name.
            provider: A provider's name.
            text: Must occur in the prompt, in any case.
            since: Created then or later: a datetime or ISO 8601; local time if it has no zone.
            until: Created before.
            limit: At most so many; None for all.
            after: The id of the last job of the page before.

        Raises:
            ValidationError: when a filter is refused.
            ResourceNotFoundError: when ``after`` is no job.
        """
        from tiomagic.arguments import job_query
        from tiomagic.handle import JobHandle

        query = job_query(
            status=status,
            feature=feature,
            since=since,
            until=until,
            model=model,
            provider=provider,
            text=text,
            limit=limit,
            after=after,
        )
        return [JobHandle(job, self._session) for job in self._session.generation.list(query)]

    def get_providers(self) -> list[str]:
        """Return a fresh list of the providers that can be configured."""
        return self._session.provider_names()

    def get_models(self, feature: str, provider: str | None = None) -> list[str]:
        """Return the names of the models for a feature, sorted.

        Args:
            feature: Such as ``text_to_video``.
            provider: Who must be able to run them; None for anybody.

        Raises:
            ValidationError: when there is no such feature.
            UnknownProviderError: when there is no such provider.
        """
        from tiomagic import listing

        return listing.model_names(self._session, feature, provider)

    def get_default_model(self, provider: str | None = None) -> str:
        """Return the model that runs when none is named.

        Args:
            provider: Whose; None for the configured provider.
        """
        name = provider or self._session.configured_provider()
        return self._session.provider(name).capabilities().default_model

    def get_schema(self, feature: str, model: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the parameters of a model: ``{"required": {name: entry}, "optional": …}``.

        An entry has ``type`` (the Python class), ``description``, and where there are any
        ``default``, ``minimum``, ``maximum``, ``multiple_of``, ``choices``, ``unit``, ``source``.

        Raises:
            ValidationError: when there is no such feature.
            UnknownModelError: when there is no such model, or it cannot do that.
        """
        from tiomagic import listing

        return listing.schema(feature, model).to_dict()

    def get_json_schema(self, feature: str, model: str) -> dict[str, Any]:
        """Return the parameters of a model as JSON Schema (draft 2020-12).

        Raises:
            ValidationError, UnknownModelError: as :meth:`get_schema`.
        """
        from tiomagic import listing

        return listing.schema(feature, model).to_json_schema(title=f"{feature} with {model}")

    def list_implementations(self) -> dict[str, dict[str, dict[str, str]]]:
        """Print provider, feature and model as a tree, and return it with each model's title."""
        from tiomagic import listing

        tree = listing.tree(self._session)
        sys.stdout.write(listing.as_text(tree))
        return tree
