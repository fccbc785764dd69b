"""What a package says of its provider before the provider is built.

The entry point of a provider, in the group ``tiomagic.providers``, names a :class:`ProviderPlugin`.
Its module is imported whenever models or settings are listed, and must load nothing heavy: what is
heavy is imported inside the methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.plugins.commands import Command
from tiomagic_domain.plugins.settings import ProviderSettings, Section
from tiomagic_domain.ports.mask_maker import MaskMaker
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check
from tiomagic_domain.ports.weights_keeper import WeightsKeeper


class ProviderPlugin(ABC):
    """A provider as its package brings it. Only ``build`` must be written."""

    settings: ClassVar[Section] = MappingProxyType({})
    """The settings that it brings, by name. ``tm.configure``, the environment and ``.env`` take
    them; a name that exists already is refused."""
    shared_settings: ClassVar[frozenset[str]] = frozenset()
    """Settings of tiomagic, or of another provider, that it reads as well, such as ``device``. It
    is given these and its own, and is built anew when one of them changes."""
    uses_devices: ClassVar[bool] = False
    """True when its runs, in this process, take turns with others on the devices of this machine;
    ``devices`` then says which."""
    commands_help: ClassVar[str] = ""
    """One line on its group of commands."""

    @abstractmethod
    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; called when it is first used, and again when a setting changes.

        Raises:
            MissingDependencyError: when a package that it needs is not installed.
            ConfigurationError: when a setting is missing.
        """

    def runs(self, card: ModelCard) -> bool:  # noqa: ARG002 - for who overrides it
        """Say whether it can run a model, by the engine or by anything else that the card says."""
        return True

    def count_operations(self, card: ModelCard, settings: Mapping[str, Any]) -> float | None:  # noqa: ARG002
        """Return the floating point operations of a run with its engines; None if it cannot say.

        They say how long a run takes on a GPU of any provider before one was measured.

        Args:
            card: The model.
            settings: Of the run; what is left out has the model's defaults.
        """
        return None

    def devices(self, settings: ProviderSettings) -> Sequence[str]:  # noqa: ARG002 - the same
        """Return the names of the devices of this machine that a job would run on."""
        return ()

    def diagnose(self, settings: ProviderSettings) -> Iterable[Check]:  # noqa: ARG002 - the same
        """Find what keeps this machine from making a video, for ``tiomagic doctor``.

        Changes nothing and contacts no service, except machines of the user's own that are
        configured. It is asked whether the provider can be built or not.
        """
        return ()

    def weights_keeper(self, settings: ProviderSettings) -> WeightsKeeper | None:  # noqa: ARG002
        """Return who keeps the weights of its models on this machine; None for nobody.

        Raises:
            MissingDependencyError: when a package that it needs is not installed.
        """
        return None

    def mask_maker(self, settings: ProviderSettings) -> MaskMaker | None:  # noqa: ARG002
        """Return who makes masks of people in videos on this machine; None for nobody.

        Raises:
            MissingDependencyError: when a package that it needs is not installed.
        """
        return None

    def commands(self) -> Sequence[Command]:
        """Return the commands of its group; see :mod:`tiomagic_domain.plugins.commands`."""
        return ()
