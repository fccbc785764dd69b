"""The use cases of the page: submissions, jobs and their labels, independent of Gradio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.problems import say_error, say_problem
from tiomagic.results import recipes
from tiomagic.ui.browser_input import Press, Wanted, read_entries
from tiomagic.ui.choosing import FormChooser, FormState
from tiomagic.ui.expectation import AskedProvider, Expectation, expect_run
from tiomagic.ui.form.arguments import collect_arguments
from tiomagic.ui.form.expected_call import ExpectedCall, expect_call
from tiomagic.ui.form.fields import entries_of
from tiomagic.ui.jobs.markup import FAVOURITE
from tiomagic.ui.jobs.running_jobs import RunningJobs
from tiomagic.ui.models.samples import SAMPLE_FILES
from tiomagic.ui.web.files import ServedFiles
from tiomagic.ui.web.uploads import Uploads
from tiomagic.wiring.builders import INPUTS_FOLDER
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.errors import (
    ProcessingError,
    ResourceNotFoundError,
    TioMagicError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.schema.nested_media import argument_of
from tiomagic_domain.usecases.consent import is_accepted

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.preflight.preflight import Preflight

UPLOADS_FOLDER: Final = "uploads"
"""The folder of uploads, within the state folder."""
MOST_VARIATIONS: Final = 8
"""Most videos of one press."""
MORE_LIKE_IT: Final = 3
"""Videos that "more like this" makes."""
RECENT_PROMPTS: Final = 8
"""Prompts that are offered again."""
SEARCHED_JOBS: Final = 60
"""Newest jobs whose prompts are looked at."""


class PageController:
    """The use cases of the page, over one session. Thread-safe.

    Args:
        session: The container of settings and parts.
        files: The files that a browser may fetch and a form may hold; None for the session's.
    """

    def __init__(self, session: Session, files: ServedFiles | None = None) -> None:
        self.session = session
        self.live: RunningJobs = RunningJobs(session)
        self.files = files or served_files_of(session)
        self.chooser = FormChooser(session, self.files)

    def first_wanted(self) -> Wanted:
        """Return how calls are made until the user says otherwise: as the settings say."""
        others = list(self.session.settings.other_providers)
        return Wanted(count=1, max_cost="", others=others)

    def expect(
        self,
        choice: FormState,
        given: Sequence[object] | None = None,
        wanted: Wanted | None = None,
    ) -> Expectation:
        """Return what a run of a form would take.

        Args:
            choice: Of the form.
            given: The entries, in the order of ``fields.entries_of``; None for those that the
                form begins with.
            wanted: How the call is made; None for one video at the chosen provider.
        """
        wanted = wanted or Wanted(count=1, max_cost="", others=[])
        fields = self.chooser.fields(choice)
        names = entries_of(fields)
        entered: dict[str, object] = {field.name: field.value for field in fields}
        if given is not None and len(given) == len(names):
            entered = dict(zip(names, given, strict=True))
        card, feature = models()[choice["model"]], Feature(choice["feature"])
        call = expect_call(card, feature, fields, entered, self.chooser.shot_of(choice))
        asked = [
            AskedProvider(
                provider=name, found=self._look_ahead(name, card, call, wanted["max_cost"])
            )
            for name in (choice["provider"], *self._others_of(choice, wanted))
        ]
        return expect_run(card, call, asked, count=wanted["count"])

    def _others_of(self, choice: FormState, wanted: Wanted) -> list[str]:
        """Return the other providers that are tried for a choice, in order."""
        known = self.chooser.other_providers(choice)
        return [name for name in wanted["others"] if name in known]

    def _look_ahead(
        self, provider: str, card: ModelCard, call: ExpectedCall, max_cost: str
    ) -> Preflight | None:
        """Return what a run would take at a provider; None if that cannot be asked."""
        now, generation = self.session.clock.now(), self.session.generation
        job = Job(
            job_id="preflight",
            feature=call.feature,
            model=card.name,
            provider=provider,
            creation_time=now,
            last_updated=now,
            optional_args=call.settings,
        )
        request = Request(job=job, card=card)
        found = None
        try:
            found = generation.preflight.check_model(
                card,
                provider,
                call.settings,
                with_measured=True,
                cost=self.session.provider(provider).describe(request).cost,
                request=request,
            )
            return generation.check_form(request, found, max_cost=max_cost or None)
        except TioMagicError:
            return found  # Not installed, or an entry is illegal: a submission reports it.

    def waits_for_consent(self, choice: FormState) -> bool:
        """Return whether the model of a form has terms that the settings do not accept."""
        return not is_accepted(models()[choice["model"]], self.session.settings.accepted_terms)

    def submit(
        self,
        choice: FormState,
        given: Sequence[object],
        wanted: Wanted | None = None,
        *,
        force: bool = False,
        accept: bool = False,
    ) -> list[Job]:
        """Submit jobs, which run independently of the page.

        Args:
            choice: Of the form.
            given: The entries, in the order of ``fields.entries_of``.
            wanted: How they are made; None for one at the chosen provider. Each of several has
                another seed: the next ones after a given seed, or drawn.
            force: True to run also what cannot work here.
            accept: True when the user accepts the terms of the model, for these jobs.

        Raises:
            ValidationError: names the problem of each field; nothing was stored.
            TioMagicError: when a job cannot run.
        """
        wanted = wanted or Wanted(count=1, max_cost="", others=[])
        fields = self.chooser.fields(choice)
        arguments = collect_arguments(fields, read_entries(fields, given, self.files))
        seed = arguments.get("seed")
        jobs = []
        for number in range(wanted["count"]):
            if number and isinstance(seed, int):
                arguments = {**arguments, "seed": (seed + number) % 2**32}
            jobs.append(
                self.session.generation.submit(
                    Feature(choice["feature"]),
                    provider=[choice["provider"], *self._others_of(choice, wanted)],
                    model=choice["model"],
                    arguments=arguments,
                    detach=True,
                    force=force,
                    accepted=[choice["model"]] if accept else (),
                    preview=True,
                    max_cost=wanted["max_cost"] or None,
                )
            )
            self.live.invalidate()
        return jobs

    def repeat(self, action: str, job_id: str) -> Job:
        """Submit a job again, and return the first of the new ones.

        Args:
            action: ``retry`` for the same once more, ``again`` for another seed, ``more`` for
                several.
            job_id: Which job.

        Raises:
            TioMagicError: when it cannot run.
        """
        recipe = recipes.of_job(self.session.generation.get(job_id))
        changes = {} if action == "retry" else {"seed": None}
        jobs = []
        for _ in range(MORE_LIKE_IT if action == "more" else 1):
            jobs.append(
                self.session.generation.rerun(recipe, overrides=changes, detach=True, preview=True)
            )
            self.live.invalidate()
        return jobs[0]

    def change(self, press: Press) -> None:
        """Cancel, delete or label a job, as its button says.

        Raises:
            TioMagicError: when that cannot be done.
        """
        match press.action:
            case "label":
                self.label(press.job_id, press.tags, press.note)
            case "favourite":
                self.toggle_favourite(press.job_id)
            case "cancel":
                self.cancel(press.job_id)
            case "run-next":
                self.run_next(press.job_id)
            case "delete":
                self.session.archive.delete(press.job_id, files=True)

    def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            TioMagicError: when its provider cannot be reached.
        """
        try:
            self.session.generation.cancel(job_id)
        finally:
            self.live.invalidate()

    def run_next(self, job_id: str) -> None:
        """Move a job to the front of its queue.

        Raises:
            ValidationError: when it does not wait any more.
        """
        try:
            self.session.archive.run_next(job_id)
        finally:
            self.live.invalidate()

    def label(self, job_id: str, tags: str, note: str) -> None:
        """Give a job other tags and another note.

        Args:
            job_id: Which job.
            tags: All its tags, with commas between them.
            note: Its note; may be empty.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when a tag is refused.
        """
        wanted = [tag.strip() for tag in tags.split(",") if tag.strip()]
        before = self.session.generation.get(job_id).tags
        gone = [tag for tag in before if tag not in wanted]
        self.session.archive.label(job_id, add=wanted, remove=gone, note=note)

    def toggle_favourite(self, job_id: str) -> None:
        """Make a job a favourite, or no favourite any more.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        is_one = FAVOURITE in self.session.generation.get(job_id).tags
        add, remove = ([], [FAVOURITE]) if is_one else ([FAVOURITE], [])
        self.session.archive.label(job_id, add=add, remove=remove)

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

    def recent_prompts(self, feature: str) -> list[str]:
        """Return the prompts of the newest jobs of a feature, each once."""
        query = JobQuery(feature=Feature(feature), limit=SEARCHED_JOBS)
        jobs = self.session.generation.list(query)
        prompts = (job.required_args.get("prompt") for job in jobs)
        found = dict.fromkeys(prompt for prompt in prompts if isinstance(prompt, str) and prompt)
        return list(found)[:RECENT_PROMPTS]

    def settings_of(self, job_id: str) -> FormState:
        """Return a choice whose form holds the settings of a job.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError, UnknownModelError: when its model does not do that any more.
        """
        return self.chooser.settings_of(self.session.generation.get(job_id))

    def continue_job(self, job_id: str) -> tuple[FormState, list[str]]:
        """Return a choice whose form continues the video of a job, and what to know of it.

        Raises:
            ResourceNotFoundError: when there is no such job, or it has no video.
        """
        return self.chooser.continue_job(self.session.generation.get(job_id))


def served_files_of(session: Session, uploads: Uploads | None = None) -> ServedFiles:
    """Return the files that a browser may fetch from a session and a form may hold."""
    state = session.settings.state_dir
    return ServedFiles(
        session.generation.get,
        state / INPUTS_FOLDER,
        uploads or Uploads(state / UPLOADS_FOLDER),
        SAMPLE_FILES,
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
        fields = [field for field in problem.field.split(", ") if argument_of(field) in names]
        for field in fields:
            # One of several pictures says which.
            said = say_problem(problem, PAGE_WORDS, at_field=field in names)
            placed.setdefault(argument_of(field), []).append(said)
        if not fields:
            rest.append(say_problem(problem, PAGE_WORDS))
    return placed, rest


def find_ways_out(error: TioMagicError) -> list[tuple[str, str]]:
    """Return what would work in place of a refused run: ``model`` or ``provider``, and its name."""
    # A run that may cost too much has them itself; one that does not fit, in its preflight.
    found = error.details.get("preflight", error.details)
    ways = found.get("alternatives") if isinstance(found, Mapping) else None
    return [
        (str(way["kind"]), str(way["name"]))
        for way in (ways if isinstance(ways, list) else [])
        if isinstance(way, Mapping) and {"kind", "name"} <= way.keys()
    ]
