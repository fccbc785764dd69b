"""Finding the recipe of a video: in the file itself, beside it, or in a stored job."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic.wiring.extras import part_missing_error
from tiomagic_domain.catalogue import find_feature, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.files.json_documents import MAX_DOCUMENT_BYTES, read_json
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.recipe import read_recipe
from tiomagic_domain.requests.carrying import MODEL_SPECIFIC_ARGUMENTS
from tiomagic_domain.requests.received_recipes import check_inputs, check_weights, repositories_of
from tiomagic_domain.text import make_storable
from tiomagic_domain.usecases.job_ids import find_job_id

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

SUFFIXES = frozenset({".mp4", ".json"})


def is_file_name(source: str | Path) -> bool:
    """Return whether a source of ``rerun`` means a file and not a job."""
    return isinstance(source, Path) or Path(source).suffix.lower() in SUFFIXES


def of_job(job: Job) -> dict[str, Any]:
    """Return the fields of a stored job that a rerun needs, and the facts of its run."""
    return {
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "required_args": dict(job.required_args),
        "optional_args": dict(job.optional_args),
        **({} if job.chosen is None else {"chosen": job.chosen.to_dict()}),
        "facts": dict(job.facts),
    }


def of_file(path: str | Path) -> dict[str, Any]:
    """Return the recipe in a video's metadata, or in the JSON file beside it, unchanged.

    It is whole and of our form; for what it may have used see :func:`load_trusted_recipe`.

    Raises:
        ResourceNotFoundError: when there is no such file.
        ValidationError: when it has no recipe that this version understands.
        MissingDependencyError: when the package that reads videos is not installed.
    """
    path = Path(path).expanduser()
    if not _is_file(path):
        raise ResourceNotFoundError(f"there is no file {path}", details={"path": str(path)})
    data = _read_json(path) if path.suffix.lower() == ".json" else _read_video(path)
    recipe = read_recipe(data)
    find_feature(str(recipe["feature"]))
    return recipe


def load_trusted_recipe(
    session: Session,
    source: str | Path,
    *,
    replaced: Collection[str] = (),
    model: str | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Return a recipe after its checks: of a stored job, or of an untrusted file.

    A file whose recipe equals that of a job in the database is the user's own, and is trusted.

    Args:
        session: Has the jobs.
        source: A job's id, a video, or the JSON file beside one.
        replaced: Arguments that are given in place of the recipe's.
        model: The model that is to run it; None for the recipe's own.
        trust: True to fetch weights that only the recipe names.

    Raises:
        ResourceNotFoundError: when there is no such job or file.
        ValidationError: when it has no recipe, has a path or an address for an input, or, with the
            code ``untrusted_weights``, would fetch what the user has not named.
        UnknownModelError: when the model is not known.
    """
    if not is_file_name(source):
        job_id = find_job_id(session.container.repository(), source)
        return of_job(session.generation.get(job_id))
    recipe = of_file(source)
    feature = find_feature(str(recipe["feature"]))
    card = find_model(model or recipe["model"], feature)
    if model is not None and model != recipe["model"]:
        replaced = {*replaced, *MODEL_SPECIFIC_ARGUMENTS}
    check_inputs(recipe, card, feature, replaced)
    if not trust:
        try:
            check_weights(recipe, card, replaced)
        except ValidationError:
            check_weights(recipe, card, replaced, named=_repositories_of_own_job(session, recipe))
    return recipe


def _repositories_of_own_job(session: Session, recipe: Mapping[str, Any]) -> set[str]:
    """Return the repositories that the user's own job named, when a recipe is that of one."""
    try:
        job = session.generation.get(make_storable(str(recipe.get("job_id"))))
    except ResourceNotFoundError:
        return set()
    recorded = json.dumps([dict(job.optional_args), dict(job.facts)])
    revisions = recipe["optional_args"].get("revisions")
    pinned = revisions.items() if isinstance(revisions, dict) else ()
    # A commit that the user's own run has recorded is trusted.
    known = {name for name, commit in pinned if commit and json.dumps(commit) in recorded}
    return known | repositories_of(job.arguments)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # No path can have such a name.
        return False


def _read_json(path: Path) -> object:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
        return read_json(content, str(path))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise ValidationError(message, code=ErrorCode.NOT_A_RECIPE) from error
    except ValidationError as error:
        message = f"{path} holds no recipe: {error.message}"
        raise ValidationError(message, code=ErrorCode.NOT_A_RECIPE) from error


def _read_video(path: Path) -> object:
    try:
        from tiomagic_media.encode.mp4 import read_embedded_recipe as embedded  # noqa: PLC0415  # Heavy.
    except ImportError as error:
        raise part_missing_error("media", error) from error
    return embedded(path)
