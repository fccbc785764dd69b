"""The fields of a form for a shot of its own, for one that goes on, and for a loop.

::

    a shot of its own    the picture, or the video to continue; the loop
    one that goes on     the video, and the seconds to add, in place of the picture and the loop
    a loop               no last picture, which is the first one, and no video to continue
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from tiomagic.ui.web.uploads import FormFile
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT, LOOP_ARGUMENT
from tiomagic_domain.schema.keyframes import LAST
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.schema.sizes import SECONDS

URL_OF: Final = "{name}_url"
"""Name of the entry for the address of a picture or a video."""


class Shot(StrEnum):
    """What a form is for."""

    SINGLE = "single"
    CONTINUATION = "continuation"
    LOOP = "loop"


LEFT_OUT: Final[Mapping[Shot, frozenset[str]]] = {
    Shot.SINGLE: frozenset(),
    Shot.CONTINUATION: frozenset({"image", LOOP_ARGUMENT}),
    Shot.LOOP: frozenset({LAST, CONTINUED_VIDEO_ARGUMENT}),
}
"""The parameters that a form does not ask for: something else takes their place."""

GIVEN: Final[Mapping[Shot, Mapping[str, object]]] = {
    Shot.SINGLE: {},
    Shot.CONTINUATION: {CONTINUED_VIDEO_ARGUMENT: "a video"},
    Shot.LOOP: {LOOP_ARGUMENT: True},
}
"""The argument by which a call shows what it is for; a video stands for any other one."""


def find_shot(schema: Schema, given: Mapping[str, Any]) -> Shot:
    """Return what a form with some values is for.

    Args:
        schema: What the model takes.
        given: Values by the names of parameters or of entries.
    """
    url = given.get(URL_OF.format(name=CONTINUED_VIDEO_ARGUMENT))
    video = given.get(CONTINUED_VIDEO_ARGUMENT)
    goes_on = isinstance(video, FormFile) or (isinstance(url, str) and url.strip())
    if CONTINUED_VIDEO_ARGUMENT in schema and goes_on:
        return Shot.CONTINUATION
    return (
        Shot.LOOP if LOOP_ARGUMENT in schema and given.get(LOOP_ARGUMENT) is True else Shot.SINGLE
    )


def parameters_of(schema: Schema, shot: Shot) -> list[Parameter]:
    """Return the parameters that a form asks for, also those of seconds where they are to add."""
    added = [one for one in schema.sizes if shot is Shot.CONTINUATION and one.name == SECONDS]
    return [one for one in (*schema.parameters, *added) if one.name not in LEFT_OUT[shot]]
