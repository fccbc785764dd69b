"""The provider ``openrouter`` before it is built: settings, models, checks."""

# ruff: noqa: PLC0415 - heavy parts are imported when it is built.

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tiomagic_domain.plugins import ProviderSettings, Setting
from tiomagic_domain.plugins.settings import Section, parse_text
from tiomagic_hosted.plugins.vendor import VendorPlugin

if TYPE_CHECKING:
    from tiomagic_hosted.catalogue import Catalogue
    from tiomagic_hosted.service import HostedService

__all__ = ["PLUGIN", "OpenRouterPlugin"]


class OpenRouterPlugin(VendorPlugin):
    """Runs models at OpenRouter."""

    name: ClassVar[str] = "openrouter"
    keys_page: ClassVar[str] = "openrouter.ai/settings/keys"
    settings: ClassVar[Section] = MappingProxyType(
        {"openrouter_key": Setting("OPENROUTER_API_KEY", parse_text, secret=True)}
    )

    def build_service(self, settings: ProviderSettings) -> tuple[HostedService, Catalogue]:
        """Return OpenRouter, and its models with the newest list of them."""
        from tiomagic_domain.files.private_folder import find_cache_folders
        from tiomagic_hosted.catalogue.openrouter_live import ListingStore, build_catalogue
        from tiomagic_hosted.services.openrouter import OpenRouterService

        key = self.find_key(settings)
        service = OpenRouterService(key)
        folder = next(find_cache_folders(), None)
        listings = ListingStore(folder, service.list_models if key else None)
        return service, build_catalogue(listings)


PLUGIN = OpenRouterPlugin()
"""What the registry of providers names."""
