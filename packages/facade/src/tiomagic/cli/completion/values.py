"""Completion of models, jobs, formats and files. Makes no file and no request."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

MAX_JOBS_OFFERED = 30
"""Jobs that are offered, the newest."""


def complete_models(incomplete: str) -> list[tuple[str, str]]:
    """Return the models whose names begin so, with their titles."""
    from tiomagic_domain.catalogue import models as known  # noqa: PLC0415  # Not for --help.

    return [(name, card.title) for name, card in known().items() if name.startswith(incomplete)]


def complete_features(incomplete: str) -> list[str]:
    """Return the features that begin so, as the command line spells them."""
    from tiomagic_domain.features import Feature  # noqa: PLC0415  # Not for --help.

    names = [feature.value.replace("_", "-") for feature in Feature]
    return [name for name in names if name.startswith(incomplete.replace("_", "-"))]


def complete_providers(incomplete: str) -> list[str]:
    """Return the providers that begin so."""
    from tiomagic import tm  # noqa: PLC0415  # Not for --help.

    return [name for name in tm.get_providers() if name.startswith(incomplete)]


def complete_aspects(incomplete: str) -> list[str]:
    """Return the usual shapes of a video that begin so."""
    from tiomagic_domain.schema.sizes import ASPECTS  # noqa: PLC0415  # Not for --help.

    return [aspect for aspect in ASPECTS if aspect.startswith(incomplete)]


def complete_resolutions(incomplete: str) -> list[str]:
    """Return the usual resolutions that begin so."""
    from tiomagic_domain.schema.sizes import RESOLUTIONS  # noqa: PLC0415  # Not for --help.

    return [resolution for resolution in RESOLUTIONS if resolution.startswith(incomplete)]


def complete_licences(incomplete: str) -> list[str]:
    """Return the words of a licence that begin so."""
    from tiomagic_domain.catalogue.licences import LicenceUse  # noqa: PLC0415  # Not for --help.

    return [use.value for use in LicenceUse if use.value.startswith(incomplete)]


def complete_statuses(incomplete: str) -> list[str]:
    """Return the words of a job's status that begin so."""
    from tiomagic_domain.jobs.job import JobStatus  # noqa: PLC0415  # Not for --help.

    return [status.value for status in JobStatus if status.value.startswith(incomplete)]


def complete_video_formats(incomplete: str) -> list[str]:
    """Return what a video can be converted to that begins so."""
    from tiomagic.results.pictures import FILE_SUFFIXES  # noqa: PLC0415  # Not for --help.

    return [name for name in FILE_SUFFIXES if name.startswith(incomplete)]


def complete_export_formats(incomplete: str) -> list[str]:
    """Return what stored jobs can be exported as that begins so."""
    from tiomagic.results.export import ExportFormat  # noqa: PLC0415  # Not for --help.

    return [name for name in get_args(ExportFormat) if name.startswith(incomplete)]


def complete_cost_groups(incomplete: str) -> list[str]:
    """Return what costs can be summed by that begins so."""
    from tiomagic_domain.money.sums import CostGroup  # noqa: PLC0415  # Not for --help.

    return [group.value for group in CostGroup if group.value.startswith(incomplete)]


def complete_jobs(incomplete: str) -> list[tuple[str, str]]:
    """Return the newest jobs whose ids begin so, each with its status and prompt."""
    from tiomagic import TioMagic, errors  # noqa: PLC0415  # Not for --help.

    tm = TioMagic()
    try:
        if not tm.session.has_database:
            return []  # Listing would make one.
        newest = tm.list_jobs(limit=MAX_JOBS_OFFERED)
    except errors.TioMagicError:
        # An error must not print a traceback into the line that is being typed; ``doctor`` reports
        # it.
        return []
    finally:
        tm.close()
    found = [job for job in newest if job.job_id.startswith(incomplete)]
    if newest and incomplete and "@last".startswith(incomplete):
        return [("@last", f"the newest job: {newest[0].prompt[:50]}")]
    return [(job.job_id, f"{job.status}: {job.prompt[:50]}") for job in found]


def complete_videos(incomplete: str) -> list[tuple[str, str]]:
    """Return what names a video: jobs, and the mp4 and JSON files and folders that begin so."""
    typed = Path(incomplete)
    folder, start = (typed, "") if incomplete.endswith("/") else (typed.parent, typed.name)
    entries = sorted(folder.glob(f"{start}*")) if folder.is_dir() else []
    files = [
        (f"{path}/" if path.is_dir() else str(path), "")
        for path in entries
        if path.is_dir() or path.suffix in {".mp4", ".json"}
    ]
    return [*complete_jobs(incomplete), *files]
