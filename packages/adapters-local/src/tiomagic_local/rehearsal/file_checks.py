"""Checks of a model's files: complete, whole, licence accepted, enough disk space."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.errors import APIError, AuthenticationError, TioMagicError
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.quantities import GIB, describe_bytes
from tiomagic_domain.suggestions import closest
from tiomagic_local.checkpoint.pipeline_index import index_name, pipeline_class, plain_form
from tiomagic_local.options import LocalOptions
from tiomagic_local.rehearsal.completeness import FILES, Looker, components
from tiomagic_local.rehearsal.published import FolderFiles, HubFiles, ModelFiles
from tiomagic_local.torch_env.machine import has_stored_hub_token, hub_cache
from tiomagic_local.weights.hub_files import FILES as LOADED
from tiomagic_local.weights.hub_files import PIPELINE_FILES
from tiomagic_local.weights.locate import Origin, PartWeights, Weights, local_folder

LICENCE, DISK, LORAS = "licence", "disk", "loras"


@dataclass(slots=True)
class FoundFiles:
    """Results that later checks need."""

    weights: Weights | None = None
    """Folders with the configuration files; None when they could not be fetched."""
    networks: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Library and class of each component of the pipeline's own repository."""
    download_gib: float | None = None
    """Bytes that a real run would download; None when unknown."""


class FileChecks:
    """Checks the files of a model.

    Args:
        card: The model.
        options: Where weights come from.
        pipeline: The pipeline class that they must be for.
    """

    def __init__(self, card: ModelCard, options: LocalOptions, *, pipeline: str) -> None:
        self._card, self._options, self._pipeline = card, options, pipeline
        self.found = FoundFiles()

    def checks(self) -> Iterator[Check]:
        """Yield the findings; faults of the hub or of a folder are findings, not exceptions."""
        try:
            given = local_folder(self._card, self._options)
            if given is None:
                yield self._token()
                yield from self._on_the_hub()
            else:
                folder, origin = given
                yield from self._in_a_folder(folder, origin)
        except AuthenticationError as error:
            yield Check(part=LICENCE, outcome=CheckOutcome.PROBLEM, message=error.message)
        except TioMagicError as error:
            yield Check(part=FILES, outcome=CheckOutcome.PROBLEM, message=error.message)

    def _token(self) -> Check:
        if self._options.hf_token:
            return Check(part="token", outcome=CheckOutcome.OK, message="given (HF_TOKEN)")
        if has_stored_hub_token():
            text = "stored by the hub's own tools"
            return Check(part="token", outcome=CheckOutcome.OK, message=text)
        text = "none; only repositories that ask you to accept a licence want one (HF_TOKEN)"
        return Check(part="token", outcome=CheckOutcome.NOTE, message=text)

    def _in_a_folder(self, folder: Path, origin: Origin) -> Iterator[Check]:
        self.found.weights = Weights(
            folder=folder, origin=origin, revision="", without=self._card.unused
        )
        self.found.download_gib = 0.0
        yield from self._pipeline_at(FolderFiles(folder), self._card.unused)

    def _on_the_hub(self) -> Iterator[Check]:
        card, token = self._card, self._options.hf_token
        assert card.repository is not None, "local_folder returns a folder otherwise"
        try:
            main = HubFiles(card.repository, card.revision, model=card.name, token=token)
        except APIError as error:
            yield from self._without_the_hub(error)
            return
        # The next check requests a file, which a gated repository gives only after acceptance.
        folder = main.configuration()
        yield Check(
            part=LICENCE,
            outcome=CheckOutcome.OK,
            message=f"{card.repository} may be downloaded; its licence: {card.licence}",
        )
        parts = [
            (
                part,
                HubFiles(
                    part.repository,
                    part.revision,
                    model=card.name,
                    token=token,
                    folder=part.folder,
                ),
            )
            for part in card.parts
        ]
        self.found.weights = Weights(
            folder=folder,
            origin=Origin.HUB,
            revision=main.revision,
            repository=card.repository,
            parts=tuple(
                PartWeights(part=part, folder=there.configuration(), revision=there.revision)
                for part, there in parts
            ),
            without=card.unused,
        )
        yield from self._pipeline_at(main, [*(part.name for part in card.parts), *card.unused])
        for part, there in parts:
            yield from Looker(there, []).look("", part.library, part.kind)
        places: list[tuple[ModelFiles, Sequence[str]]] = [(main, PIPELINE_FILES)]
        places += [(there, LOADED) for _, there in parts]
        for lora, asks in self._list_loras():
            place, check = self._find_lora(lora, f" (only for {asks})" if asks else "")
            yield check
            if place is not None and not asks:
                places.append((place, (lora.weight_name or "*.safetensors",)))
        yield self._disk(places)

    def _without_the_hub(self, error: APIError) -> Iterator[Check]:
        """Check the files that were downloaded before, when the hub cannot be reached."""
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError

        card = self._card
        try:
            there = snapshot_download(
                str(card.repository), revision=card.revision, local_files_only=True
            )
        except (OSError, ValueError, HfHubHTTPError):
            yield Check(part=FILES, outcome=CheckOutcome.PROBLEM, message=error.message)
            return
        text = "the hub cannot be reached; what was downloaded before is looked at"
        yield Check(part="hub", outcome=CheckOutcome.NOTE, message=text)
        # Its parts are in other repositories, whose snapshots this does not know.
        if card.parts:
            return
        yield from self._in_a_folder(Path(there), Origin.HUB)

    def _pipeline_at(self, place: ModelFiles, without: Sequence[str]) -> Iterator[Check]:
        name = index_name(self._pipeline)
        if name not in place.sizes:
            near = closest(name, place.sizes)
            hint = f"; there is {near}" if near else ""
            text = f"{place.location} holds no pipeline: {name} is not there{hint}"
            yield Check(part=FILES, outcome=CheckOutcome.PROBLEM, message=text)
            return
        index = place.json(name)
        kind = pipeline_class(index)
        if kind != self._pipeline and set(without) <= set(self._card.unused):
            text = f"{place.location} is for {kind!r}, and this model needs {self._pipeline!r}"
            yield Check(part=FILES, outcome=CheckOutcome.PROBLEM, message=text)
            return
        self.found.networks = components(plain_form(index), without=without)
        names = [name]
        looker = Looker(place, names)
        wrong = [
            check
            for name, (library, kind) in self.found.networks.items()
            for check in looker.look(name, library, kind)
        ]
        yield from wrong
        if not wrong:
            gib = sum(place.sizes[name] for name in names) / GIB
            text = (
                f"{place.location}: {len(names)} files that the loader needs, {gib:.2f} GiB, whole"
            )
            yield Check(part=FILES, outcome=CheckOutcome.OK, message=text)

    def _list_loras(self) -> Iterator[tuple[Lora, str]]:
        """Give each LoRA of the card, and the argument that asks for it; empty for all calls."""
        card = self._card
        yield from {**card.loras_of_some_calls, **dict.fromkeys(card.loras, "")}.items()

    def _find_lora(self, lora: Lora, why: str) -> tuple[ModelFiles | None, Check]:
        """Check a LoRA, and return its repository; one that only some calls use has a reason."""
        # A LoRA that no call of the rehearsed kind needs must not make the whole rehearsal fail.
        wrong = CheckOutcome.WARNING if why else CheckOutcome.PROBLEM
        try:
            there = HubFiles(
                lora.source, lora.revision, token=self._options.hf_token, model=self._card.name
            )
        except TioMagicError as error:
            return None, Check(part=LORAS, outcome=wrong, message=f"{error.message}{why}")
        place, sizes = there.location, there.sizes
        name = str(lora.weight_name)
        if lora.weight_name is None or name in sizes:
            size = f", {describe_bytes(sizes[name])}" if name in sizes else ""
            text = f"{place}: {name if lora.weight_name else 'a file'} is there{size}{why}"
            return there, Check(part=LORAS, outcome=CheckOutcome.OK, message=text)
        near = closest(name, sizes)
        hint = f"; there is {near}" if near else ""
        text = f"{place}: {name} is not there{hint}{why}"
        return None, Check(part=LORAS, outcome=wrong, message=text)

    def _disk(self, places: Sequence[tuple[ModelFiles, Sequence[str]]]) -> Check:
        # Only what the cache lacks: files that models share are on the disk once.
        missing = 0
        without = self._card.unused_files
        for place, patterns in places:
            names = [
                name
                for name in place.sizes
                if any(fnmatch(name, pattern) for pattern in patterns)
                and not any(fnmatch(name, pattern) for pattern in without)
            ]
            missing += place.missing_bytes(names)
        self.found.download_gib = missing / GIB
        cache = hub_cache()
        free = free_gib(cache)
        text = f"{missing / GIB:.1f} GiB to download, {free:.1f} GiB free in {cache}"
        if missing / GIB > free:
            text += "; HF_HOME names another place"
            return Check(part=DISK, outcome=CheckOutcome.PROBLEM, message=text)
        return Check(part=DISK, outcome=CheckOutcome.OK, message=text)


def free_gib(folder: Path) -> float:
    """Return the free bytes on the disk of a folder, which may not exist yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free / GIB
