"""The run options of a call: provider, wait, progress, retry, tags, key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tiomagic.display.progress_bar import ProgressChoice
    from tiomagic_domain.progress import ProgressSink


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options that all feature calls share; see ``TioMagic.text_to_video``."""

    wait: bool | None = None
    progress: ProgressChoice = None
    on_progress: ProgressSink | None = None
    retry: int = 0
    idempotency_key: str | None = None
    force: bool = False
    preview: bool = False
    max_cost: float | str | None = None

    @classmethod
    def split(cls, arguments: Mapping[str, Any]) -> tuple[Self, dict[str, Any]]:
        """Split a call's arguments into run options and the rest."""
        names = cls.__slots__
        options = {name: value for name, value in arguments.items() if name in names}
        return cls(**options), {k: v for k, v in arguments.items() if k not in names}
