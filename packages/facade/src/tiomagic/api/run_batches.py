"""Runs batches of requests, and comparisons of their videos."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiomagic.display.next_steps import advise_in_python
from tiomagic.display.progress_bar import show_item_count
from tiomagic.handle.handle import JobHandle
from tiomagic.results.recipes import load_trusted_recipe
from tiomagic_domain.catalogue import find_feature, find_model
from tiomagic_domain.catalogue import models as catalogue
from tiomagic_domain.errors import Problem, TioMagicError, ValidationError
from tiomagic_domain.ports import LabelledVideo
from tiomagic_domain.requests.rerun import build_rerun_call
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_domain.usecases.batches import Batches, BatchOutcome, BatchRequest, digest_of

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

BATCH_COLUMNS: Final = (
    *("job_id", "status", "feature", "model", "provider", "prompt", "seed", "seconds"),
    *("video", "error", "settings"),
)
"""The columns of the table, in order. New ones come at the end."""
MOVIE, SHEET, TABLE, CELLS = FILES = ("comparison.mp4", "sheet.png", "cells.csv", "cells.json")
"""The files of a comparison."""
CELL_WIDTH: Final = 240
"""Pixels of a video in a comparison."""
FRAMES_PER_CELL: Final = 3
"""Frames of each video on the sheet of a comparison."""


class BatchCell:
    """One request of a batch, with its outcome."""

    def __init__(self, outcome: BatchOutcome, session: Session) -> None:
        self._outcome = outcome
        self.job: JobHandle | None = (
            None if outcome.job is None else JobHandle(outcome.job, session)
        )
        """The job; None when the request was refused."""

    @property
    def error(self) -> str | None:
        """Why there is no video; None when there is one."""
        return self._outcome.error

    @property
    def found(self) -> bool:
        """True when the video was there from an earlier run of the batch."""
        return self._outcome.found

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the table; see :data:`BATCH_COLUMNS`."""
        job, request = self._outcome.job, self._outcome.request
        arguments = dict(request.arguments) if job is None else job.arguments
        seconds = None
        if job is not None and job.started_at and job.ended_at:
            seconds = (job.ended_at - job.started_at).total_seconds()
        return {
            "job_id": None if job is None else job.job_id,
            "status": "refused" if job is None else job.status.value,
            "feature": request.feature.value,
            "model": request.model if job is None else job.model,
            "provider": None if job is None else job.provider,
            "prompt": arguments.pop("prompt", None),
            "seed": arguments.pop("seed", None),
            "seconds": seconds,
            "video": None if job is None else job.result_video,
            "error": self.error,
            "settings": arguments,
        }

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Cell {self.error or self.job!r}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The outcomes of a batch, in the order of the requests."""

    name: str
    """The name to continue the batch with; its jobs have the tag ``batch:<name>``."""
    cells: Sequence[BatchCell]

    @property
    def jobs(self) -> list[JobHandle]:
        """The jobs that have their video."""
        return [cell.job for cell in self.cells if cell.job is not None and not cell.error]

    @property
    def failures(self) -> list[BatchCell]:
        """The entries without a video."""
        return [cell for cell in self.cells if cell.error]

    def write(self, path: str | Path) -> Path:
        """Write the table to a file that ends in .csv or .json, and return its path.

        Raises:
            ValidationError: when it ends in something else.
        """
        target = Path(path).expanduser().absolute()
        rows = [cell.to_dict() for cell in self.cells]
        # Before the file is opened, which would empty it.
        if target.suffix.lower() not in {".csv", ".json"}:
            problem = Problem(
                field="path", message="must end in .csv or .json", given=shorten_repr(str(path))
            )
            raise ValidationError.of([problem], subject="the table of a batch")
        with target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            if target.suffix.lower() == ".json":
                json.dump(rows, file, indent=2, default=str)
                return target
            writer = csv.DictWriter(file, BATCH_COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({**row, "settings": json.dumps(row["settings"], default=str)})
        return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Batch):
    """A grid of videos, and the files that show it."""

    folder: Path
    video: Path | None
    """All videos playing side by side, labelled; None when no cell has one."""
    sheet: Path
    """Frames of each, labelled, as PNG."""
    csv: Path
    json: Path


def batch(
    session: Session,
    requests: Sequence[Mapping[str, Any]],
    *,
    name: str | None,
    concurrency: int | None,
    progress: bool | None,
    force: bool = False,
) -> Batch:
    """Run many requests; see :meth:`tiomagic.TioMagic.batch`."""
    wanted = [replace(each, force=force) for each in _read_requests(session, requests)]
    _require_consents(session, wanted)
    chosen = name or f"batch-{digest_of([request.digest for request in wanted])[:8]}"
    cells = _run(session, chosen, wanted, concurrency=concurrency, progress=progress)
    return Batch(name=chosen, cells=cells)


def compare(  # noqa: PLR0913 - by keyword only, as the method
    session: Session,
    feature: str,
    *,
    models: Sequence[str] | None,
    prompts: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, Any],
    folder: str | Path | None,
    concurrency: int | None,
    progress: bool | None,
    force: bool = False,
) -> Comparison:
    """Run a grid; see :meth:`tiomagic.TioMagic.compare`."""
    _check_axes(models=models, prompts=prompts, seeds=seeds)
    chosen = find_feature(feature)
    names: Sequence[str | None] = [None] if models is None else models
    # A row for each prompt and model, a column for each seed; one seed alone puts the models there.
    wanted = [
        BatchRequest(
            feature=chosen,
            model=model,
            arguments={**settings, "prompt": prompt, "seed": seed},
            force=force,
        )
        for prompt, model, seed in product(prompts, names, seeds)
    ]
    _require_consents(session, wanted)
    _check_any(session, wanted)
    columns = len(seeds) if len(seeds) > 1 else len(names)
    name = f"compare-{digest_of([request.digest for request in wanted])[:8]}"
    cells = _run(session, name, wanted, concurrency=concurrency, progress=progress)
    target = _folder(folder, session.settings.output_dir / name, name)
    varied = {"model": len(names) > 1, "seed": len(seeds) > 1, "prompt": len(prompts) > 1}
    labelled = [_labelled(cell, varied) for cell in cells]
    rows = [labelled[start : start + columns] for start in range(0, len(labelled), columns)]
    title = _title(cells[0], varied)
    made = Batch(name=name, cells=cells)
    # A sheet can show cells that failed, with the reason; a movie needs at least one video.
    video = None
    if made.jobs:
        video = session.pictures.side_by_side(rows, target / MOVIE, width=CELL_WIDTH, title=title)
    return Comparison(
        name=name,
        cells=cells,
        folder=target,
        video=video,
        sheet=session.pictures.grid(
            rows, target / SHEET, count=FRAMES_PER_CELL, width=CELL_WIDTH, title=title
        ),
        csv=made.write(target / TABLE),
        json=made.write(target / CELLS),
    )


def _run(
    session: Session,
    name: str,
    wanted: Sequence[BatchRequest],
    *,
    concurrency: int | None,
    progress: bool | None,
) -> list[BatchCell]:
    providers = session.configured_providers()
    # One run a device at a time: in this process more than one would only wait for each other.
    what = session.provider(providers[0]).capabilities()
    usual = what.batch_concurrency if concurrency is None else concurrency
    batches = Batches(generation=session.generation, clock=session.clock)
    journal = session.container.journal()
    with journal.write_less(), _show_batch_progress(name, len(wanted), progress=progress) as tell:
        outcomes = batches.run(
            name,
            wanted,
            provider=providers,
            concurrency=1 if what.blocking else usual,
            on_outcome=tell,
        )
    return [BatchCell(outcome, session) for outcome in outcomes]


@contextmanager
def _show_batch_progress(
    name: str, total: int, *, progress: bool | None
) -> Iterator[Callable[[BatchOutcome], None]]:
    with show_item_count(name, total, choice=progress) as advance:
        yield lambda outcome: advance(
            "failed" if outcome.error else "was there" if outcome.found else "completed"
        )


def _read_requests(session: Session, requests: Sequence[object]) -> list[BatchRequest]:
    """Return the requests of a batch.

    Raises:
        ValidationError: with every request that cannot be used.
        TioMagicError: the error of the only such request, when there is one.
    """
    found: list[BatchRequest] = []
    errors: dict[int, TioMagicError] = {}
    for index, given in enumerate(requests):
        try:
            found.append(_request(session, index, given))
        except TioMagicError as error:
            errors[index] = error
    # The only one keeps its own class, which says more than that a batch is wrong.
    if len(errors) == 1:
        raise next(iter(errors.values()))
    problems = [
        Problem(
            field=f"requests[{index}]",
            message=error.problems[0].message
            if isinstance(error, ValidationError) and len(error.problems) == 1
            else error.message,
            given=shorten_repr(requests[index]),
        )
        for index, error in errors.items()
    ]
    if problems:
        raise ValidationError.of(problems, subject="a batch")
    return found


def _request(session: Session, index: int, given: object) -> BatchRequest:
    arguments = dict(given) if isinstance(given, Mapping) else {}
    feature, model = arguments.pop("feature", None), arguments.pop("model", None)
    source = arguments.pop("from", None)
    if isinstance(source, str | Path):
        return _repeated(session, source, model, arguments)
    if not isinstance(feature, str):
        problem = Problem(
            field=f"requests[{index}]",
            message='must be a dict with a "feature", such as text_to_video, or with a recipe '
            'in "from"',
            given=shorten_repr(given),
        )
        raise ValidationError.of([problem], subject="a batch")
    return BatchRequest(feature=find_feature(feature), model=model, arguments=arguments)


def _repeated(
    session: Session, source: str | Path, model: str | None, changes: Mapping[str, Any]
) -> BatchRequest:
    """Return the request that repeats a recipe, on its own model or another one."""
    recipe = load_trusted_recipe(session, source, replaced=changes.keys(), model=model)
    feature = find_feature(str(recipe["feature"]))
    card = find_model(model or str(recipe["model"]), feature)
    call = build_rerun_call(recipe, card, changes)
    return BatchRequest(feature=feature, model=card.name, arguments=call.arguments, rerun=call)


def _check_axes(**axes: Sequence[Any] | None) -> None:
    problems = [
        Problem(
            field=name, message="must be a list with something in it", given=shorten_repr(values)
        )
        for name, values in axes.items()
        if values is not None and (isinstance(values, str) or not values)
    ]
    if problems:
        raise ValidationError.of(problems, subject="a comparison")


def _require_consents(session: Session, wanted: Sequence[BatchRequest]) -> None:
    """Check before anything runs that no model waits for a consent to its terms.

    Raises:
        ConfigurationError: with the code ``terms_not_accepted``.
    """
    for name in dict.fromkeys(request.model for request in wanted):
        card = catalogue().get(name or "")
        if card is not None:
            with advise_in_python():
                session.require_consent(card)


def _check_any(session: Session, wanted: Sequence[BatchRequest]) -> None:
    """Check before anything runs that at least one call can: a grid of mistakes shows nothing.

    A model that refuses the call is an empty row among others.

    Raises:
        TioMagicError: when none can; why the first one cannot.
    """
    providers, refused = session.configured_providers(), None
    for request, provider in product(wanted, providers):
        try:
            with advise_in_python():
                session.generation.plan(
                    request.feature,
                    provider=provider,
                    model=request.model,
                    arguments=request.arguments,
                )
        except TioMagicError as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def _folder(given: str | Path | None, own: Path, name: str) -> Path:
    """Return the folder of a comparison; one in it where other files have the names of ours."""
    folder = own if given is None else Path(given).expanduser().absolute()
    taken = given is not None and any((folder / file).exists() for file in FILES)
    if taken and not _is_comparison(folder / CELLS):
        folder /= name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_comparison(cells: Path) -> bool:
    """Return whether a file is the table of a comparison, whose files are replaced together."""
    try:
        rows = json.loads(cells.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(rows, list) and all(
        isinstance(row, dict) and set(BATCH_COLUMNS) <= row.keys() for row in rows
    )


def _labelled(cell: BatchCell, varied: Mapping[str, bool]) -> LabelledVideo:
    row = cell.to_dict()
    words = [f"seed {row[name]}" if name == "seed" else str(row[name]) for name in _order(varied)]
    if cell.error:
        words.append(f"failed: {cell.error}")
    video = None if cell.error or not row["video"] else Path(row["video"])
    return LabelledVideo(video=video, label=" · ".join(words))


def _order(varied: Mapping[str, bool]) -> list[str]:
    return [name for name, varies in varied.items() if varies]


def _title(cell: BatchCell, varied: Mapping[str, bool]) -> str:
    row = cell.to_dict()
    fixed = [str(row[name]) for name in ("model", "prompt") if not varied[name] and row[name]]
    return " · ".join([*fixed, *([] if varied["seed"] else [f"seed {row['seed']}"])])
