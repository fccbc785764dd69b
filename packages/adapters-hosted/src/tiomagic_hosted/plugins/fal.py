"""The provider ``fal`` before it is built: settings, models, checks."""

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

__all__ = ["PLUGIN", "FalPlugin"]


class FalPlugin(VendorPlugin):
    """Runs models at fal."""

    name: ClassVar[str] = "fal"
    keys_page: ClassVar[str] = "fal.ai/dashboard/keys"
    settings: ClassVar[Section] = MappingProxyType(
        {"fal_key": Setting("FAL_KEY", parse_text, secret=True)}
    )

    def build_service(self, settings: ProviderSettings) -> tuple[HostedService, Catalogue]:
        """Return fal, and its models with its newest prices and arguments."""
        from tiomagic_domain.files.private_folder import find_cache_folders
        from tiomagic_hosted.catalogue.fal_live import ENDPOINTS, build_catalogue
        from tiomagic_hosted.services.fal import FalService

        key = self.find_key(settings)
        service = FalService(key)
        catalogue = build_catalogue(
            next(find_cache_folders(), None),
            (lambda: service.list_prices(ENDPOINTS)) if key else None,
            (lambda: service.list_schemas(ENDPOINTS)) if key else None,
        )
        return service, catalogue


PLUGIN = FalPlugin()
"""What the registry of providers names."""
