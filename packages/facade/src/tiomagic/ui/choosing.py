"""What a form is about and begins with: provider, feature, model, and what the user chose.

Nothing here knows Gradio. A form is filled by a draft of the browser, by another choice, by a job,
by a video with a recipe, or by a button such as a sample.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from tiomagic.api import models
from tiomagic.api.continuing import find_continued
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.rewording import reword
from tiomagic.results import recipes
from tiomagic.ui.browser_input import Draft, read_draft
from tiomagic.ui.form import shapes
from tiomagic.ui.form.arguments import chosen_entries
from tiomagic.ui.form.fields import Field, entries_of, fields_of
from tiomagic.ui.form.first_choices import (
    MADE_OF,
    SHARED_PARAMETERS,
    FirstChoice,
    find_first_choices,
    fit_choices,
)
from tiomagic.ui.form.keyframe_rows import collect_keyframes, is_finished
from tiomagic.ui.form.shots import URL_OF, Shot, find_shot
from tiomagic.ui.models.facts import ModelFacts, ModelOverview
from tiomagic.ui.models.samples import Sample, samples_of
from tiomagic.ui.web.files import ServedFiles, sample_id, video_id
from tiomagic.ui.web.uploads import FormFile
from tiomagic.wiring.provider_names import DEFAULT_PROVIDER
from tiomagic_domain.catalogue import models as catalogue
from tiomagic_domain.catalogue import models_for
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT, LOOP_ARGUMENT
from tiomagic_domain.errors import (
    ConfigurationError,
    ResourceNotFoundError,
    UnknownModelError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.requests.carrying import find_choices
from tiomagic_domain.schema.keyframes import KEYFRAMES, LAST
from tiomagic_domain.schema.sizes import SECONDS

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session


class FormState(TypedDict):
    """The feature, model and provider of a form. Plain data: each page keeps its own."""

    provider: str
    feature: str
    model: str
    values: dict[str, Any]
    """Initial values that replace defaults."""
    first_choices: list[dict[str, Any]]
    """What was chosen first, of what this form shows: see ``form.first_choices``."""
    serial: int
    """Unique, so that the form is built anew."""


class FormChooser:
    """What forms are about, over one session. Thread-safe.

    Args:
        session: The container of settings and parts.
        files: The files that a form may hold.
    """

    def __init__(self, session: Session, files: ServedFiles) -> None:
        self._session = session
        self._files = files
        self._overview = ModelOverview(session)

    def providers(self) -> list[str]:
        """Return the providers that can be chosen, the configured one first.

        One whose packages are not installed cannot; if none is installed, all can be looked at.
        """
        names = self._session.provider_names()
        installed = [name for name in names if self._session.missing(name) is None]
        first = self._session.settings.provider or DEFAULT_PROVIDER
        return sorted(installed or names, key=lambda name: name != first)

    def missing_providers(self) -> list[str]:
        """Return what to install for each provider that cannot be chosen, as sentences."""
        names = self._session.provider_names()
        found = (self._session.missing(name) for name in names)
        return [missing for missing in found if missing is not None]

    def other_providers(self, choice: FormState) -> list[str]:
        """Return the other providers that run the model of a choice."""
        card = catalogue()[choice["model"]]
        names = [name for name in self.providers() if name != choice["provider"]]
        return [name for name in names if self._session.runs(name)(card)]

    def features(self, provider: str) -> list[Feature]:
        """Return the features of a provider, in the order of the documentation."""
        runs = self._session.runs(provider)
        return [feature for feature in Feature if models_for(feature, runs=runs)]

    def models(self, provider: str, feature: str) -> list[ModelFacts]:
        """Return the models that do a feature on a provider, what fits best first."""
        return self._overview.models(provider, feature)

    def choose(
        self,
        provider: str | None = None,
        feature: str | None = None,
        model: str | None = None,
        values: Mapping[str, Any] = MappingProxyType({}),
        first_choices: Iterable[FirstChoice] = (),
    ) -> FormState:
        """Return the legal choice that is nearest to the wanted one."""
        providers = self.providers()
        provider = provider if provider in providers else providers[0]
        features = [known.value for known in self.features(provider)]
        feature = feature if feature in features else features[0]
        names = [one.card.name for one in self.models(provider, feature)]
        if model not in names:
            default = self._default_model(provider, Feature(feature))
            model = default if default in names else names[0]
        return FormState(
            provider=provider,
            feature=feature,
            model=model,
            values=self._with_files(values),
            first_choices=[one.to_dict() for one in first_choices],
            serial=time.monotonic_ns(),
        )

    def _with_files(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return initial values with the files that a list of keyframes names by their ids."""
        listed = values.get(KEYFRAMES)
        if not isinstance(listed, list):
            return dict(values)
        found = [
            {**one, "image": self._files.find(one["image"])}
            if isinstance(one, Mapping) and isinstance(one.get("image"), str)
            else one
            for one in listed
        ]
        return {**values, KEYFRAMES: found}

    def restore_draft(self, draft: object) -> FormState:
        """Return the choice that a browser has stored; the default if that is not usable.

        Args:
            draft: JSON of ``assets/page.js``: a choice, and the entries by name.
        """
        kept = read_draft(draft, self._files)
        entered = _chosen(kept)
        first = _settings_of(kept, entered)
        return self.choose(
            kept.provider, kept.feature, kept.model, _shown_of(first) | entered, first
        )

    def switch(
        self, provider: str | None, feature: str | None, model: str | None, draft: object
    ) -> tuple[FormState, list[str]]:
        """Return another choice with what was chosen before, and what of that was left out.

        A default is not carried over: each model has its own. A setting is fitted to the model
        from what was chosen first, whatever the models between made of it.
        """
        choice = self.choose(provider, feature, model)
        kept = read_draft(draft, self._files)
        values = _chosen(kept)
        schema = models.find_schema(choice["feature"], choice["model"])
        fields = fields_of(schema, values)
        alike = [f for f in fields if f.is_media or f.name in SHARED_PARAMETERS]
        carried = {name: values[name] for name in entries_of(alike) if name in values}
        fitted = fit_choices(
            _settings_of(kept, values), catalogue()[choice["model"]], Feature(choice["feature"])
        )
        begun = _begun_keyframes(kept, values)
        if begun:
            carried[KEYFRAMES] = [*fitted.values.get(KEYFRAMES, ()), *begun]
        filled = self.choose(
            choice["provider"],
            choice["feature"],
            choice["model"],
            {**fitted.values, **carried},
            fitted.choices,
        )
        return filled, [reword(change, PAGE_WORDS) for change in fitted.changes]

    def fill(
        self,
        choice: FormState,
        draft: object,
        values: Mapping[str, Any],
        chosen: Mapping[str, Any] = MappingProxyType({}),
    ) -> FormState:
        """Return the same choice, with what the user has entered and with further values.

        Args:
            choice: Of the form.
            draft: What was entered.
            values: By the names of entries; empty text takes an entry away.
            chosen: A length or size in the user's terms, which the values are made of.
        """
        kept = read_draft(draft, self._files)
        before = _chosen(kept)
        first = [one for one in _settings_of(kept, before) if not one.shown.keys() & values.keys()]
        first = [one for one in first if not one.settings & values.keys()]
        entered = _shown_of(first) | before | dict(values)
        changed = {name: value for name, value in entered.items() if values.get(name) != ""}
        if chosen:
            first.append(FirstChoice(model=choice["model"], values=chosen, shown=values))
        return self.choose(choice["provider"], choice["feature"], choice["model"], changed, first)

    def samples(self, choice: FormState) -> list[Sample]:
        """Return what to try with the chosen model."""
        return samples_of(catalogue()[choice["model"]], Feature(choice["feature"]))

    def fill_sample(self, choice: FormState, draft: object, number: str) -> FormState:
        """Return the choice with one of its samples; unchanged if there is no such one."""
        samples = self.samples(choice)
        if not number.isdecimal() or int(number) >= len(samples):
            return self.fill(choice, draft, {})
        sample = samples[int(number)]
        files = {name: self._files.find(sample_id(file)) for name, file in sample.inputs.items()}
        empty = {f"{name}_url": "" for name in files}
        if files:
            # Its pictures are for a shot of its own.
            video = CONTINUED_VIDEO_ARGUMENT
            empty |= dict.fromkeys((video, URL_OF.format(name=video), LOOP_ARGUMENT), "")
        return self.fill(choice, draft, {"prompt": sample.prompt, **files, **empty})

    def fill_shape(self, choice: FormState, draft: object, shape: str) -> FormState:
        """Return the choice with the size of a shape, or the length of a number of seconds."""
        card, feature = catalogue()[choice["model"]], Feature(choice["feature"])
        shot, term = self.shot_of(choice), shapes.term_of(shape)
        values = shapes.values_of(card, feature, shape, shot)
        if shot is Shot.CONTINUATION and SECONDS in term:
            # The form has what is to be added in seconds; frames count those of the old part, too.
            return self.fill(choice, draft, term if values else {})
        return self.fill(choice, draft, values, term if values else {})

    def shot_of(self, choice: FormState) -> Shot:
        """Return whether the form of a choice is for a shot of its own, or for one that goes on."""
        schema = models.find_schema(choice["feature"], choice["model"])
        return find_shot(schema, choice["values"])

    def continue_job(self, job: Job) -> tuple[FormState, list[str]]:
        """Return a choice whose form continues the video of a job, and what to know of it.

        Raises:
            ResourceNotFoundError: when the job has no video.
        """
        found = find_continued(self._session, job.job_id, prompt=None, model=None)
        file = self._files.find(video_id(job.job_id))
        if file is None:
            raise ResourceNotFoundError(f"the video of job {job.job_id} cannot be shown here")
        given = {"prompt": found.prompt or "", CONTINUED_VIDEO_ARGUMENT: file}
        feature = Feature.IMAGE_TO_VIDEO.value
        choice = self.choose(job.provider, feature, found.model, given)
        notes = []
        if choice["model"] != found.model:
            notes.append(f"{found.model} cannot begin with a picture; this is {choice['model']}.")
        return choice, notes

    def reshape(self, choice: FormState, draft: object) -> FormState:
        """Return the same choice with the fields that what was entered asks for.

        A video to continue takes the place of the picture, and brings its prompt if there is none
        yet; a loop has no last picture.
        """
        made = self.fill(choice, draft, {})
        video = made["values"].get(CONTINUED_VIDEO_ARGUMENT)
        if made["values"].get("prompt") or not isinstance(video, FormFile):
            return made
        found = find_continued(self._session, video.path, prompt=None, model=None)
        return self.fill(choice, draft, {"prompt": found.prompt}) if found.prompt else made

    def settings_of(self, job: Job) -> FormState:
        """Return a choice whose form holds the settings of a job.

        Raises:
            ValidationError, UnknownModelError: when its model does not do that any more.
        """
        models.find_schema(job.feature.value, job.model)
        recipe = recipes.of_job(job)
        values, first = self.values_of(recipe), self.first_choices_of(recipe)
        return self.choose(job.provider, job.feature.value, job.model, values, first)

    def values_of(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Return a form's values for a recipe: its inputs, its seed, and what the user chose.

        The rest are defaults, which the form has itself.
        """
        arguments = {**recipe["required_args"], **recipe["optional_args"]}
        card = catalogue().get(str(recipe["model"]))
        chosen = find_choices(recipe, Feature(str(recipe["feature"])), card)
        names = {*recipe["required_args"], "seed", *chosen.names}
        # The form has frames and pixels; the recipe has what they were made of, too.
        names |= {"num_frames"} if "seconds" in chosen.sizes else set()
        names |= {"width", "height"} if {"aspect", "resolution"} & {*chosen.sizes} else set()
        if arguments.get(CONTINUED_VIDEO_ARGUMENT) is not None:
            # The picture was taken of the video, and the form has the seconds themselves.
            names -= {"image", *(["num_frames"] if SECONDS in chosen.sizes else [])}
            added = {name: v for name, v in chosen.sizes.items() if name == SECONDS}
            arguments, names = {**arguments, **added}, names | added.keys()
        elif arguments.get(LOOP_ARGUMENT) is True:
            names -= {LAST}
        return self.entries({name: v for name, v in arguments.items() if name in names})

    def first_choices_of(self, recipe: Mapping[str, Any]) -> list[FirstChoice]:
        """Return the lengths and sizes that a recipe has in the user's terms."""
        card, feature = catalogue().get(str(recipe["model"])), Feature(str(recipe["feature"]))
        arguments, found = recipe["optional_args"], []
        goes_on = CONTINUED_VIDEO_ARGUMENT in arguments
        for name, value in find_choices(recipe, feature, card).sizes.items():
            if name == SECONDS and goes_on:
                continue
            shown = {made: arguments[made] for made in MADE_OF[name] if made in arguments}
            found.append(FirstChoice(model=str(recipe["model"]), values={name: value}, shown=shown))
        return found

    def entries(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return a form's values for stored arguments: a file for a picture or a video.

        None for an input that has been deleted: the form then asks for it again.
        """
        return {name: self._entry(value) for name, value in arguments.items()}

    def _entry(self, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
            return [{name: self._entry(part) for name, part in one.items()} for one in value]
        if not isinstance(value, Mapping) or "sha256" not in value:
            return value
        return self._files.find_input(value["sha256"], value.get("name"))

    def fields(self, choice: FormState) -> list[Field]:
        """Return the form of a choice."""
        schema = models.find_schema(choice["feature"], choice["model"])
        return fields_of(schema, choice["values"])

    def _default_model(self, provider: str, feature: Feature) -> str | None:
        try:
            return self._session.provider(provider).capabilities().find_default(feature)
        except ConfigurationError:
            # Not installed: the form can be shown, and a submission reports what is missing.
            return None


def _shown_of(choices: Iterable[FirstChoice]) -> dict[str, Any]:
    return {name: value for choice in choices for name, value in choice.shown.items()}


def _settings_of(draft: Draft, entered: Mapping[str, Any]) -> list[FirstChoice]:
    """Return what the user chose of the settings of a draft's form."""
    card = catalogue().get(str(draft.model))
    feature = next((one for one in Feature if one.value == draft.feature), None)
    if card is None or feature is None or feature not in card.features:
        return []
    return find_first_choices(card, feature, entered, draft.first_choices)


def _begun_keyframes(draft: Draft, entered: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the keyframes of a draft that lack their picture or their moment."""
    try:
        schema = models.find_schema(str(draft.feature), str(draft.model))
    except (ValidationError, UnknownModelError):
        return []
    rows = [row for f in fields_of(schema, entered) if f.name == KEYFRAMES for row in f.rows]
    return [one for one in collect_keyframes(rows, entered) or [] if not is_finished(one)]


def _chosen(draft: Draft) -> dict[str, Any]:
    """Return the entries of a draft that the user chose.

    The script of the page keeps nothing else; a draft of an older version, or one that is saved
    while the form changes, may hold defaults as well.
    """
    try:
        schema = models.find_schema(str(draft.feature), str(draft.model))
    except (ValidationError, UnknownModelError):
        return dict(draft.values)
    return chosen_entries(fields_of(schema), draft.values)
