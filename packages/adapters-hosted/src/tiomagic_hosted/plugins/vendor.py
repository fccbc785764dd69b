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
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome

if TYPE_CHECKING:
    from tiomagic_hosted.catalogue import Catalogue
    from tiomagic_hosted.service import HostedService


class VendorPlugin(ProviderPlugin):
    """Runs models at a vendor. Its key is the first of its secret settings that is set."""

    # An address of a video is checked like one of a user.
    shared_settings: ClassVar[frozenset[str]] = frozenset({"allow_private_media"})
    name: ClassVar[str]
    """The provider's name, which is the engine of its models."""
    keys_page: ClassVar[str]
    """Where the vendor gives keys."""

    @abstractmethod
    def build_service(self, settings: ProviderSettings) -> tuple[HostedService, Catalogue]:
        """Return the vendor, and its models."""

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_hosted.building import build_provider

        service, catalogue = self.build_service(settings)

        def check_key() -> None:
            self.check_key(settings)
            self._check_letters(settings)

        return build_provider(service, catalogue, settings, check_key)

    def find_key(self, settings: ProviderSettings) -> str | None:
        """Return the key; None when none is set."""
        keys = (settings[name] for name, setting in self.settings.items() if setting.secret)
        return next((key for key in keys if key), None)

    def check_key(self, settings: ProviderSettings) -> None:
        """Check what every model of the vendor needs.

        Raises:
            AuthenticationError: when there is no key.
        """
        if self.find_key(settings) is None:
            raise AuthenticationError(
                f"the provider {self.name!r} needs a key: set {self._variables} ({self.keys_page})",
                details={"variable": self._variables},
            )

    def _check_letters(self, settings: ProviderSettings) -> None:
        """Refuse a key that cannot be sent.

        Some clients only meet it after the job is stored, where it looks like a lost answer.
        """
        if not _is_sendable(self.find_key(settings)):
            raise AuthenticationError(
                f"the key in {self._variables} is not as {self.name!r} gives it: a key has only "
                "plain letters, digits and signs, and no blanks. Copy it again, without quotes "
                f"({self.keys_page})",
                details={"variable": self._variables},
            )

    def runs(self, card: ModelCard) -> bool:
        """Say whether a model is one of the vendor's."""
        return card.vendor == self.name

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look for a key."""
        is_set, part = self.find_key(settings) is not None, f"{self.name} key"
        try:
            self._check_letters(settings)
        except AuthenticationError as error:
            yield Check(part=part, outcome=CheckOutcome.PROBLEM, message=error.message)
            return
        yield check_token(part, self._variables, is_set=is_set, find_stored=lambda: False)

    @property
    def _variables(self) -> str:
        """The environment variables that set the key, for a person."""
        return " or ".join(one.variable for one in self.settings.values() if one.secret)


def _is_sendable(key: str | None) -> bool:
    """Say whether a key can be in a header of HTTP: visible letters of ASCII, without blanks."""
    return key is None or all("!" <= letter <= "~" for letter in key)
