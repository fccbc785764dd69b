"""What the providers of all vendors have in common before they are built."""

# ruff: noqa: PLC0415 - heavy parts are imported when it is built.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import AuthenticationError
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings
from tiomagic_domain.plugins.checks import check_token
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check

if TYPE_CHECKING:
    from tiomagic_hosted.catalogue import Catalogue
    from tiomagic_hosted.service import HostedService


class VendorPlugin(ProviderPlugin):
    """Runs models at a vendor, with one key, which is the setting ``<name>_key``."""

    # An address of a video is checked like one of a user.
    shared_settings: ClassVar[frozenset[str]] = frozenset({"allow_private_media"})
    name: ClassVar[str]
    """The provider's name, which is the engine of its models."""
    variable: ClassVar[str]
    """The environment variable that sets the key."""
    keys_page: ClassVar[str]
    """Where the vendor gives keys."""

    @abstractmethod
    def build_service(self, key: str | None) -> tuple[HostedService, Catalogue]:
        """Return the vendor, and its models."""

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_hosted.building import build_provider

        key = settings[f"{self.name}_key"]

        def check_key() -> None:
            if not key:
                raise AuthenticationError(
                    f"the provider {self.name!r} needs a key: set {self.variable} "
                    f"({self.keys_page})",
                    details={"variable": self.variable},
                )

        service, catalogue = self.build_service(key)
        return build_provider(service, catalogue, settings, check_key)

    def runs(self, card: ModelCard) -> bool:
        """Say whether a model is one of the vendor's."""
        return card.vendor == self.name

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a key."""
        is_set = bool(settings[f"{self.name}_key"])
        yield check_token(
            f"{self.name} key", self.variable, is_set=is_set, find_stored=lambda: False
        )
