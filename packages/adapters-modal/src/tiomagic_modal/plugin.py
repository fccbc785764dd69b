"""The provider ``modal`` before it is built: its settings, what it can run, its commands.

Loads nothing heavy: every method imports what it needs.
"""

# ruff: noqa: PLC0415 - see above.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings, Setting
from tiomagic_domain.plugins.checks import check_token
from tiomagic_domain.plugins.commands import Command
from tiomagic_domain.plugins.settings import Section, parse_seconds, parse_text
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check
from tiomagic_domain.requests.travelling import has_shipped_engine
from tiomagic_modal.options import ModalOptions, read_options

__all__ = ["PLUGIN", "ModalPlugin"]


class ModalPlugin(ProviderPlugin):
    """Runs models on GPUs rented from Modal."""

    settings: ClassVar[Section] = MappingProxyType(
        {
            "gpu": Setting("TIOMAGIC_GPU", parse_text),
            # Both defaults are those of tiomagic 1.0.0.
            "timeout": Setting("TIOMAGIC_TIMEOUT", parse_seconds, default=1800),
            "scaledown_window": Setting("TIOMAGIC_SCALEDOWN_WINDOW", parse_seconds, default=900),
            "modal_token_id": Setting("MODAL_TOKEN_ID", parse_text, secret=True),
            "modal_token_secret": Setting("MODAL_TOKEN_SECRET", parse_text, secret=True),
            "modal_environment": Setting("MODAL_ENVIRONMENT", parse_text),
        }
    )
    commands_help: ClassVar[str] = "Set up the Modal side, look at it, stop paying for it."

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_modal.provider import ModalProvider

        return ModalProvider(read_options(settings), settings.spool_dir)

    def runs(self, card: ModelCard) -> bool:
        """Say whether the engines of the container, which are those of tiomagic, have this one."""
        return has_shipped_engine(card)

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a token."""
        yield check_token(
            "modal token",
            "MODAL_TOKEN_ID and _SECRET",
            is_set=bool(settings["modal_token_id"] and settings["modal_token_secret"]),
            find_stored=_has_stored_token,
        )

    def commands(self) -> Sequence[Command]:
        """Return the commands of ``tiomagic modal``."""
        from tiomagic_modal.commands import COMMANDS

        return COMMANDS


def _has_stored_token() -> bool | None:
    from tiomagic_domain.errors import AuthenticationError, MissingDependencyError
    from tiomagic_modal.client.connection import Connection

    try:
        Connection(ModalOptions()).check_token()
    except MissingDependencyError:
        return None
    except AuthenticationError:
        return False
    return True


PLUGIN = ModalPlugin()
"""What the registry of providers names."""
