"""The settings of the local provider: weights, token, device."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tiomagic_domain.catalogue.hub_repositories import HubRepository, parse_repository
from tiomagic_local.checkpoint.weight_files import SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """The source of weights, and the device."""

    model_path: Path | None = None
    """A folder with the weights of whatever model is asked for, or a repository of the hub with
    them, ``owner/name`` or ``owner/name@revision``; or one file (``.safetensors``, ``.gguf``)
    with its transformer, while the rest comes from the usual places; None for nothing but those."""
    weights_dir: Path | None = None
    """A folder with one folder a model, named as the model; None without one."""
    hf_token: str | None = field(default=None, repr=False)
    """Token for the Hugging Face hub; None for what the hub's own tools have stored."""
    device: str | None = None
    """Such as ``cuda``, ``cuda:1``, ``mps``, ``cpu``; several, as in ``cuda:0,cuda:1``, make each
    video together; None for the best that is there."""

    @property
    def repository(self) -> HubRepository | None:
        """The repository that ``model_path`` names; None where it is a path that exists."""
        path = self.model_path
        return None if path is None or path.exists() else parse_repository(path)

    @property
    def single_file(self) -> Path | None:
        """``model_path`` if it is one file with a transformer, else None."""
        path = self.model_path
        is_one = path is not None and path.suffix.lower() in SUFFIXES and path.is_file()
        return path if is_one else None
