"""The call that a form would make, as far as it says what a run takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tiomagic.ui.form.arguments import collect_arguments
from tiomagic.ui.form.fields import Field
from tiomagic.ui.form.keyframe_rows import is_finished
from tiomagic.ui.form.shots import GIVEN, URL_OF, Shot
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.pose_parameters import FINDS_POSES
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.asked_sizes import hides_last_frame, resolve_asked_sizes
from tiomagic_domain.schema.keyframes import (
    FIRST,
    KEYFRAMES,
    LAST,
    PICTURE_FRAMES,
    find_end_frames,
)
from tiomagic_domain.schema.parameter import UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """What is known of a call before its pictures and videos are read."""

    feature: Feature
    """What the model would do: a loop of a picture is an interpolation."""
    shot: Shot = Shot.SINGLE
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the user chose, in frames and pixels; may be illegal."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """The same, with the model's defaults."""
    hidden_frames: int = 0
    """Frames of the model's clip that are not new: of the old part, or the first one again."""


def expect_call(
    card: ModelCard,
    feature: Feature,
    fields: list[Field],
    entered: Mapping[str, Any],
    shot: Shot = Shot.SINGLE,
) -> ExpectedCall:
    """Return the call that a form would make.

    Args:
        card: The model.
        feature: Of the form.
        fields: The form.
        entered: Values by the names of entries.
        shot: What the form is for.
    """
    settings = collect_arguments([one for one in fields if not one.files], entered)
    if shot is Shot.LOOP and Feature.INTERPOLATE in card.features:
        feature = Feature.INTERPOLATE
    return describe_call(card, feature, settings, shot, pictures=_pictures_of(fields, entered))


def describe_call(
    card: ModelCard,
    feature: Feature,
    settings: Mapping[str, Any],
    shot: Shot = Shot.SINGLE,
    *,
    pictures: Mapping[str, Any] | None = None,
) -> ExpectedCall:
    """Return a call with some settings.

    Args:
        card: The model.
        feature: What it is to do.
        settings: What the user chose; may be illegal.
        shot: What is made.
        pictures: The given pictures by name, and the list of keyframes.
    """
    schema, overlap = card.schema(feature), 0
    if shot is Shot.CONTINUATION:
        # A shorter video gives fewer, which nobody knows before it is read.
        overlap = card.context_frames
    sizes = resolve_asked_sizes(card, feature, {**settings, **GIVEN[shot]}, overlap=overlap)
    chosen = {name: value for name, value in sizes.arguments.items() if name in schema}
    chosen = {name: value for name, value in chosen.items() if name not in GIVEN[shot]}
    defaults = {one.name: one.default for one in schema.parameters if one.default is not UNSET}
    known = defaults | chosen
    if schema.keyframes is not None:
        frames = schema.keyframes.picture_frames({**known, **_with_end(shot, pictures or {})})
        chosen[PICTURE_FRAMES] = frames
    elif feature is Feature.POSE_GUIDANCE and LAST in (pictures or {}):
        chosen[PICTURE_FRAMES] = find_end_frames(known)
    if card.finds_poses({**known, **(pictures or {})}):
        chosen[FINDS_POSES] = True
    hidden = overlap + (1 if hides_last_frame(card, GIVEN[shot]) else 0)
    return ExpectedCall(
        feature=feature, shot=shot, settings=chosen, known=known, hidden_frames=hidden
    )


def _with_end(shot: Shot, pictures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pictures of an interpolation; those of a loop are the first one twice."""
    given = dict(pictures)
    if shot is Shot.LOOP:
        first = given.pop("image", given.get(FIRST))
        given |= {FIRST: first, LAST: first}
    return given


def _pictures_of(fields: list[Field], entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pictures that are there or needed, and the keyframes that are finished."""
    found: dict[str, Any] = {}
    for one in fields:
        url = entered.get(URL_OF.format(name=one.name))
        if one.is_media and (one.required or entered.get(one.name) or url):
            found[one.name] = True
        elif one.name == KEYFRAMES:
            # A file is as the browser names it: that it is there is enough.
            named = {n: v.get("path") if isinstance(v, Mapping) else v for n, v in entered.items()}
            listed = collect_arguments([one], named).get(KEYFRAMES, [])
            found[KEYFRAMES] = [keyframe for keyframe in listed if is_finished(keyframe)]
    return found
