"""Finding the recipe of a video: in the file itself, beside it, or in a stored job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiomagic.installing import missing
from tiomagic_domain.catalogue import find_feature
from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.jobs import Job
from tiomagic_domain.recipe import read_recipe

SUFFIXES = frozenset({".mp4", ".json"})


def is_file_name(source: str | Path) -> bool:
    """Return whether a source of ``rerun`` means a file and not a job."""
    return isinstance(source, Path) or Path(source).suffix.lower() in SUFFIXES


def of_job(job: Job) -> dict[str, Any]:
    """Return what of a stored job is enough to run it again, and how it ran."""
    return {
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "required_args": dict(job.required_args),
        "optional_args": dict(job.optional_args),
        "facts": dict(job.facts),
    }


def of_file(path: str | Path) -> dict[str, Any]:
    """Return the recipe in a video's metadata, or in the JSON file beside it.

    Raises:
        ResourceNotFoundError: when there is no such file.
        ValidationError: when it has no recipe that this version understands.
        MissingDependencyError: when the package that reads videos is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ResourceNotFoundError(f"there is no file {path}", details={"path": str(path)})
    data = _read_json(path) if path.suffix.lower() == ".json" else _read_video(path)
    recipe = read_recipe(data)
    find_feature(str(recipe["feature"]))
    return recipe


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path} holds no recipe: {error}"
        raise ValidationError(message, code="not_a_recipe") from error


def _read_video(path: Path) -> object:
    try:
        from tiomagic_local.media.mp4 import read_recipe as embedded  # noqa: PLC0415  # Heavy.
    except ImportError as error:
        raise missing("media", error) from error
    return embedded(path)
