"""The use cases of the page: forms, submissions and jobs, independent of Gradio."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypedDict

from tiomagic.api import models
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.problems import say_error, say_problem
from tiomagic.results import recipes
from tiomagic.ui.browser_input import Draft, read_draft, read_entries
from tiomagic.ui.form.arguments import chosen_entries, collect_arguments
from tiomagic.ui.form.fields import Field, entries_of, fields_of
from tiomagic.ui.jobs.running_jobs import RunningJobs
from tiomagic.ui.web.files import ServedFiles
from tiomagic.ui.web.uploads import Uploads
from tiomagic.wiring.builders import INPUTS_FOLDER
from tiomagic.wiring.provider_names import DEFAULT_PROVIDER
from tiomagic_domain.catalogue import models_for
from tiomagic_domain.errors import (
    ConfigurationError,
    ProcessingError,
    ResourceNotFoundError,
    UnknownModelError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

UPLOADS_FOLDER: Final = "uploads"
"""The folder of uploads, within the state folder."""
SHARED_PARAMETERS: Final = frozenset({"prompt", "negative_prompt", "seed"})
"""Entries that mean the same for every model, as pictures and videos do."""


class FormState(TypedDict):
    """The feature, model and provider of a form. Plain data: each page keeps its own."""

    provider: str
    feature: str
    model: str
    values: dict[str, Any]
    """Initial values that replace defaults."""
    serial: int
    """Unique, so that the form is built anew."""


class PageController:
    """The use cases of the page, over one session. Thread-safe.

    Args:
        session: The container of settings and parts.
        files: The files that a browser may fetch and a form may hold; None for the session's.
    """

    def __init__(self, session: Session, files: ServedFiles | None = None) -> None:
        self.session = session
        self.live: RunningJobs = RunningJobs(session)
        self._files = files or served_files_of(session)

    def providers(self) -> list[str]:
        """Return the providers that can run a model, the configured one first."""
        names = self.session.provider_names()
        first = self.session.settings.provider or DEFAULT_PROVIDER
        return sorted(names, key=lambda name: (name != first, name))

    def features(self, provider: str) -> list[Feature]:
        """Return the features of a provider, in the order of the documentation."""
        runs = self.session.runs(provider)
        return [feature for feature in Feature if models_for(feature, runs=runs)]

    def models(self, provider: str, feature: str) -> list[tuple[str, str]]:
        """Return title and name of each model that does a feature on a provider."""
        return [
            (card.title, card.name) for card in models.find_cards(self.session, feature, provider)
        ]

    def choose(
        self,
        provider: str | None = None,
        feature: str | None = None,
        model: str | None = None,
        values: Mapping[str, Any] = MappingProxyType({}),
    ) -> FormState:
        """Return the legal choice that is nearest to the wanted one."""
        providers = self.providers()
        provider = provider if provider in providers else providers[0]
        features = [known.value for known in self.features(provider)]
        feature = feature if feature in features else features[0]
        names = [name for _, name in self.models(provider, feature)]
        if model not in names:
            default = self._default_model(provider)
            model = default if default in names else names[0]
        return FormState(
            provider=provider,
            feature=feature,
            model=model,
            values=dict(values),
            serial=time.monotonic_ns(),
        )

    def restore_draft(self, draft: str) -> FormState:
        """Return the choice that a browser has stored; the default if that is not usable.

        Args:
            draft: JSON of ``assets/page.js``: a choice, and the entries by name.
        """
        kept = read_draft(draft, self._files)
        return self.choose(kept.provider, kept.feature, kept.model, self._chosen(kept))

    def switch(
        self, provider: str | None, feature: str | None, model: str | None, draft: str
    ) -> FormState:
        """Return another choice, with what was chosen before and means the same in it.

        A default is not carried over: each model has its own.
        """
        choice = self.choose(provider, feature, model)
        values = self._chosen(read_draft(draft, self._files))
        alike = [f for f in self.fields(choice) if f.is_media or f.name in SHARED_PARAMETERS]
        carried = {name: values[name] for name in entries_of(alike) if name in values}
        return {**choice, "values": carried}

    def _chosen(self, draft: Draft) -> dict[str, Any]:
        """Return the entries of a draft that somebody chose.

        The script of the page keeps nothing else; a draft of an older version, or one that is
        saved while the form changes, may hold defaults as well.
        """
        try:
            schema = models.find_schema(str(draft.feature), str(draft.model))
        except (ValidationError, UnknownModelError):
            return dict(draft.values)
        return chosen_entries(fields_of(schema), draft.values)

    def fields(self, choice: FormState) -> list[Field]:
        """Return the form of a choice."""
        schema = models.find_schema(choice["feature"], choice["model"])
        return fields_of(schema, choice["values"])

    def submit(self, choice: FormState, given: Sequence[Any]) -> Job:
        """Submit a job, which runs independently of the page.

        Args:
            choice: Of the form.
            given: The entries, in the order of ``form.entries_of``.

        Raises:
            ValidationError: names the problem of each field; nothing was stored.
            TioMagicError: when the job cannot run.
        """
        fields = self.fields(choice)
        arguments = collect_arguments(fields, read_entries(fields, given, self._files))
        job = self.session.generation.submit(
            Feature(choice["feature"]),
            provider=choice["provider"],
            model=choice["model"],
            arguments=arguments,
            detach=True,
        )
        self.live.invalidate()
        return job

    def rerun(self, job_id: str, *, new_seed: bool) -> Job:
        """Submit a job again, with a new seed or unchanged.

        Raises:
            TioMagicError: when it cannot run.
        """
        recipe = recipes.of_job(self.session.generation.get(job_id))
        changes = {"seed": None} if new_seed else {}
        job = self.session.generation.rerun(recipe, overrides=changes, detach=True)
        self.live.invalidate()
        return job

    def cancel(self, job_id: str) -> Job:
        """Cancel a job.

        Raises:
            TioMagicError: when its provider cannot be reached.
        """
        try:
            return self.session.generation.cancel(job_id)
        finally:
            self.live.invalidate()

    def delete(self, job_id: str) -> None:
        """Delete a job that is over, with its video.

        Raises:
            TioMagicError: when it is not over, or a file cannot be deleted.
        """
        self.session.archive.delete(job_id, files=True)

    def find(self, job_id: str | None) -> Job | None:
        """Return a job as it is stored; None when there is none, or it cannot be read."""
        if job_id is None:
            return None
        try:
            return self.session.generation.get(job_id)
        except (ResourceNotFoundError, ProcessingError):
            return None

    def completed_jobs(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those jobs that have their video."""
        jobs = [job for job in map(self.find, job_ids) if job is not None]
        return [job for job in jobs if job.status is JobStatus.COMPLETED]

    def newest(self) -> Job | None:
        """Return the newest job."""
        return next(iter(self.session.generation.list(JobQuery(limit=1))), None)

    def settings_of(self, job_id: str) -> FormState:
        """Return a choice whose form holds the settings of a job.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError, UnknownModelError: when its model does not do that any more.
        """
        job = self.session.generation.get(job_id)
        models.find_schema(job.feature.value, job.model)
        values = {name: self._entry(value) for name, value in job.arguments.items()}
        return self.choose(job.provider, job.feature.value, job.model, values)

    def _entry(self, value: Any) -> Any:
        """Return a form's value for a stored argument: a file for a picture or a video."""
        if not isinstance(value, Mapping) or "sha256" not in value:
            return value
        # None for a deleted input: the form then asks for it again.
        return self._files.find_input(value["sha256"], value.get("name"))

    def _default_model(self, provider: str) -> str | None:
        try:
            return self.session.provider(provider).capabilities().default_model
        except ConfigurationError:
            # Not installed: the form can be shown, and a submission reports what is missing.
            return None


def served_files_of(session: Session) -> ServedFiles:
    """Return the files that a browser may fetch from a session and a form may hold."""
    state = session.settings.state_dir
    return ServedFiles(
        session.generation.get, state / INPUTS_FOLDER, Uploads(state / UPLOADS_FOLDER)
    )


def group_problems_by_field(
    error: ValidationError, names: Sequence[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the problems of each field, and those of no field.

    Args:
        error: Of the schema or a media reader.
        names: The form's fields.
    """
    placed: dict[str, list[str]] = {}
    rest = [] if error.problems else [say_error(error, PAGE_WORDS)]
    for problem in error.problems:
        fields = [field for field in problem.field.split(", ") if field in names]
        for field in fields:
            placed.setdefault(field, []).append(say_problem(problem, PAGE_WORDS, at_field=True))
        if not fields:
            rest.append(say_problem(problem, PAGE_WORDS))
    return placed, rest
