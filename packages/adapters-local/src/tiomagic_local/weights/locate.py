"""Finds a model's weights: a given folder or file, the package, or the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard, Part
from tiomagic_domain.errors import APIError, AuthenticationError, ConfigurationError
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.checkpoint.other_formats import PICKLED, explain_unreadable_format
from tiomagic_local.checkpoint.pipeline_index import (
    INDEXES,
    index_name,
    pipeline_class,
    read_index,
)
from tiomagic_local.checkpoint.variants import superfluous
from tiomagic_local.component_files.kinds import find_class
from tiomagic_local.component_files.single_file import FileFacts, check_file
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights.given_files import FoundFile, GivenFiles, digest_file
from tiomagic_local.weights.hub_files import PIPELINE_FILES, WantedFiles, list_wanted

PACKAGED_WEIGHTS_DIR = Path(__file__).parent / "data"
"""Weights that are part of this package, one folder a model."""


class Origin(StrEnum):
    """The source of weights."""

    MODEL_PATH = "model_path"
    WEIGHTS_DIR = "weights_dir"
    PACKAGE = "package"
    HUB = "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartWeights:
    """A component from a repository of its own, on this machine."""

    part: Part
    folder: Path
    revision: str
    """The hub's commit."""

    def facts(self) -> dict[str, str]:
        """Return its facts for a job's record."""
        return {"repository": self.part.repository, "revision": self.revision}


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenComponent:
    """A file in place of a component, which fits the model."""

    file: FoundFile
    known: FileFacts

    def facts(self) -> dict[str, object]:
        """Return its facts for a job's record; without a path."""
        facts: dict[str, object] = {
            "file": self.file.path.name,
            "revision": self.file.revision or digest_file(self.file.path),
            "stored_as": dict(self.known.stored_as),
        }
        if self.known.unused:
            facts["unused"] = dict(self.known.unused)
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights on this machine."""

    folder: Path
    origin: Origin
    revision: str
    """The hub's commit, or ``sha256:`` and a digest of the folder's configuration."""
    repository: str | None = None
    """The hub's repository; None for a folder that was given."""
    parts: tuple[PartWeights, ...] = ()
    """Components that replace those of the folder. A given folder has all."""
    given: Mapping[str, GivenComponent] = field(default_factory=dict)
    """Files in place of components, of which the folder then needs only the configuration."""
    without: Container[str] = ()
    """Components that the pipeline can do without, and the model does."""

    @property
    def by_hand(self) -> Path | None:
        """The given folder; None for one of the hub's cache."""
        return None if self.repository is not None else self.folder

    @property
    def revisions(self) -> dict[str, str]:
        """The hub's commits by repository; empty for a given folder or repository."""
        own = {}
        if self.repository is not None and self.origin is Origin.HUB:
            own = {self.repository: self.revision}
        return own | {found.part.repository: found.revision for found in self.parts}

    def facts(self) -> dict[str, object]:
        """Return their facts for a job's record; without paths, because records are shared."""
        facts: dict[str, object] = {
            "origin": self.origin.value,
            "repository": self.repository,
            "revision": self.revision,
        }
        facts |= {name: given.facts() for name, given in self.given.items()}
        if self.parts:
            facts["parts"] = {found.part.name: found.facts() for found in self.parts}
        return facts


def local_folder(card: ModelCard, options: LocalOptions) -> tuple[Path, Origin] | None:
    """Return the folder of the weights, or None for the hub. Reads no weights.

    If ``model_path`` is a file, it is only the transformer, and the folder has the rest.

    Raises:
        ConfigurationError: when a given folder does not exist, or the package lacks its weights.
    """
    if options.repository is not None:
        return None
    if options.model_path is not None and options.single_file is None:
        return _existing(options.model_path, "model_path"), Origin.MODEL_PATH
    if options.weights_dir is not None:
        folder = _existing(options.weights_dir, "weights_dir") / card.name
        if folder.is_dir():
            return folder, Origin.WEIGHTS_DIR
    if card.repository is not None:
        return None
    packaged = PACKAGED_WEIGHTS_DIR / card.name
    if not packaged.is_dir():
        raise ConfigurationError(
            f"the weights of {card.name!r} should come with tiomagic and are not there: install "
            "tiomagic-adapters-local again, or give their folder as model_path",
            details={"model": card.name},
        )
    return packaged, Origin.PACKAGE


def find_weights(
    card: ModelCard,
    options: LocalOptions,
    *,
    pipeline: str,
    progress: ProgressSink,
    cancel: CancelToken | None = None,
    files: GivenFiles | None = None,
) -> Weights:
    """Return a model's weights, downloading them if needed.

    Args:
        card: The model.
        options: Where to look.
        pipeline: The pipeline class that they must be for.
        files: In place of components; compared with the configuration before the rest is fetched.
        progress: Gets the state of a download.
        cancel: Ends a download at once; what has come stays.

    Raises:
        GenerationCanceledError: when the job was canceled.
        ConfigurationError: when they are missing, or belong to another pipeline.
        AuthenticationError, APIError: when the hub does not give them.
    """
    place = local_folder(card, options)
    given = files or {}
    get: dict[str, Any] = {"pipeline": pipeline, "progress": progress, "cancel": cancel}
    if options.repository is not None:
        found = _from_given(card, options, files=given, **get)
    elif place is None:
        found = _from_hub(card, options, files=given, **get)
    else:
        folder, origin = place
        check_index(folder, pipeline)
        found = Weights(
            folder=folder,
            origin=origin,
            revision=digest_folder(folder),
            given=_check_given(given, card, folder, {}),
        )
    return replace(found, without=card.unused)


def _check_given(
    files: GivenFiles, card: ModelCard, folder: Path, parts: Mapping[str, Path]
) -> dict[str, GivenComponent]:
    """Compare files with the components that they replace.

    Args:
        files: By components.
        card: The model.
        folder: With the index and the configurations.
        parts: Folders of components from repositories of their own.

    Raises:
        ConfigurationError: when one does not fit, or the model has no such component.
    """
    index = read_index(folder) if files else {}
    given = {}
    for name, file in files.items():
        kind = find_class(name, file.path.name, index, card.parts, argument=file.argument)
        known = check_file(file.path, kind, parts.get(name, folder / name))
        given[name] = GivenComponent(file=file, known=known)
    return given


def _from_hub(
    card: ModelCard,
    options: LocalOptions,
    *,
    pipeline: str,
    progress: ProgressSink,
    cancel: CancelToken | None,
    files: GivenFiles,
) -> Weights:
    from tiomagic_local.weights.hub import download_all

    assert card.repository is not None, "local_folder returns a folder otherwise"
    own, *others = list_wanted(card, loras=())
    get = partial(
        download_all,
        model=card.name,
        token=options.hf_token,
        progress=progress,
        cancel=cancel,
    )
    given: dict[str, GivenComponent] = {}
    if files:
        # Before gigabytes are fetched that would be of no use.
        own, others, given = _check_on_hub(files, card, own, others, get)
    folder, *folders = get([own, *others])
    if not card.parts:
        # With other components, the pipeline differs from the repository's.
        check_index(folder, pipeline)
    return Weights(
        folder=folder,
        origin=Origin.HUB,
        revision=folder.name,
        repository=card.repository,
        # The cache keeps a snapshot in a folder that is named as its commit.
        parts=tuple(
            PartWeights(part=part, folder=place / part.folder, revision=place.name)
            for part, place in zip(card.parts, folders, strict=True)
        ),
        given=given,
    )


def _check_on_hub(
    files: GivenFiles,
    card: ModelCard,
    own: WantedFiles,
    others: list[WantedFiles],
    get: Callable[[list[WantedFiles]], list[Path]],
) -> tuple[WantedFiles, list[WantedFiles], dict[str, GivenComponent]]:
    """Compare files with configurations, which are fetched alone.

    Returns:
        What is left to fetch of the model's repository and of those of its parts, and the files.
    """
    (index,) = get([replace(own, names=INDEXES)])
    own = replace(own, revision=index.name)
    labels = {name: (file.path.name, file.argument) for name, file in files.items()}
    for name, (label, argument) in labels.items():
        find_class(name, label, read_index(index), card.parts, argument=argument)
    parts: dict[str, Path] = {}
    for at, part in enumerate(card.parts):
        if part.name in files:
            inside = f"{part.folder}/" if part.folder else ""
            (there,) = get([replace(others[at], names=(f"{inside}config.json",))])
            parts[part.name] = there / part.folder
            weights = (*others[at].without, f"{inside}*.safetensors")
            others[at] = replace(others[at], revision=there.name, without=weights)
    names = tuple(f"{name}/config.json" for name in files if name not in parts)
    known = get([replace(own, names=names)])[0] if names else index
    # A file replaces a component, of which only the configuration is needed.
    without = (*own.without, *(f"{name}/*.safetensors" for name in files))
    given = _check_given(files, card, known, parts)
    return replace(own, without=without), others, given


def _from_given(
    card: ModelCard,
    options: LocalOptions,
    *,
    pipeline: str,
    progress: ProgressSink,
    cancel: CancelToken | None,
    files: GivenFiles,
) -> Weights:
    """Return the weights of a repository given as ``model_path``, with all its components."""
    from tiomagic_local.weights.hub import download_repository, list_repository_files

    assert options.repository is not None, "asked before"
    name, revision = options.repository
    get = partial(
        download_repository,
        name,
        model=card.name,
        token=options.hf_token,
        progress=progress,
        cancel=cancel,
    )
    try:
        index = get(revision, names=INDEXES)
    except (AuthenticationError, ConfigurationError) as error:
        message = (
            f"model_path {str(options.model_path)!r} is not a file or folder here, and on the "
            f"hub: {error.message}"
        )
        raise type(error)(message, details=error.details) from error
    # Before gigabytes are fetched that would be of no use.
    check_index(index, pipeline)
    try:
        listed = list_repository_files(name, index.name, token=options.hf_token)
    except APIError:
        # Offline, use what was fetched before; the next call reports what is missing.
        listed = []
    given: dict[str, GivenComponent] = {}
    if files:
        configurations = tuple(f"{component}/config.json" for component in files)
        known = get(index.name, names=configurations)
        given = _check_given(files, replace(card, parts=()), known, {})
    without = (*superfluous(listed), *(f"{component}/*.safetensors" for component in files))
    folder = get(index.name, names=PIPELINE_FILES, without=without)
    return Weights(
        folder=folder,
        origin=Origin.MODEL_PATH,
        revision=folder.name,
        repository=name,
        given=given,
    )


def check_index(folder: Path, pipeline: str) -> None:
    """Check that a folder has the weights of a pipeline.

    Raises:
        ConfigurationError: when it has not; the message says what was found.
    """
    found = pipeline_class(_read_index(folder, index_name(pipeline)))
    if found != pipeline:
        raise ConfigurationError(
            f"the weights in {str(folder)!r} are for {found!r}, and this model needs weights for "
            f"{pipeline!r}",
            details={"found": found, "needed": pipeline},
        )


def digest_folder(folder: Path) -> str:
    """Return a digest of the configuration and of the names and sizes of all files.

    The weights themselves, gigabytes, are not read.
    """
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        if path.suffix == ".json":
            total.update(path.read_bytes())
    return f"sha256:{total.hexdigest()[:16]}"


def _existing(folder: Path, name: str) -> Path:
    pickled = folder.suffix.lower() in PICKLED and not folder.is_dir()
    other = explain_unreadable_format(folder.name) if pickled else None
    if other is not None:
        raise ConfigurationError(f"{name} {str(folder)!r}: {other}", details={"setting": name})
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ConfigurationError(
            f"{name} {str(folder)!r} {what}", details={"setting": name, "value": str(folder)}
        )
    return folder


def _read_index(folder: Path, name: str) -> Mapping[str, Any]:
    path = folder / name
    if not path.is_file():
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise ConfigurationError(
            f"{str(folder)!r} holds no pipeline: it has no {name}. Found: {found}",
            details={"folder": str(folder)},
        )
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r} is no JSON: {error}") from error
    if not isinstance(index, dict):
        raise ConfigurationError(f"{str(path)!r} does not describe a pipeline")
    return index
