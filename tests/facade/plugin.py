"""What another distribution may bring: a provider and a model. Also copied as ``tiomagic_fake``.

The variable ``FAKE`` says how it behaves: ``fails``, ``leaks``,
``unauthorized``, ``stopped``, ``slow``, ``remote``, ``endless``.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tiomagic_domain.catalogue.wan import MODELS as WAN
from tiomagic_domain.errors import AuthenticationError, GenerationCanceledError, GenerationError
from tiomagic_domain.jobs import JobStatus
from tiomagic_domain.testing import FakeProvider

if TYPE_CHECKING:
    from tiomagic import Settings

MODELS = tuple(
    replace(card, name=f"fake-{card.name}", providers=frozenset({"fake"}))
    for card in WAN
    if card.name in {"wan2.1-t2v-1.3b", "wan2.1-vace-14b"}
)


def build(settings: Settings) -> FakeProvider:
    """Return the provider, as the entry point asks for it."""
    manner = os.environ.get("FAKE", "")
    provider = FakeProvider(
        settings.state_dir / "spool",
        name="fake",
        blocking=manner not in {"remote", "endless"},
        default_model="fake-wan2.1-t2v-1.3b",
    )
    if manner == "fails":
        provider.failure = GenerationError("the fake broke", code="broke")
    if manner == "leaks":
        provider.failure = GenerationError(f"refused: token {settings.hf_token}")
    if manner == "unauthorized":
        provider.rejection = AuthenticationError("the token was refused")
    if manner == "stopped":
        provider.failure = GenerationCanceledError("stopped")
    if manner == "slow":
        provider.during = lambda step: time.sleep(0 if step == 0 else 60)
    if manner == "endless":
        provider._script = (JobStatus.RUNNING,)
    return provider
