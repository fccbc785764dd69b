"""The recipe of a video: plain data to make it again, without secrets or paths.

It is embedded in the mp4 and written beside it, and is enough to make the video again on another
machine that has the inputs. It contains no token and no absolute path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tiomagic_domain import __version__
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.files.mp4_metadata import embed_recipe
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import VideoFile
from tiomagic_domain.suggestions import list_names, shorten_repr
from tiomagic_domain.text import make_data_storable

RECIPE_FORMAT_VERSION = 1
"""Version of the recipe's format."""

REQUIRED_RECIPE_FIELDS = {
    "feature": str,
    "model": str,
    "provider": str,
    "required_args": dict,
    "optional_args": dict,
}
"""Required fields, for a rerun."""

OPTIONAL_RECIPE_FIELDS = {
    "job_id": str,
    "created": str,
    "chosen": dict,
    "versions": dict,
    "facts": dict,
}
"""Optional fields."""

MAX_NAME = 200
"""Most characters of a name."""
MAX_ARGUMENTS = 200
"""Most arguments of each kind; the longest call has some forty."""


def build_recipe(
    job: Job, *, versions: Mapping[str, str], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the recipe of a job.

    Args:
        job: The job with its resolved arguments; media are references by hash.
        versions: Versions of the libraries that made the frames, by distribution name.
        facts: How it ran, such as device, dtype and weights.
    """
    return {
        "tiomagic_recipe": RECIPE_FORMAT_VERSION,
        "job_id": job.job_id,
        "created": job.creation_time.isoformat(),
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "required_args": dict(job.required_args),
        "optional_args": dict(job.optional_args),
        **({} if job.chosen is None else {"chosen": job.chosen.to_dict()}),
        "versions": {"tiomagic": __version__, **versions},
        "facts": dict(facts),
    }


def with_recipe(job: Job, video: VideoFile, facts: Mapping[str, Any]) -> VideoFile:
    """Return a provider's video with its recipe, as data and inside of the file.

    If the provider gives no recipe, it is built from the job. A file that is not an mp4, or cannot
    be written, stays unchanged: the video matters more.

    Args:
        job: The stored job.
        video: From the provider.
        facts: How it ran.
    """
    recipe = video.recipe or build_recipe(job, versions={}, facts=facts)
    if job.chosen is not None and "chosen" not in recipe:
        # The provider's worker is of a version that does not know of choices.
        recipe = {**recipe, "chosen": job.chosen.to_dict()}
    with suppress(OSError):
        embed_recipe(video.path, json.dumps(make_data_storable(recipe), ensure_ascii=False))
    return replace(video, recipe=recipe)


def read_recipe(data: object) -> dict[str, Any]:
    """Check that plain data is a recipe that this version understands.

    It may come from an untrusted source: the type of each used field is checked.

    Raises:
        ValidationError: when it is not a recipe, or newer than this version.
    """
    if not isinstance(data, dict) or "tiomagic_recipe" not in data:
        raise ValidationError("this is not a recipe of tiomagic", code=ErrorCode.NOT_A_RECIPE)
    # True equals 1, but is not a format number.
    if data["tiomagic_recipe"] != RECIPE_FORMAT_VERSION or isinstance(
        data["tiomagic_recipe"], bool
    ):
        given = shorten_repr(data["tiomagic_recipe"])
        raise ValidationError(
            f"the recipe has format {given}, this version reads "
            f"{RECIPE_FORMAT_VERSION}; update tiomagic",
            code=ErrorCode.RECIPE_FORMAT,
        )
    missing = [
        name
        for name, kind in REQUIRED_RECIPE_FIELDS.items()
        if not isinstance(data.get(name), kind)
    ]
    wrong = [
        name
        for name, kind in OPTIONAL_RECIPE_FIELDS.items()
        if not isinstance(data.get(name, kind()), kind)
    ]
    names = [name for name in ("feature", "model", "provider") if name not in missing]
    wrong += [name for name in names if len(data[name]) > MAX_NAME]
    wrong += [] if _has_choices(data) else ["chosen"]
    wrong += [name for name in ("required_args", "optional_args") if not _is_small(data.get(name))]
    unusable = dict.fromkeys([*missing, *wrong])
    if unusable:
        raise ValidationError(
            f"the recipe lacks a usable {list_names(unusable)}", code=ErrorCode.NOT_A_RECIPE
        )
    return data


def _has_choices(data: Mapping[str, Any]) -> bool:
    """Return whether the choices can be read; a recipe of an older version has none."""
    try:
        Choices.from_dict(data.get("chosen", Choices().to_dict()))
    except ValueError:
        return False
    return True


def _is_small(arguments: object) -> bool:
    return not isinstance(arguments, dict) or len(arguments) <= MAX_ARGUMENTS
