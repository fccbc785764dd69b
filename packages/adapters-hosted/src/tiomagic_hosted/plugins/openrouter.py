"""The provider ``openrouter`` before it is built: settings, models, checks."""

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

__all__ = ["PLUGIN", "OpenRouterPlugin"]

_ENGINE = "openrouter"
_VARIABLE = "OPENROUTER_API_KEY"


class OpenRouterPlugin(ProviderPlugin):
    """Runs models at OpenRouter."""

    settings: ClassVar[Section] = MappingProxyType(
        {"openrouter_key": Setting(_VARIABLE, parse_text, secret=True)}
    )
    # An address of a video is checked like one of a user.
    shared_settings: ClassVar[frozenset[str]] = frozenset({"allow_private_media"})

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_domain.files.private_folder import find_cache_folders
        from tiomagic_hosted.building import build_provider
        from tiomagic_hosted.catalogue.openrouter_live import ListingStore, build_catalogue
        from tiomagic_hosted.services.openrouter import OpenRouterService

        key = settings["openrouter_key"]
        service = OpenRouterService(key)

        def check_key() -> None:
            if not key:
                raise AuthenticationError(
                    f"the provider 'openrouter' needs a key: set {_VARIABLE} "
                    "(openrouter.ai/settings/keys)",
                    details={"variable": _VARIABLE},
                )

        listings = ListingStore(
            next(find_cache_folders(), None), service.list_models if key else None
        )
        return build_provider(service, build_catalogue(listings), settings, check_key)

    def runs(self, card: ModelCard) -> bool:
        """Say whether a model is one of OpenRouter's."""
        return card.engine == _ENGINE

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a key."""
        yield check_token(
            "OpenRouter key",
            _VARIABLE,
            is_set=bool(settings["openrouter_key"]),
            find_stored=lambda: False,
        )


PLUGIN = OpenRouterPlugin()
"""What the registry of providers names."""
