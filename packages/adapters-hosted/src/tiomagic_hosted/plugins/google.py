"""The provider ``google`` before it is built: settings, models, checks."""

# ruff: noqa: PLC0415 - heavy parts are imported when it is built.

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tiomagic_domain.plugins import ProviderSettings, Setting
from tiomagic_domain.plugins.checks import check_token
from tiomagic_domain.plugins.settings import Section, parse_text
from tiomagic_domain.ports.rehearsal import Check
from tiomagic_hosted.plugins.vendor import VendorPlugin

if TYPE_CHECKING:
    from tiomagic_hosted.catalogue import Catalogue
    from tiomagic_hosted.service import HostedService

__all__ = ["PLUGIN", "GooglePlugin"]


class GooglePlugin(VendorPlugin):
    """Runs models at Google."""

    name: ClassVar[str] = "google"
    keys_page: ClassVar[str] = "aistudio.google.com/api-keys"
    settings: ClassVar[Section] = MappingProxyType(
        {
            "google_key": Setting("GEMINI_API_KEY", parse_text, secret=True),
            "google_api_key": Setting("GOOGLE_API_KEY", parse_text, secret=True),
            "google_project": Setting("GOOGLE_CLOUD_PROJECT", parse_text),
            "google_location": Setting("GOOGLE_CLOUD_LOCATION", parse_text, default="us-central1"),
        }
    )

    def build_service(self, settings: ProviderSettings) -> tuple[HostedService, Catalogue]:
        """Return Google, and its models with what each of them needs."""
        from tiomagic_hosted.catalogue.google import build_catalogue
        from tiomagic_hosted.services.google import GoogleService

        key, project = self.find_key(settings), settings["google_project"]
        service = GoogleService(key, project, settings["google_location"])
        return service, build_catalogue(has_key=bool(key), has_project=bool(project))

    def check_key(self, settings: ProviderSettings) -> None:
        """Ask for nothing: what is needed depends on the model, and its catalogue knows."""

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a key, and for a project."""
        yield from super().diagnose(settings)
        is_set = bool(settings["google_project"])
        yield check_token(
            "google project", "GOOGLE_CLOUD_PROJECT", is_set=is_set, find_stored=lambda: False
        )


PLUGIN = GooglePlugin()
"""What the registry of providers names."""
