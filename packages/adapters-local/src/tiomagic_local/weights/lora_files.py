"""Finds and downloads the LoRA files of a call, and checks their headers. Loads no torch.

A source that ends in ``.safetensors`` is a file: the given path, else a file of that name in
``<weights_dir>/loras``, where another user's recipe finds it. Any other source is a repository of
the hub; one that belongs to a model may also be in the folder ``loras`` of given weights. Pickled
files are never read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tiomagic_domain.catalogue.lora import SUFFIX, Lora
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.checkpoint.header import DamagedHeaderError, read_safetensors_header
from tiomagic_local.checkpoint.other_formats import explain_unreadable_format
from tiomagic_local.lora.tensors import sort
from tiomagic_local.options import LocalOptions

WHOLE_NUMBERS = re.compile(r"[IU][0-9]+|BOOL")
"""Types of a safetensors header that are not floating point numbers."""

REFERENCE_DOWNSCALE = "reference_downscale_factor"
"""The key of a header under which a LoRA that reads a control video keeps how many times smaller
than the video that is."""

FOLDER = "loras"
"""The folder of LoRA files in the folder of weights."""
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLora:
    """A LoRA whose file is on this machine."""

    lora: Lora
    path: Path
    pinned: Lora
    """Its entry in the recipe."""


def check_loras(loras: Iterable[Lora], options: LocalOptions) -> None:
    """Check that the files exist and are LoRAs, without any request.

    Raises:
        ValidationError: with every problem.
    """
    problems = []
    for lora in loras:
        try:
            other = explain_unreadable_format(lora.weight_name or lora.source)
            if other is not None:
                raise _Unfit(other)
            if lora.is_file:
                check_header(_file(lora, options))
            elif not REPOSITORY.fullmatch(lora.source):
                raise _Unfit(f"is neither a {SUFFIX} file nor a repository (owner/name)")
        except _Unfit as unfit:
            problems.append(_problem(lora, str(unfit)))
    if problems:
        raise ValidationError.of(problems, subject="the LoRAs")


def find_loras(
    loras: Iterable[Lora],
    options: LocalOptions,
    *,
    progress: ProgressSink,
    model: Path | None = None,
    stays: bool = False,
    cancel: CancelToken | None = None,
) -> list[FoundLora]:
    """Return the files of LoRAs, downloading the missing ones.

    Args:
        loras: Those of a card or of a call.
        options: With the folders and the hub's token.
        progress: Gets an event while something is downloaded.
        model: The given folder of a model, for the LoRAs that belong to it: files of its own folder
            ``loras`` come first.
        stays: True for LoRAs that belong to a model: without a revision this machine keeps the
            commit that it fetched first; LoRAs of a call use the newest.
        cancel: Ends a download at once; what has come stays.

    Raises:
        ValidationError: when a file is missing, differs from the recipe's, or is not a LoRA.
        AuthenticationError, APIError, ConfigurationError: when the hub does not give it.
    """
    return [_find(lora, options, progress, model, stays=stays, cancel=cancel) for lora in loras]


def _find(
    lora: Lora,
    options: LocalOptions,
    progress: ProgressSink,
    model: Path | None,
    *,
    stays: bool,
    cancel: CancelToken | None,
) -> FoundLora:
    brought = find_brought(lora, model)
    revision = None
    try:
        if brought is not None:
            path = brought
        elif lora.is_file:
            path = _file(lora, options)
        else:
            path, revision = _download(lora, options, progress, stays=stays, cancel=cancel)
        check_header(path)
        # A commit identifies a file of the hub, so gigabytes need not be hashed.
        sha256 = sha256_of(path) if revision is None or lora.sha256 else None
        if lora.sha256 is not None and lora.sha256 != sha256:
            raise _Unfit(f"is another file than the one that was meant: its sha256 is {sha256}")
    except _Unfit as unfit:
        problem = _problem(lora, str(unfit))
        raise ValidationError.of([problem], subject="the LoRAs") from None
    return FoundLora(lora=lora, path=path, pinned=lora.pinned(sha256=sha256, revision=revision))


class _Unfit(Exception):  # noqa: N818 - becomes a problem of a field, and is never seen
    """A LoRA cannot be used; the text says why."""


def _problem(lora: Lora, message: str) -> Problem:
    return Problem(field="loras", message=f"{lora.label}: {message}", given=repr(lora.label))


def find_brought(lora: Lora, model: Path | None) -> Path | None:
    """Return the file of a LoRA that lies in the given folder of its model, or None."""
    if model is None or lora.weight_name is None:
        return None
    path = model / FOLDER / Path(lora.weight_name).name
    return path if path.is_file() else None


def _file(lora: Lora, options: LocalOptions) -> Path:
    given = Path(lora.source).expanduser()
    places = [given]
    if options.weights_dir is not None:
        places.append(options.weights_dir / FOLDER / given.name)
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(repr(str(place)) for place in places)
    raise _Unfit(f"there is no such file; looked for {looked}")


def _download(
    lora: Lora,
    options: LocalOptions,
    progress: ProgressSink,
    *,
    stays: bool,
    cancel: CancelToken | None,
) -> tuple[Path, str]:
    from tiomagic_local.weights.hub import download_file, list_repository_files

    name = lora.weight_name
    if name is None:
        found = list_repository_files(lora.source, lora.revision, token=options.hf_token)
        fitting = [file for file in found if file.endswith(SUFFIX)]
        if len(fitting) != 1:
            listed = ", ".join(fitting[:10]) or "none"
            raise _Unfit(f"weight_name has to say which file is meant; {SUFFIX} files: {listed}")
        name = fitting[0]
    return download_file(
        lora.source,
        lora.revision,
        name,
        token=options.hf_token,
        progress=progress,
        stays=stays,
        cancel=cancel,
    )


def read_reference_downscale(found: FoundLora) -> int:
    """Return how many times smaller than the video a LoRA's control video is; 1 if it says none.

    Raises:
        ConfigurationError: when its header says something that is no such number.
    """
    said = read_safetensors_header(found.path).metadata.get(REFERENCE_DOWNSCALE, "1")
    try:
        factor = float(said)
    except ValueError:
        factor = math.nan
    if not (factor >= 1 and factor.is_integer()):
        raise ConfigurationError(
            f"{found.lora.label}: its header says {REFERENCE_DOWNSCALE}={said!r}, which is no "
            "whole number from 1",
            details={"lora": found.lora.label},
        )
    return int(factor)


def check_header(path: Path) -> None:
    """Check that a file is in the safetensors format and has LoRA tensors that can be applied.

    Raises:
        _Unfit: says why not.
    """
    try:
        tensors = read_safetensors_header(path).tensors
    except DamagedHeaderError as error:
        raise _Unfit(f"cannot be read: {error}") from error
    names = list(tensors)
    for name, entry in tensors.items():
        # A strength (alpha) may be a whole number; a matrix of whole numbers would need factors.
        if len(entry.shape) > 1 and WHOLE_NUMBERS.fullmatch(entry.type):
            raise _Unfit(
                f"holds matrices of whole numbers ({entry.type}, its tensor {name!r}), which mean "
                "nothing without their factors; give it in 16 or 32 bits"
            )
    contents = sort(names)
    if contents.foreign:
        kind, example = next(iter(contents.foreign.items()))
        raise _Unfit(
            f"is {kind}, which is not applied (its tensor {example!r}); LoRA, DoRA, LoHa, LoKr and "
            "differences of weights are"
        )
    if not contents.has_lora_tensors:
        example = f" such as {names[0]!r}" if names else ""
        whole = len(contents.layers) > 0 and all(
            name.endswith((".weight", ".bias")) for name in names
        )
        hint = "; a whole transformer is given as model_path" if whole else ""
        raise _Unfit(
            f"holds no LoRA: none of its {len(names)} tensors{example} belongs to one{hint}"
        )
