"""The port ``MediaReader`` on this machine: fetch an input, check it, store it by its hash."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.media import Media, MediaKind
from tiomagic_media.fetch.addresses import Resolver, system_resolver
from tiomagic_media.fetch.sources import open_source
from tiomagic_media.limits import MediaLimits
from tiomagic_media.store import InputStore

if TYPE_CHECKING:
    from tiomagic_media.decode.inspection import Facts

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_LIMITS_GIVEN = MediaLimits()


class LocalMediaReader:
    """Reads pictures and videos and keeps them as ``<folder>/<sha256>.<extension>``.

    Sources are a path (str or Path), an http(s), file or data URL, bytes, a binary file object, or
    a PIL image; of a video also its frames (a folder, ``frame_%04d.png``, a list, an array). A PIL
    image is kept as PNG, frames as FFV1 in Matroska, everything else byte for byte. A picture of an
    animation is its first frame; an animated GIF, WebP, AVIF or PNG is a video when one is asked
    for.

    Args:
        folder: Where inputs are kept; made when the first arrives.
        allow_private_addresses: True to fetch URLs of loopback and private addresses.
        limits: Bounds on what is read.
        resolver: Gives the addresses of a host name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        allow_private_addresses: bool = False,
        limits: MediaLimits = _NO_LIMITS_GIVEN,
        resolver: Resolver = system_resolver,
    ) -> None:
        self._store = InputStore(folder)
        self._allow_private_addresses = allow_private_addresses
        self._limits = limits
        self._resolver = resolver

    def read(self, source: object, kind: MediaKind) -> Media:
        """Fetch a picture or a video, check it, and store it; see the port.

        Raises:
            ValidationError: when it is not there, cannot be fetched, is something else, or is
                beyond the limits.
            ProcessingError: when it cannot be kept.
        """
        found = open_source(source, kind, limits=self._limits, download=self._download)
        with self._store.receive(found.chunks) as arrived:
            if not arrived.size:
                raise ValidationError("there are no bytes in it", code=ErrorCode.EMPTY)
            facts = _inspect(arrived.path, kind, self._limits)
            path = self._store.keep(arrived, facts.extension)
        return _media(kind, arrived.sha256, path, facts, found.name)

    def find(self, reference: Mapping[str, Any]) -> Media:
        """Return an input that was read before; see the port.

        Only the hash, the kind and the name are taken from the reference, because it may come from
        an untrusted file's metadata. The rest is read from the bytes.

        Raises:
            ResourceNotFoundError: when its bytes are not here, or damaged.
        """
        sha256 = str(reference.get("sha256"))
        name = reference.get("name")
        shown = repr(name) if isinstance(name, str) else f"{sha256[:12]}…"
        if not _SHA256.fullmatch(sha256) or reference.get("kind") not in list(MediaKind):
            raise ResourceNotFoundError(
                "this is not the record of an input", code=ErrorCode.NOT_AN_INPUT
            )
        kind = MediaKind(reference["kind"])
        path = self._store.find(sha256)
        if path is None:
            raise ResourceNotFoundError(
                f"the input {shown} is not kept on this machine any more; give it anew",
                details={"sha256": sha256},
            )
        try:
            facts = _inspect(path, kind, self._limits)
        except ValidationError as error:
            raise ResourceNotFoundError(
                f"the input {shown} is kept, but cannot be used: {error.message}",
                details={"sha256": sha256},
            ) from error
        return _media(kind, sha256, path, facts, name if isinstance(name, str) else None)

    def _download(self, address: str) -> Iterator[bytes]:
        from tiomagic_media.fetch.download import Downloader  # Heavy.

        downloader = Downloader(
            self._limits,
            allow_private_addresses=self._allow_private_addresses,
            resolver=self._resolver,
        )
        return downloader.chunks(address)


def _inspect(path: Path, kind: MediaKind, limits: MediaLimits) -> Facts:
    from tiomagic_media.decode.inspection import inspect_media  # Heavy.

    return inspect_media(path, kind, limits)


def _media(kind: MediaKind, sha256: str, path: Path, facts: Facts, name: str | None) -> Media:
    return Media(
        kind=kind,
        sha256=sha256,
        path=path.absolute(),
        media_type=facts.media_type,
        width=facts.width,
        height=facts.height,
        frames=facts.frames,
        fps=facts.fps,
        name=name,
        notes=facts.notes,
    )
