"""The provider ``runway`` before it is built: settings, models, checks."""

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

__all__ = ["PLUGIN", "RunwayPlugin"]


class RunwayPlugin(VendorPlugin):
    """Runs models at Runway."""

    name: ClassVar[str] = "runway"
    keys_page: ClassVar[str] = "dev.runwayml.com"
    settings: ClassVar[Section] = MappingProxyType(
        {"runway_key": Setting("RUNWAYML_API_SECRET", parse_text, secret=True)}
    )

    def build_service(self, settings: ProviderSettings) -> tuple[HostedService, Catalogue]:
        """Return Runway and its models."""
        from tiomagic_hosted.catalogue.runway import CATALOGUE
        from tiomagic_hosted.services.runway import RunwayService

        return RunwayService(self.find_key(settings)), CATALOGUE


PLUGIN = RunwayPlugin()
"""What the registry of providers names."""
