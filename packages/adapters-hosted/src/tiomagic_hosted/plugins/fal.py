"""The provider ``fal`` before it is built: settings, models, checks."""

# ruff: noqa: PLC0415 - heavy parts are imported when it is built.

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import AuthenticationError
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings, Setting
from tiomagic_domain.plugins.checks import check_token
from tiomagic_domain.plugins.settings import Section, parse_text
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check
from tiomagic_hosted.catalogue.fal import ENGINE as FAL_ENGINE

__all__ = ["PLUGIN", "FalPlugin"]


class FalPlugin(ProviderPlugin):
    """Runs models at fal."""

    settings: ClassVar[Section] = MappingProxyType(
        {"fal_key": Setting("FAL_KEY", parse_text, secret=True)}
    )
    # An address of a video is checked like one of a user.
    shared_settings: ClassVar[frozenset[str]] = frozenset({"allow_private_media"})

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_hosted.building import build_provider
        from tiomagic_hosted.catalogue.fal import CATALOGUE
        from tiomagic_hosted.services.fal import FalService

        key = settings["fal_key"]

        def check_key() -> None:
            if not key:
                raise AuthenticationError(
                    "the provider 'fal' needs a key: set FAL_KEY (fal.ai/dashboard/keys)",
                    details={"variable": "FAL_KEY"},
                )

        return build_provider(FalService(key), CATALOGUE, settings, check_key)

    def runs(self, card: ModelCard) -> bool:
        """Say whether a model is one of fal's."""
        return card.engine == FAL_ENGINE

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a key."""
        yield check_token(
            "fal key", "FAL_KEY", is_set=bool(settings["fal_key"]), find_stored=lambda: False
        )


PLUGIN = FalPlugin()
"""What the registry of providers names."""
