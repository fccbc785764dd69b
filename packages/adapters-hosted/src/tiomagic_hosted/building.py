"""Builds a hosted provider from a vendor's service and the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tiomagic_domain.plugins import ProviderSettings
from tiomagic_hosted.catalogue import Catalogue
from tiomagic_hosted.ledger import Ledger
from tiomagic_hosted.provider import HostedProvider, utc_now
from tiomagic_hosted.results import ResultFolder
from tiomagic_hosted.service import HostedService
from tiomagic_media.fetch.addresses import system_resolver
from tiomagic_media.fetch.download import Downloader
from tiomagic_media.limits import MediaLimits


def build_provider(
    service: HostedService,
    catalogue: Catalogue,
    settings: ProviderSettings,
    check_key: Callable[[], None],
    *,
    now: Callable[[], datetime] = utc_now,
) -> HostedProvider:
    """Return the provider over a vendor.

    Args:
        service: The vendor.
        catalogue: Its models.
        settings: For the folders, and whether videos may come from private addresses.
        check_key: Raises AuthenticationError when there is no key.
        now: The time.
    """
    downloader = Downloader(
        MediaLimits(),
        allow_private_addresses=settings["allow_private_media"],
        resolver=system_resolver,
    )
    return HostedProvider(
        service,
        catalogue=catalogue,
        ledger=Ledger(settings.state_dir / "sent" / service.name),
        results=ResultFolder(settings.spool_dir, service.name, downloader.chunks),
        check_key=check_key,
        now=now,
    )
