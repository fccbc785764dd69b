"""The provider ``luma`` before it is built: settings, models, checks."""

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

__all__ = ["PLUGIN", "LumaPlugin"]


class LumaPlugin(VendorPlugin):
    """Runs models at Luma."""

    name: ClassVar[str] = "luma"
    keys_page: ClassVar[str] = "lumalabs.ai/dream-machine/api/keys"
    settings: ClassVar[Section] = MappingProxyType(
        {"luma_key": Setting("LUMAAI_API_KEY", parse_text, secret=True)}
    )

    def build_service(self, settings: ProviderSettings) -> tuple[HostedService, Catalogue]:
        """Return Luma and its models."""
        from tiomagic_hosted.catalogue.luma import CATALOGUE
        from tiomagic_hosted.services.luma import LumaService

        return LumaService(self.find_key(settings)), CATALOGUE


PLUGIN = LumaPlugin()
"""What the registry of providers names."""
