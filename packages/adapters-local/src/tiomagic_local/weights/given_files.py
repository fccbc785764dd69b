"""Finds the files that a call gives in place of components, on this machine or on the hub.

A name of a file here comes first; ``owner/name/file`` that is no file here is one of the hub. A
bare name, as a recipe has it, is also looked for in ``<weights_dir>/components``. Loads no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_domain.quantities import GIB
from tiomagic_domain.weights.given import DIGEST, WEIGHTS_ARGUMENT, GivenFile
from tiomagic_domain.weights.repositories import bits_of
from tiomagic_local.component_files.kinds import MODEL_PATH, TRANSFORMER
from tiomagic_local.component_files.single_file import check_header, measure_file
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.hub_files import WantedFiles

FOLDER = "components"
"""The folder of such files in the folder of weights."""
DIGESTED_BYTES = 2**20
"""Bytes of a file that its digest covers."""
EXPERTS = {"transformer": "highnoise", "transformer_2": "lownoise"}
"""What the name of an expert's file says of it, in letters alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file in place of a component, on this machine."""

    component: str
    path: Path
    pinned: str | None = None
    """Its entry in a recipe; None for the file of ``model_path``."""
    revision: str | None = None
    """The hub's commit; None for a file of this machine."""

    @property
    def argument(self) -> str:
        """What named it: ``weights`` or ``model_path``."""
        return MODEL_PATH if self.pinned is None else WEIGHTS_ARGUMENT

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two files with the same content, as far as it is seen without reading them."""
        state = self.path.resolve().stat()
        return (self.component, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


GivenFiles = Mapping[str, FoundFile]
"""The files by their components."""


def list_pinned(files: GivenFiles) -> dict[str, str]:
    """Return the files of repositories at their commits, by their components."""
    return {name: file.pinned for name, file in files.items() if file.pinned is not None}


def check_given_files(card: ModelCard, settings: Mapping[str, Any], options: LocalOptions) -> None:
    """Check that the files of a call are whole, or can be on the hub, without any request.

    Raises:
        ValidationError: with every name that is none of a file.
        ConfigurationError: for a file that is damaged, or in a format that is not read.
        MissingDependencyError: for one in GGUF, when the library is missing.
    """
    problems = []
    here = [] if options.single_file is None else [options.single_file]
    for component, file in card.files_of(settings).items():
        try:
            _check_expert(component, file)
            path = _on_this_machine(file, options)
            if path is not None:
                here.append(path)
            elif file.hub_file is None:
                _raise_missing(file, options)
        except _Unfit as unfit:
            problems.append(_problem(component, file, str(unfit)))
    if problems:
        raise ValidationError.of(problems, subject="the weights")
    for path in here:
        check_header(path)


def find_given_files(
    card: ModelCard,
    settings: Mapping[str, Any],
    options: LocalOptions,
    *,
    progress: ProgressSink,
    cancel: CancelToken | None = None,
) -> GivenFiles:
    """Return the files of a call in place of components, downloading those of the hub.

    Args:
        card: The model.
        settings: Of the call.
        options: With ``model_path``, which may be such a file for every call, and the folders.
        progress: Gets the state of a download.
        cancel: Ends a download at once; what has come stays.

    Raises:
        ValidationError: when one is not here, or is another than the one that a recipe means.
        AuthenticationError, APIError, ConfigurationError: when the hub does not give it.
    """
    found = {}
    if options.single_file is not None:
        found[TRANSFORMER] = FoundFile(component=TRANSFORMER, path=options.single_file)
    for component, file in card.files_of(settings).items():
        try:
            found[component] = _find(component, file, options, progress, cancel)
        except _Unfit as unfit:
            problem = _problem(component, file, str(unfit))
            raise ValidationError.of([problem], subject="the weights") from None
    return found


def find_file_sizes(
    card: ModelCard, settings: Mapping[str, Any], options: LocalOptions
) -> dict[str, float]:
    """Return the GiB in memory of each component that comes from a file.

    Makes no request. A file that has to be downloaded has the size of its format, which its name
    says; one that cannot be read, or says nothing, has none.
    """
    files = card.files_of(settings)
    sizes: dict[str, float | None] = {}
    if options.single_file is not None:
        sizes[TRANSFORMER] = measure_file(options.single_file)
    for component, file in files.items():
        path = _on_this_machine(file, options) or _in_the_cache(file)
        measured = None if path is None else measure_file(path)
        sizes[component] = measured or _guess_gib(card, component, file)
    return {component: gib for component, gib in sizes.items() if gib is not None}


def _guess_gib(card: ModelCard, component: str, file: GivenFile) -> float | None:
    """Return the size of a file of the hub by its format; None if that is not known."""
    full, bits = full_gib_of(card, component), bits_of(file.label)
    return None if full is None or bits is None else full * bits / 16


def full_gib_of(card: ModelCard, component: str) -> float | None:
    """Return the GiB of a component in 16 bits; None if the card does not say it."""
    for one in card.quantized_files:
        if one.component == component:
            return one.full_gib
    return card.largest_gib if component == TRANSFORMER else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of the hub that a call gives in place of a component."""

    component: str
    files: WantedFiles
    guessed_bytes: int
    """Its size by its format, for a list that is not here; 0 if that is not known."""


def list_hub_files(
    card: ModelCard, settings: Mapping[str, Any], options: LocalOptions
) -> list[HubFile]:
    """Return the files of a call that may have to be downloaded. Makes no request."""
    found = []
    for component, file in card.files_of(settings).items():
        if file.hub_file is None or _on_this_machine(file, options) is not None:
            continue
        repository, name = file.hub_file
        wanted = WantedFiles(repository=repository, revision=file.pin, names=(name,), pins=False)
        size = round((_guess_gib(card, component, file) or 0.0) * GIB)
        found.append(HubFile(component=component, files=wanted, guessed_bytes=size))
    return found


class _Unfit(Exception):  # noqa: N818 - becomes a problem of a field, and is never seen
    """A file cannot be used; the text says why."""


def _find(
    component: str,
    file: GivenFile,
    options: LocalOptions,
    progress: ProgressSink,
    cancel: CancelToken | None,
) -> FoundFile:
    _check_expert(component, file)
    path = _on_this_machine(file, options)
    if path is not None:
        pin = digest_file(path)
        if file.pin is not None and file.pin != pin:
            raise _Unfit(
                f"{str(path)!r} is another file than the one that is meant: its digest is {pin}, "
                f"and not {file.pin}"
            )
        return FoundFile(component=component, path=path, pinned=file.pinned(pin))
    if file.hub_file is None:
        _raise_missing(file, options)
    assert file.hub_file is not None, "just asked"
    from tiomagic_local.weights.hub import download_file

    repository, name = file.hub_file
    path, commit = download_file(
        repository,
        file.pin,
        name,
        token=options.hf_token,
        progress=progress,
        cancel=cancel,
    )
    return FoundFile(component=component, path=path, pinned=file.pinned(commit), revision=commit)


def _on_this_machine(file: GivenFile, options: LocalOptions) -> Path | None:
    """Return the file here that is meant; None for one of the hub, or none."""
    if file.hub_file is not None and file.pin is not None:
        return None
    return next((place for place in _places(file, options) if place.is_file()), None)


def _places(file: GivenFile, options: LocalOptions) -> list[Path]:
    places = [Path(file.place).expanduser()]
    if options.weights_dir is not None and file.hub_file is None:
        places.append(options.weights_dir / FOLDER / places[0].name)
    return places


def _in_the_cache(file: GivenFile) -> Path | None:
    """Return a file of the hub that was downloaded before; None for one that was not."""
    from tiomagic_local.weights.hub_cache import DEFAULT_BRANCH, HubCache

    cache = HubCache.of_client()
    if cache is None or file.hub_file is None:
        return None
    repository, name = file.hub_file
    revision = file.pin or DEFAULT_BRANCH
    commit = cache.last_commit(repository, revision) or revision
    path = cache.snapshot(repository, commit) / name
    return path if path.is_file() else None


def _raise_missing(file: GivenFile, options: LocalOptions) -> None:
    places = [place.absolute() for place in _places(file, options)]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is not None:
        raise _Unfit(f"{str(folder)!r} is a folder; give the file in it")
    looked = " and ".join(repr(str(place)) for place in places)
    hint = "; a file of the hub is named as owner/name/file" if "/" in file.place else ""
    raise _Unfit(f"there is no such file; looked for {looked}{hint}")


def _check_expert(component: str, file: GivenFile) -> None:
    """Refuse a file for the other expert by its name: both have the same shapes."""
    letters = "".join(one for one in Path(file.place).name.lower() if one.isalpha())
    other = next((name for name, word in EXPERTS.items() if word in letters), None)
    if component in EXPERTS and other not in {None, component}:
        raise _Unfit(
            f"its name says that it is the {EXPERTS[str(other)][:-5]}-noise expert, which "
            f"is {other}: give it as weights={{{other!r}: …}}"
        )


def _problem(component: str, file: GivenFile, message: str) -> Problem:
    field = f"{WEIGHTS_ARGUMENT}.{component}"
    return Problem(field=field, message=f"{file.label}: {message}", given=repr(file.label))


def digest_file(path: Path) -> str:
    """Return a digest of a file's size and start, which lists all of its tensors."""
    with path.open("rb") as file:
        total = hashlib.sha256(file.read(DIGESTED_BYTES))
    total.update(str(path.stat().st_size).encode())
    return f"{DIGEST}{total.hexdigest()[:16]}"
