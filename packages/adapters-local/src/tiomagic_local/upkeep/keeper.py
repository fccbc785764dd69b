"""The keeper of weights on this machine: the hub's cache, and folders of one's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.ports.weights_keeper import (
    DownloadableFile,
    KeptSmallWeights,
    KeptWeights,
    KeptWeightsList,
    RemovedWeights,
    VerifiedFile,
)
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines import can_run
from tiomagic_local.options import LocalOptions
from tiomagic_local.quantized.made_cache import (
    count_abandoned_bytes,
    count_made_bytes,
    list_made,
    made_weights_folder,
    remove_made,
)
from tiomagic_local.upkeep.contents import ModelContents, StoredFile, find_contents
from tiomagic_local.upkeep.removal import remove_files
from tiomagic_local.weights.hub import download_all, plan_download
from tiomagic_local.weights.hub_cache import HubCache
from tiomagic_local.weights.hub_files import WantedFiles, list_lora_files, list_wanted
from tiomagic_local.weights.inventory import list_run_files, take_inventory
from tiomagic_local.weights.locate import Origin, local_folder

READ_BYTES = 4 * 2**20
"""Bytes that are read at once."""


class LocalWeightsKeeper:
    """Keeps weights in the cache of the hub's client, and knows those of ``weights_dir``.

    Args:
        options: With the folder of weights, and the hub's token.
    """

    def __init__(self, options: LocalOptions) -> None:
        self._options = options

    def list_files(
        self, card: ModelCard, settings: Mapping[str, Any] | None = None
    ) -> Sequence[DownloadableFile]:
        """Return the files that a model needs; see the port."""
        if settings is None and local_folder(card, self._options) is not None:
            return []
        some = {(lora.source, lora.weight_name): a for lora, a in card.loras_of_some_calls.items()}
        wanted = self._list_wanted(card, settings)
        planned = plan_download(wanted, model=card.name, token=self._options.hf_token)
        return [
            DownloadableFile(
                source=source,
                name=name,
                bytes_total=total,
                bytes_missing=missing,
                used_for=some.get((source, name), ""),
            )
            for source, name, total, missing in planned
        ]

    def download(
        self,
        card: ModelCard,
        progress: ProgressSink,
        cancel: CancelToken,
        settings: Mapping[str, Any] | None = None,
    ) -> Path:
        """Download what is missing of a model; see the port."""
        given = local_folder(card, self._options)
        wanted = self._list_wanted(card, settings)
        if given is not None and (settings is None or not wanted):
            return given[0]
        folders = download_all(
            wanted,
            model=card.name,
            token=self._options.hf_token,
            progress=progress,
            cancel=cancel,
        )
        return folders[0] if given is None else given[0]

    def _list_wanted(
        self, card: ModelCard, settings: Mapping[str, Any] | None
    ) -> tuple[WantedFiles, ...]:
        if settings is None:
            return _list_all(card)
        return list_run_files(card, self._options, settings)

    def list_stored(self) -> KeptWeightsList:
        """Return what is here; see the port."""
        cache = self._cache()
        found = self._contents(cache)
        total: dict[tuple[int, int], int] = {}
        for each in found:
            total |= each.disk_files
        return KeptWeightsList(
            models=tuple(self._describe(each, found, cache) for each in found),
            bytes_total=sum(total.values()),
            made=tuple(
                KeptSmallWeights(
                    source=one.source,
                    format=one.format,
                    bytes_here=count_made_bytes(one),
                    place=one.folder,
                )
                for one in list_made(made_weights_folder())
            ),
            bytes_abandoned=count_abandoned_bytes(made_weights_folder()),
        )

    def remove_made(self, cards: Sequence[ModelCard]) -> int:
        """Remove weights that were made from full ones; see the port."""
        cache = made_weights_folder()
        sources = {name for card in cards for name in (*card.repositories, card.name)}
        made = [
            one
            for one in list_made(cache)
            # A repository's name has one slash, and the component follows.
            if not cards or one.source.rpartition("/")[0] in sources
        ]
        try:
            return remove_made(cache, made)
        except OSError as error:
            raise ProcessingError(
                f"{error.filename or 'a file'} cannot be removed: {error.strerror or error}"
            ) from error

    def remove(self, cards: Sequence[ModelCard]) -> RemovedWeights:
        """Remove the weights of models, but for what others need; see the port."""
        cache = self._cache()
        names = {card.name for card in cards}
        found = self._contents(cache)
        others = [each for each in found if each.card.name not in names and self._is_whole(each)]
        kept = {file.path: each.card.name for each in others for file in each.files}
        freed = bytes_kept = 0
        kept_for: set[str] = set()
        for each in found:
            if each.card.name not in names:
                continue
            if each.origin is not Origin.HUB:
                raise ConfigurationError(
                    f"the weights of {each.card.name!r} are in a folder of yours, {each.place}: "
                    "remove it yourself",
                    details={"model": each.card.name, "folder": str(each.place)},
                )
            staying = [file for file in each.files if file.path in kept]
            bytes_kept += sum({file.disk_file: file.size for file in staying}.values())
            kept_for |= {
                other.card.name
                for other in others
                if {file.path for file in other.files} & {file.path for file in staying}
            }
            freed += remove_files(cache, each.files, kept)
        return RemovedWeights(
            bytes_freed=freed, bytes_kept=bytes_kept, kept_for=tuple(sorted(kept_for))
        )

    def verify(self, cards: Sequence[ModelCard]) -> Iterator[VerifiedFile]:
        """Compare every file to the digest that the hub lists; see the port."""
        cache = self._cache()
        seen: dict[tuple[int, int], bool] = {}
        for card in cards:
            found = find_contents(card, self._options, cache)
            for file in found.files if found is not None else ():
                if file.listed is None or file.is_part:
                    continue  # Nothing is known of it.
                # A content of several models is read once.
                if file.disk_file not in seen:
                    seen[file.disk_file] = _is_intact(file)
                intact = seen[file.disk_file]
                if not intact:
                    remove_files(cache, [file], ())
                yield VerifiedFile(model=card.name, name=file.name, is_intact=intact)

    def _cache(self) -> HubCache:
        cache = HubCache.of_client()
        assert cache is not None, "the client comes with the engines"
        return cache

    def _contents(self, cache: HubCache) -> list[ModelContents]:
        found = (
            find_contents(card, self._options, cache) for card in models().values() if can_run(card)
        )
        return [each for each in found if each is not None]

    def _is_whole(self, contents: ModelContents) -> bool:
        return take_inventory(contents.card, self._options).is_complete

    def _describe(
        self, contents: ModelContents, others: Sequence[ModelContents], cache: HubCache
    ) -> KeptWeights:
        own = contents.disk_files
        shared_with = []
        parts: set[str] = set()
        alone = dict(own)
        for other in others:
            if other is contents:
                continue
            common = own.keys() & other.disk_files.keys()
            if common:
                shared_with.append(other.card.name)
                shared = [file.name for file in contents.files if file.disk_file in common]
                parts |= {name.partition("/")[0] for name in shared if "/" in name}
            alone = {key: size for key, size in alone.items() if key not in common}
        inventory = take_inventory(contents.card, self._options, cache)
        return KeptWeights(
            model=contents.card.name,
            place=contents.place,
            sources=contents.sources,
            bytes_here=sum(own.values()),
            own_bytes=sum(alone.values()),
            bytes_missing=inventory.bytes_to_fetch,
            shared_with=tuple(shared_with),
            shared_parts=tuple(sorted(parts)),
        )


def _list_all(card: ModelCard) -> tuple[WantedFiles, ...]:
    """Return the files of a model for every call that it can take."""
    return (*list_wanted(card), *list_lora_files(card.loras_of_some_calls))


def _is_intact(file: StoredFile) -> bool:
    assert file.listed is not None, "asked before"
    digest = (
        hashlib.sha256()
        if file.listed.sha256
        else hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    )
    with file.path.open("rb") as content:
        while piece := content.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest() == file.listed.blob_name
