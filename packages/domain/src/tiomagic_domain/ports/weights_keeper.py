"""Port: the keeper of weights on this machine: downloads, lists, removes and verifies them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.progress import CancelToken, ProgressSink


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadableFile:
    """A file that a model needs."""

    source: str
    """Its repository."""
    name: str
    """Its path there."""
    bytes_total: int
    bytes_missing: int
    """Bytes that a download would fetch; 0 for a file that is here."""
    used_for: str = ""
    """The argument without which no run reads it, such as ``control='pose'``; empty for a file that
    every run reads."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWeights:
    """The weights of a model on this machine."""

    model: str
    place: Path
    """The folder that has them."""
    sources: tuple[str, ...]
    """Repositories with their commits, as ``owner/name@commit``; none for a folder of one's own."""
    bytes_here: int
    """All that is here of it, also what other models use."""
    own_bytes: int
    """What no other model here uses."""
    bytes_missing: int
    """Bytes that a run would fetch first."""
    shared_with: tuple[str, ...]
    """Models here that use some of its files."""
    shared_parts: tuple[str, ...] = ()
    """Components that those files belong to, such as ``text_encoder``."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain = asdict(self) | {"place": str(self.place)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSmallWeights:
    """Weights in fewer bits that were made from full ones (``quantization``)."""

    source: str
    """What they were made of, as repository and component; empty if that is not known."""
    format: str
    bytes_here: int
    place: Path
    """Their folder."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"place": str(self.place)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWeightsList:
    """All weights on this machine that models of the catalogue use."""

    models: tuple[KeptWeights, ...]
    bytes_total: int
    """Bytes on the disk; what several models share counts once."""
    made: tuple[KeptSmallWeights, ...] = ()
    """Made from full ones; not among the bytes of the models."""
    bytes_abandoned: int = 0
    """On the disk, of runs that ended while they made such weights."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "models": [each.to_dict() for each in self.models],
            "bytes_total": self.bytes_total,
            "made": [each.to_dict() for each in self.made],
            "bytes_abandoned": self.bytes_abandoned,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedWeights:
    """What was removed."""

    bytes_freed: int
    bytes_kept: int
    """Bytes that stay, because other models here need them."""
    kept_for: tuple[str, ...]
    """Those models."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"kept_for": list(self.kept_for)}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFile:
    """A file whose content was read."""

    model: str
    name: str
    is_intact: bool
    """False for a damaged one: it is removed, and fetched again next time."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


class WeightsKeeper(Protocol):
    """Keeps the weights of models on this machine."""

    def list_files(
        self, card: ModelCard, settings: Mapping[str, Any] | None = None
    ) -> Sequence[DownloadableFile]:
        """Return the files that a model needs; may ask the hub, and downloads nothing.

        Empty for a model whose weights come with a package, or lie in a folder of one's own.

        Args:
            card: The model.
            settings: Of the run that is meant, such as ``quantization``; None for every run.

        Raises:
            AuthenticationError, APIError, ConfigurationError: when the hub does not tell.
        """
        ...

    def download(
        self,
        card: ModelCard,
        progress: ProgressSink,
        cancel: CancelToken,
        settings: Mapping[str, Any] | None = None,
    ) -> Path:
        """Download what is missing of a model, and return the folder of its weights.

        Ends at once when it is interrupted; what has come stays, and the next download continues.

        Args:
            card: The model.
            progress: Gets the state of the download.
            cancel: Ends it.
            settings: Of the run that is meant, such as ``quantization``; None for every run.

        Raises:
            AuthenticationError, APIError, ConfigurationError: when it cannot be downloaded.
            GenerationCanceledError: when ``cancel`` was set.
        """
        ...

    def list_stored(self) -> KeptWeightsList:
        """Return what is here. Asks no network."""
        ...

    def remove(self, cards: Sequence[ModelCard]) -> RemovedWeights:
        """Remove the weights of models, but for files that other models here need.

        Follows no link out of the folders that it keeps.

        Raises:
            ConfigurationError: when they are not its own to remove.
            ProcessingError: when a file cannot be removed.
        """
        ...

    def remove_made(self, cards: Sequence[ModelCard]) -> int:
        """Remove weights that were made from full ones; the next run makes them again.

        Args:
            cards: The models whose weights they were made of; none for all of them.

        Returns:
            The bytes that are free now.

        Raises:
            ProcessingError: when they cannot be removed.
        """
        ...

    def verify(self, cards: Sequence[ModelCard]) -> Iterator[VerifiedFile]:
        """Read every file of models and compare it to the digest that the hub lists.

        A damaged file is removed, so that the next download fetches it again.
        """
        ...
