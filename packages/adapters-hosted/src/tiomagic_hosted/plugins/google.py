"""The provider ``google`` before it is built: settings, models, checks."""

# ruff: noqa: PLC0415 - heavy parts are imported when it is built.

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings, Setting
from tiomagic_domain.plugins.checks import check_token
from tiomagic_domain.plugins.settings import Section, parse_text
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check

__all__ = ["PLUGIN", "GooglePlugin"]

_ENGINE = "google"


class GooglePlugin(ProviderPlugin):
    """Runs models at Google."""

    settings: ClassVar[Section] = MappingProxyType(
        {
            "google_key": Setting("GEMINI_API_KEY", parse_text, secret=True),
            "google_api_key": Setting("GOOGLE_API_KEY", parse_text, secret=True),
            "google_project": Setting("GOOGLE_CLOUD_PROJECT", parse_text),
            "google_location": Setting("GOOGLE_CLOUD_LOCATION", parse_text, default="us-central1"),
        }
    )

    # An address of a video is checked like one of a user.
    shared_settings: ClassVar[frozenset[str]] = frozenset({"allow_private_media"})

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_hosted.building import build_provider
        from tiomagic_hosted.catalogue.google import build_catalogue
        from tiomagic_hosted.services.google import GoogleService

        key = settings["google_key"] or settings["google_api_key"]
        project = settings["google_project"]
        return build_provider(
            GoogleService(key, project, settings["google_location"]),
            build_catalogue(has_key=bool(key), has_project=bool(project)),
            settings,
            check_key=_need_none,
        )

    def runs(self, card: ModelCard) -> bool:
        """Say whether a model is one of Google's."""
        return card.engine == _ENGINE

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a key, and for a project."""
        yield check_token(
            "Google key",
            "GEMINI_API_KEY or GOOGLE_API_KEY",
            is_set=bool(settings["google_key"] or settings["google_api_key"]),
            find_stored=lambda: False,
        )
        yield check_token(
            "Google Cloud project",
            "GOOGLE_CLOUD_PROJECT",
            is_set=bool(settings["google_project"]),
            find_stored=lambda: False,
        )


def _need_none() -> None:
    """Ask for nothing: what is needed depends on the model."""


PLUGIN = GooglePlugin()
"""What the registry of providers names."""
