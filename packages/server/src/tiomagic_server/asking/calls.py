"""Fields as the call of a feature: which one, with which model and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tiomagic_domain.catalogue import find_feature, find_model
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.asked_sizes import resolve_asked_sizes
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.asking.common import CommonFields
from tiomagic_server.asking.references import FindVideo, ReadMedia, read_media
from tiomagic_server.asking.texts import read_texts

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.catalogue import ModelCard

MOTION_ARGUMENTS: Final = (
    *("guiding_video", "pose_video", "control_video", "control", "background_video", "mask_video"),
)
"""Arguments of pose guidance alone."""
FRAME_ARGUMENTS: Final = ("first_frame", "last_frame", "keyframes")
"""Arguments of interpolation."""
WEIGHT_ARGUMENTS: Final = ("loras", "weights", "revisions")
"""Arguments that name files of the server's machine, or let it download from anybody's
repository."""
MAX_TEXT_LENGTH: Final = 32_768
"""Most characters of a text such as the prompt. It is stored with the job, and read with every list
of jobs."""
NAMES_WEIGHTS: Final = "is not taken from clients of this server: it names weights to load"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedVideo:
    """A request for a video, ready to be submitted."""

    feature: Feature
    model: str
    provider: str
    arguments: Mapping[str, Any]
    rename: Callable[[ValidationError], ValidationError]
    """Gives a later error the names and values that the client has used."""
    callback_url: object = None
    """As it came; None for none."""


def read_call(
    fields: Mapping[str, Any],
    session: Session,
    find_video: FindVideo,
    *,
    allow_weights: bool = False,
) -> AskedVideo:
    """Return the call that fields ask for.

    Args:
        fields: As they came, nested: by the names of OpenAI, OpenRouter or the model.
        session: With the providers.
        find_video: Knows the caller's earlier videos.
        allow_weights: True for a caller that may name weights.

    Raises:
        ValidationError: with every problem of the fields; what is within the files is looked at
            when the call is submitted.
        UnknownModelError: when there is no such model, or it does not serve the feature.
    """
    common = CommonFields({k: v for k, v in fields.items() if k not in {"model", "feature"}})
    provider = session.configured_provider()
    able = session.provider(provider).capabilities()
    feature = _choose_feature(fields.get("feature"), common.arguments)
    wanted = fields.get("model", able.find_default(feature))
    card = find_model(_require_text("model", wanted), feature, provider, runs=able.runs)
    schema = card.schema(feature)
    common.add_size(schema)
    arguments, problems = common.arguments, list(common.problems)
    media = read_inputs(
        schema, read_texts(schema, arguments), find_video, allow_weights=allow_weights
    )
    arguments, problems = media.arguments, [*problems, *media.problems]
    if problems:
        try:
            _raise_all(card, feature, arguments, problems)
        except ValidationError as error:
            raise common.rename(error) from None
    return AskedVideo(
        feature=feature,
        model=card.name,
        provider=provider,
        arguments=arguments,
        rename=lambda error: common.rename(media.show_as_sent(error)),
        callback_url=common.callback_url,
    )


def read_inputs(
    schema: Schema,
    arguments: Mapping[str, Any],
    find_video: FindVideo,
    *,
    allow_weights: bool = False,
) -> ReadMedia:
    """Return arguments without what only the server's own user may name, and what is refused.

    Args:
        schema: Of the model and its feature.
        arguments: By name, as a client gave them; pictures and videos are addresses, ids of the
            caller's videos, or uploaded files.
        find_video: Knows the caller's earlier videos.
        allow_weights: True for a caller that may name weights.
    """
    taken = dict(arguments)
    problems = _refuse(schema.objects, taken, "exists in Python alone, not in a request")
    if not allow_weights:
        problems += _refuse(WEIGHT_ARGUMENTS, taken, NAMES_WEIGHTS)
    kinds = _media_kinds(schema)
    problems += _refuse_long_texts(taken, kinds)
    media = read_media(taken, kinds, find_video)
    return replace(media, arguments=taken | media.arguments, problems=[*problems, *media.problems])


def _choose_feature(named: object, arguments: Mapping[str, Any]) -> Feature:
    """Return the feature that is named, or the one that the inputs are of."""
    if named is not None:
        return find_feature(_require_text("feature", named))
    if any(name in arguments for name in MOTION_ARGUMENTS):
        return Feature.POSE_GUIDANCE
    if any(name in arguments for name in FRAME_ARGUMENTS):
        return Feature.INTERPOLATE
    if "image" in arguments or CONTINUED_VIDEO_ARGUMENT in arguments:
        return Feature.IMAGE_TO_VIDEO
    return Feature.TEXT_TO_VIDEO


def _require_text(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    problem = Problem(field=field, message="must be a text", given=shorten_repr(value))
    raise ValidationError.of([problem], subject="the request")


def _refuse(names: Iterable[str], arguments: dict[str, Any], message: str) -> list[Problem]:
    """Take some arguments out, each with its problem."""
    return [
        Problem(field=name, message=message, given=shorten_repr(arguments.pop(name)))
        for name in names
        if name in arguments
    ]


def _refuse_long_texts(arguments: dict[str, Any], media: Mapping[str, Kind]) -> list[Problem]:
    """Cut texts that are longer than any words for a video, each with its problem."""
    problems = []
    for name, value in arguments.items():
        if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH and name not in media:
            message = f"may have {MAX_TEXT_LENGTH:,} characters, not {len(value):,}"
            problems.append(Problem(field=name, message=message, given=shorten_repr(value)))
            arguments[name] = value[:MAX_TEXT_LENGTH]
    return problems


def _media_kinds(schema: Schema) -> dict[str, Kind]:
    def places(parameter: Parameter) -> dict[str, Kind]:
        if parameter.kind.is_media:
            return {parameter.name: parameter.kind}
        inside = (field for field in parameter.fields if field.kind.is_media)
        return {f"{parameter.name}.{field.name}": field.kind for field in inside}

    return {name: kind for p in schema.media for name, kind in places(p).items()}


def _raise_all(
    card: ModelCard, feature: Feature, arguments: Mapping[str, Any], problems: list[Problem]
) -> None:
    """Raise the problems of a request together with those that the model's schema finds."""
    subject = f"{feature.value} with {card.name}"
    sized = resolve_asked_sizes(card, feature, arguments)
    card.schema(feature).validate(
        sized.arguments, subject=subject, found=[*problems, *sized.problems]
    )
