"""Weights on this machine: which provider keeps them, and ``tm.download``.

Loads nothing heavy; each function imports what it needs.
"""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tiomagic.display.progress_bar import ProgressChoice
    from tiomagic.types import ModelName
    from tiomagic.wiring.session import Session
    from tiomagic_domain.ports.weights_keeper import WeightsKeeper
    from tiomagic_domain.progress import ProgressSink


class WeightsMethods(ABC):
    """The methods for weights."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def download(
        self,
        model: ModelName,
        settings: Mapping[str, Any] | None = None,
        *,
        progress: ProgressChoice = None,
        on_progress: ProgressSink | None = None,
    ) -> Path:
        """Download the weights of a model to this machine, so that a run has them.

        Ctrl-C ends it at once. What has come stays, and the next download goes on from there.

        Args:
            model: Its name.
            settings: Of the run that is meant, such as ``{"quantization": "Q4_K_M"}``: only what
                that run reads is downloaded. None for every run.
            progress: None for a bar on a terminal or in a notebook, True for a bar or plain lines,
                False for nothing.
            on_progress: Called with each event, whose ``download`` has files, bytes and speed.

        Returns:
            The folder of its weights. If they are here, nothing is downloaded.

        Raises:
            UnknownModelError: when there is no such model.
            ValidationError: when it has no such setting.
            MissingDependencyError: when the packages for models on this machine are missing.
            AuthenticationError, APIError, ConfigurationError: when it cannot be downloaded, or its
                terms are not accepted.
        """
        from tiomagic.api.models import check_settings
        from tiomagic.display.next_steps import advise_in_python
        from tiomagic.display.progress_bar import show_progress
        from tiomagic_domain.catalogue import find_model
        from tiomagic_domain.progress import NeverCanceled

        card = find_model(model)
        with advise_in_python():
            self.session.require_consent(card)
            meant = None if settings is None else check_settings(card, settings)
        with advise_in_python(), show_progress(progress, card.name, on_progress) as shown:
            return find_weights_keeper(self.session).download(card, shown, NeverCanceled(), meant)


def find_weights_keeper(session: Session) -> WeightsKeeper:
    """Return who keeps weights on this machine: the configured provider, or the first that does.

    Raises:
        MissingDependencyError: when the packages for that are not installed.
        ConfigurationError: when no provider keeps any.
    """
    from tiomagic.wiring.registry import find_offer

    return find_offer(
        session.settings,
        lambda plugin, settings: plugin.weights_keeper(settings),
        missing="no provider here keeps weights on this machine",
    )
