"""Validates a call and builds its request, or raises one error with every problem."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import Problem, ResourceNotFoundError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.mask_reader import MaskReader
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.ports.video_joiner import VideoJoiner
from tiomagic_domain.requests.asked_sizes import resolve_asked_sizes
from tiomagic_domain.requests.carrying import CHANGED_CHOICES_FACT
from tiomagic_domain.requests.continuing import (
    OVERLAP_FRAMES_FACT,
    Continuation,
    Continuations,
    describe_joining,
)
from tiomagic_domain.requests.defaults import (
    apply_few_step_settings,
    describe_crops,
    draw_seed_and_size,
)
from tiomagic_domain.requests.lacking_inputs import explain_lacking_inputs, explain_lone_last_frame
from tiomagic_domain.requests.legacy_parameters import translate_legacy_call
from tiomagic_domain.requests.replacing import describe_replacement
from tiomagic_domain.requests.rerun import RerunCall
from tiomagic_domain.schema.expert_arguments import describe_object, explain_unsupported_object
from tiomagic_domain.schema.keyframes import LaterPicture
from tiomagic_domain.schema.kinds import Kind, Rejected, check_media
from tiomagic_domain.schema.nested_media import MediaPlace, find_media, replace_media
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import shorten_repr

INPUT_NOTES_FACT: Final = "input_notes"
"""Fact of a job: what is to be known of its pictures and videos, in words."""
SIZE_NOTES_FACT: Final = "size_notes"
"""Fact of a job: where its length or size is not quite what was asked for, in words."""


def new_job_id() -> str:
    """Return a fresh job id."""
    return str(uuid.uuid4())


def draw_seed() -> int:
    """Return a random seed."""
    return secrets.randbelow(2**32)


def read_media(reader: MediaReader, source: object, kind: MediaKind, *, still: bool) -> Media:
    """Return a picture or a video that a caller gave.

    Args:
        reader: Reads it.
        source: What was given.
        kind: What it is meant to be.
        still: True if one picture may stand for a video.

    Raises:
        ValidationError: when it cannot be used.
    """
    try:
        return reader.read(source, kind)
    except ValidationError as error:
        if not still or error.code != ErrorCode.NOT_A_VIDEO:
            raise
        return reader.read([source], kind)


class Preparation:
    """Turns arguments into requests."""

    def __init__(
        self,
        media: MediaReader,
        clock: Clock,
        *,
        job_ids: Callable[[], str] = new_job_id,
        seeds: Callable[[], int] = draw_seed,
        joiner: VideoJoiner | None = None,
        masks: MaskReader | None = None,
    ) -> None:
        self._media = media
        self._continuations = Continuations(media, joiner)
        self._masks = masks
        self._clock = clock
        self._job_ids = job_ids
        self._seeds = seeds

    def prepare(
        self,
        feature: Feature,
        card: ModelCard,
        provider: str,
        arguments: Mapping[str, object],
        *,
        rerun: RerunCall | None = None,
    ) -> Request:
        """Validate a call, read its media, and fill in the missing arguments. Nothing is stored.

        Args:
            feature: What is asked for.
            card: The model.
            provider: Who is to run it.
            arguments: Of the call.
            rerun: The repeated call that the arguments are of, which knows what the user chose of
                them; None for a call of the user, who chose them all.

        Raises:
            ValidationError: with every problem of the arguments and of the media.
        """
        schema, subject = card.schema(feature), _subject(feature, card)
        old = translate_legacy_call(card.name, schema, arguments)
        going_on = self._continuations.resolve(feature, card, old.arguments)
        sized = resolve_asked_sizes(card, feature, going_on.arguments, overlap=going_on.overlap)
        asked = apply_few_step_settings(card.turbo, sized.arguments)
        found = (*old.problems, *going_on.problems, *sized.problems)
        values = self._validate_call(feature, card, asked, found, unread=going_on.unread)
        names = tuple(name for name in old.arguments if name not in sized.asked)
        chosen = Choices(names=names) if rerun is None else rerun.chosen
        # In their plain form: a caller may give a number of any library.
        chosen = replace(chosen, sizes={**chosen.sizes, **sized.asked})
        addresses = find_addresses(find_media(schema.parameters, values))
        media = self._read(schema, values, subject)
        values |= draw_seed_and_size(card, feature, values, media, self._seeds, pixels=sized.pixels)
        replaced, wrong = describe_replacement(media, self._masks)
        if wrong:
            raise ValidationError.of(wrong, subject=subject, code=ErrorCode.EMPTY_MASK)
        if going_on.source is None:
            fitted = describe_crops(feature, values, media)
        else:
            fitted = list(describe_joining(going_on.source, card, values))
        objects = {name: values[name] for name in schema.objects if name in values}
        # The record has descriptions of objects that exist only in this process.
        values = replace_media(values, {name: m.to_reference() for name, m in media.items()})
        values |= {name: describe_object(value) for name, value in objects.items()}
        job = replace(self._job(feature, card, provider, values), chosen=chosen)
        facts = {
            INPUT_NOTES_FACT: [*_list_notes(media), *replaced],
            SIZE_NOTES_FACT: [*sized.notes, *fitted],
            CHANGED_CHOICES_FACT: [one.to_dict() for one in rerun.changes] if rerun else [],
            OVERLAP_FRAMES_FACT: going_on.overlap,
        }
        known = {name: fact for name, fact in facts.items() if fact}
        job = replace(job, facts={**job.facts, **known})
        media = _with_context(media, going_on)
        return Request(job=job, card=card, media=media, objects=objects, addresses=addresses)

    def restore(self, job: Job, card: ModelCard) -> Request:
        """Return the request of a stored job, with its media found by their hashes.

        Raises:
            ResourceNotFoundError: when the bytes of an input are gone.
            ValidationError: when an argument was an object of the process that submitted it.
        """
        schema = card.schema(job.feature)
        lost = [name for name in schema.objects if name in job.arguments]
        problems = [explain_unsupported_object(name, job.arguments[name]) for name in lost]
        if problems:
            raise ValidationError.of([p for p in problems if p], subject=f"job {job.job_id}")
        media = {
            place.name: self._media.find(place.source)
            for place in find_media(schema.parameters, job.arguments)
            if isinstance(place.source, Mapping)
        }
        source = media.get(CONTINUED_VIDEO_ARGUMENT)
        if source is not None:
            going_on = self._continuations.restore(source, card, job.arguments)
            media = _with_context(media, going_on)
        return Request(job=job, card=card, media=media)

    def _validate_call(
        self,
        feature: Feature,
        card: ModelCard,
        asked: Mapping[str, object],
        found: Sequence[Problem],
        *,
        unread: Collection[str],
    ) -> dict[str, Any]:
        """Return the values of a call, with the defaults of its model.

        Args:
            feature: What is asked for.
            card: The model.
            asked: The arguments, without those of seconds and sizes as people think of them.
            found: Problems that are known already.
            unread: Names of arguments that one of these explains.

        Raises:
            ValidationError: with all problems.
        """
        schema = card.schema(feature)
        lacking = [
            *explain_lacking_inputs(card, feature, asked),
            *explain_lone_last_frame(card, feature, asked),
        ]
        explained = {*unread, *(problem.field for problem in lacking)}
        readable = {name: value for name, value in asked.items() if name not in explained}
        # What is explained is not asked for once more.
        checked = [p for p in schema.parameters if p.name not in explained]
        rules = [r for r in schema.rules if not (explained and isinstance(r, LaterPicture))]
        known = replace(schema, parameters=tuple(checked), rules=tuple(rules))
        subject = _subject(feature, card)
        return self._validate(known, readable, subject, (*found, *lacking))

    def _validate(
        self,
        schema: Schema,
        asked: Mapping[str, object],
        subject: str,
        found: Sequence[Problem],
    ) -> dict[str, object]:
        """Return the values of a call; its error names the files that cannot be read as well."""
        try:
            return schema.validate(asked, subject=subject, found=found)
        except ValidationError as error:
            # Not from the web: a call that is refused anyway waits for no server.
            places = find_media(schema.parameters, asked)
            _, unreadable = self._try_to_read(one for one in places if _is_here(one))
            if not unreadable:
                raise
            raise ValidationError.of([*error.problems, *unreadable], subject=subject) from None

    def _read(self, schema: Schema, values: Mapping[str, object], subject: str) -> dict[str, Media]:
        media, problems = self._try_to_read(find_media(schema.parameters, values))
        if problems:
            raise ValidationError.of(problems, subject=subject)
        return media

    def _try_to_read(self, places: Iterable[MediaPlace]) -> tuple[dict[str, Media], list[Problem]]:
        media: dict[str, Media] = {}
        problems: list[Problem] = []
        for place in places:
            source = place.source
            kind = MediaKind.IMAGE if place.kind is Kind.IMAGE else MediaKind.VIDEO
            try:
                media[place.name] = self._open(source, kind, still=place.still)
            except (ValidationError, ResourceNotFoundError) as error:
                message = error.message
                # The frames of a video may be gigabytes, too large for a ``repr``.
                if isinstance(source, list | tuple):
                    given = f"{len(source)} frames"
                else:
                    given = shorten_repr(source)
                problems.append(Problem(field=place.name, message=message, given=given))
        return media, problems

    def _open(self, source: object, kind: MediaKind, *, still: bool) -> Media:
        # A reference from another job's record, passed by a rerun.
        if isinstance(source, Mapping):
            return self._media.find(source)
        return read_media(self._media, source, kind, still=still)

    def _job(
        self, feature: Feature, card: ModelCard, provider: str, values: Mapping[str, Any]
    ) -> Job:
        required = {p.name for p in card.schema(feature).required}
        unknown = card.unknown_words(str(values.get("prompt", "")))
        now = self._clock.now()
        return Job(
            job_id=self._job_ids(),
            feature=feature,
            model=card.name,
            provider=provider,
            creation_time=now,
            last_updated=now,
            required_args={k: v for k, v in values.items() if k in required},
            optional_args={k: v for k, v in values.items() if k not in required},
            facts={"unknown_words": unknown} if unknown else {},
        )


def find_addresses(places: Iterable[MediaPlace]) -> dict[str, str]:
    """Return the https addresses among what was given, by their place."""
    given = ((place.name, place.source) for place in places)
    return {
        name: source.strip()
        for name, source in given
        if isinstance(source, str) and source.strip().lower().startswith("https://")
    }


def _list_notes(media: Mapping[str, Media]) -> list[str]:
    """Return what is to be known of each picture and video."""
    return [f"{name}: {note}" for name, item in media.items() for note in item.notes]


def _subject(feature: Feature, card: ModelCard) -> str:
    return f"{feature.value} with {card.name}"


def _is_here(place: MediaPlace) -> bool:
    """Return whether a source can be one of media, and is not in the web."""
    source = place.source
    if isinstance(source, str) and source.strip().lower().startswith(("http://", "https://")):
        return False
    try:
        check_media(place.kind, source)
    except Rejected:
        return False
    return True


def _with_context(media: Mapping[str, Media], going_on: Continuation) -> dict[str, Media]:
    """Return the inputs as a provider gets them: the end of a continued video, not all of it."""
    sent = {name: item for name, item in media.items() if name != CONTINUED_VIDEO_ARGUMENT}
    return (
        sent if going_on.context is None else {**sent, CONTINUED_VIDEO_ARGUMENT: going_on.context}
    )
