"""The provider ``ray`` before it is built: its settings, what it can run.

Loads nothing heavy: every method imports what it needs.
"""

# ruff: noqa: PLC0415 - see above.

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import ClassVar

from tiomagic_domain.catalogue import ModelCard, shipped_engines
from tiomagic_domain.plugins import ProviderPlugin, ProviderSettings, Setting
from tiomagic_domain.plugins.commands import Command
from tiomagic_domain.plugins.settings import Section, parse_path, parse_text
from tiomagic_domain.ports.provider import Provider
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_ray.constants import PROVIDER_NAME, SHARED_VARIABLE
from tiomagic_ray.options import AUTO, read_options

__all__ = ["PLUGIN", "RayPlugin"]


class RayPlugin(ProviderPlugin):
    """Runs models on the machines of a Ray cluster."""

    # The variables are Ray's own, so that what works for its tools works here.
    settings: ClassVar[Section] = MappingProxyType(
        {
            "address": Setting("RAY_ADDRESS", parse_text, default=AUTO),
            "ray_token": Setting("RAY_AUTH_TOKEN", parse_text, secret=True),
            "ray_shared_dir": Setting(SHARED_VARIABLE, parse_path),
            "ray_autoscaled_gpus": Setting("TIOMAGIC_RAY_AUTOSCALED_GPUS", parse_text),
        }
    )
    shared_settings: ClassVar[frozenset[str]] = frozenset(
        {"gpu", "device", "worker_idle_s", "provider"}
    )

    commands_help: ClassVar[str] = "Look at a Ray cluster, or start one to try it."

    def build(self, settings: ProviderSettings) -> Provider:
        """Return the provider; see the base."""
        from tiomagic_ray.provider import RayProvider

        return RayProvider(read_options(settings), settings.spool_dir)

    def runs(self, card: ModelCard) -> bool:
        """Say whether the workers, whose engines are those of tiomagic, have this one."""
        return card.engine in shipped_engines()

    def diagnose(self, settings: ProviderSettings) -> Iterator[Check]:
        """Look whether Ray is installed, and, if a cluster is configured, what it has."""
        if importlib.util.find_spec("ray") is None:
            message = "not installed; needed only for a cluster of your own"
            yield Check(part="ray", outcome=CheckOutcome.NOTE, message=message)
            return
        options = read_options(settings)
        # One that nobody asked for is not connected to: that takes seconds.
        if settings["provider"] != PROVIDER_NAME and options.address == AUTO:
            message = "installed; no cluster is configured"
            yield Check(part="ray", outcome=CheckOutcome.NOTE, message=message)
            return
        from tiomagic_ray.link.examination import examine_cluster

        yield from examine_cluster(options)

    def commands(self) -> Sequence[Command]:
        """Return the commands of ``tiomagic ray``."""
        from tiomagic_ray.commands import COMMANDS

        return COMMANDS


PLUGIN = RayPlugin()
"""What the registry of providers names."""
