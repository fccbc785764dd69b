"""The port ``Provider`` for Ray."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tiomagic_domain.catalogue import shipped_engines
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.provider import Capabilities, Observer, ProviderBase, Report, Request
from tiomagic_ray.constants import PROVIDER_NAME
from tiomagic_ray.options import RayOptions

DEFAULT_MODEL = "wan2.1-vace-14b"


class RayProvider(ProviderBase):
    """Runs jobs on the machines of a Ray cluster.

    Args:
        options: The settings.
        spool: Folder for finished videos until the output store has taken them.
    """

    def __init__(self, options: RayOptions, spool: Path) -> None:
        self._options = options
        self._spool = spool

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        return PROVIDER_NAME

    def capabilities(self) -> Capabilities:
        """Return the provider's properties."""
        return Capabilities(default_model=DEFAULT_MODEL, blocking=False, runs=_has_engine)

    def check(self, request: Request) -> None:  # noqa: ARG002 - the port's argument
        """Check the settings, without a cluster.

        Raises:
            MissingDependencyError: with the command that installs Ray.
            ConfigurationError: with advice.
        """
        if importlib.util.find_spec("ray") is None:
            raise missing_extra_error("ray", "running models on a Ray cluster", module="ray")
        self._options.check()

    def submit(self, request: Request, observer: Observer) -> Report:  # noqa: ARG002 - the port's
        """Refuse the job; see `check`."""
        raise self._refusal()

    def poll(self, job: Job) -> Report:  # noqa: ARG002 - the same
        """Refuse the job; see `check`."""
        raise self._refusal()

    def cancel(self, job: Job) -> Report:  # noqa: ARG002 - the same
        """Refuse the job; see `check`."""
        raise self._refusal()

    def _refusal(self) -> ConfigurationError:
        return ConfigurationError("this version finds clusters, and cannot send them jobs yet")


def _has_engine(card: ModelCard) -> bool:
    return card.engine in shipped_engines()
