"""How a call runs, as opposed to what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiomagic.bars import ProgressChoice
    from tiomagic_domain.progress import ProgressSink


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the calls that make a video have in common; see ``TioMagic.text_to_video``."""

    wait: bool | None = None
    progress: ProgressChoice = None
    on_progress: ProgressSink | None = None
    retry: int = 0
    idempotency_key: str | None = None
