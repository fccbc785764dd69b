"""The session of a :class:`~tiomagic.TioMagic`: its settings, and the parts built from them.

Settings and parts are made at first use and kept. ``configure`` makes the settings again and drops
only what depends on the ones that changed, so that a loaded model stays loaded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiomagic.wiring.provider_names import provider_names
from tiomagic.wiring.registry import find_missing_package, find_plugins
from tiomagic.wiring.settings import Settings, check_configured, read_dotenv, resolve
from tiomagic.wiring.unknown_variables import notice_unknown_variables
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    ConfigurationError,
    TioMagicError,
    UnknownProviderError,
    ValidationError,
)
from tiomagic_domain.suggestions import did_you_mean, list_names

if TYPE_CHECKING:
    from tiomagic.wiring.container import Container
    from tiomagic.wiring.redacting_provider import RedactingProvider
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.ports import Capabilities, Clock, Pictures
    from tiomagic_domain.spending.limits import CostLimits
    from tiomagic_domain.usecases.archive import Archive
    from tiomagic_domain.usecases.generation import Generation
    from tiomagic_domain.usecases.preflight import PreflightChecks

OVERRIDABLE_PARTS: Final = (
    *("clock", "repository", "outputs", "media", "pictures", "generation_log", "providers"),
)
"""What may be overridden."""


def check_parts(overrides: Mapping[str, Any]) -> None:
    """Check the names of overridden parts.

    Raises:
        ValidationError: when there is no part of that name.
    """
    for name in overrides:
        if name not in OVERRIDABLE_PARTS:
            hint = did_you_mean(name, OVERRIDABLE_PARTS)
            raise ValidationError(
                f"there is no part {name!r}.{hint} Parts: {list_names(OVERRIDABLE_PARTS)}"
            )


def _here() -> Path:
    """Return the process's working folder.

    Raises:
        ConfigurationError: when it has been removed.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationError(
            "the working folder of this process is gone: go to another one, or give working_dir",
            code=ErrorCode.NO_WORKING_DIR,
        ) from error


class Session:
    """Settings and parts. Thread-safe.

    Args:
        working_dir: Folder of the log, the videos and the state; None for the process's own now.
            It stays the same when the process goes to another folder.
        configured: Settings that come before the environment.
        overrides: Parts that replace ours.
    """

    def __init__(
        self,
        working_dir: Path | None,
        configured: Mapping[str, object],
        overrides: Mapping[str, Any],
    ) -> None:
        check_parts(overrides)
        # Once and for all: whatever folder the process goes to later, the jobs stay where they are.
        self._working_dir = (working_dir or _here()).expanduser().absolute()
        self._overrides = dict(overrides)
        self._settings: Settings | None = None
        self._container: Container | None = None
        self._preflight: PreflightChecks | None = None
        self._lock = threading.RLock()
        self._configured = check_configured(configured)
        self._check_providers(self._configured)

    @property
    def settings(self) -> Settings:
        """The settings that hold; the environment and ``.env`` are read the first time.

        Raises:
            ConfigurationError: when a variable has a value that its setting does not take.
        """
        with self._lock:
            if self._settings is None:
                self._settings = self._resolve()
            return self._settings

    def configure(self, given: Mapping[str, object]) -> None:
        """Change settings, all or none; None keeps the old value.

        Raises:
            ValidationError, UnknownProviderError: nothing has changed.
        """
        # All values are checked before any changes: all or none.
        values = check_configured(given)
        self._check_providers(values)
        with self._lock:
            before, self._configured = self._settings, {**self._configured, **values}
            self._settings = self._preflight = None
            if before is not None and self._container is not None:
                self._reset_changed_parts(before, self.settings, self._container)

    def provider_names(self) -> list[str]:
        """Return a fresh list of the providers that can be configured."""
        return provider_names(self._overrides.get("providers", {}))

    def configured_provider(self) -> str:
        """Return the default provider.

        Raises:
            ConfigurationError: when none is configured; the message lists the providers.
            UnknownProviderError: when the environment names one that does not exist.
        """
        name = self.settings.provider
        if name is None:
            names = self.provider_names()
            raise ConfigurationError(
                f"no provider is configured: call tm.configure(provider=…) with one of "
                f"{', '.join(names)}, or set TIOMAGIC_PROVIDER",
                details={"known": names},
                code=ErrorCode.NO_PROVIDER,
            )
        self.check_provider(name)
        return name

    def configured_providers(self) -> list[str]:
        """Return the providers that are tried in order, the default one first.

        Raises:
            ConfigurationError, UnknownProviderError: as ``configured_provider``.
        """
        names = [self.configured_provider(), *self.settings.other_providers]
        for name in names:
            self.check_provider(name)
        return names

    @property
    def generation(self) -> Generation:
        """The use cases."""
        with self._lock:
            generation: Generation = self.container.generation()
            return generation

    @property
    def cost_limits(self) -> CostLimits:
        """The limits of what runs may cost that are set."""
        from tiomagic.wiring.builders import read_cost_limits  # noqa: PLC0415  # Not for --help.

        return read_cost_limits(self.settings)

    @property
    def preflight(self) -> PreflightChecks:
        """What runs would take, without measured ones; without the container if it is not built.

        The container's library takes a tenth of a second to import, more than all checks together.
        """
        with self._lock:
            if self.is_built:
                return self.generation.preflight
            if self._preflight is None:
                from tiomagic.wiring.builders import build_registry  # noqa: PLC0415  # Not for --help.
                from tiomagic_domain.usecases.preflight import PreflightChecks  # noqa: PLC0415

                replaced = self._overrides.get("providers", {})
                providers = build_registry(replaced, lambda: self.settings)
                self._preflight = PreflightChecks(
                    providers, accepted=lambda: self.settings.accepted_terms
                )
            return self._preflight

    def require_consent(self, card: ModelCard) -> None:
        """Raise unless the terms of a model are accepted in the settings, or it has none.

        Raises:
            ConfigurationError: with the code ``terms_not_accepted``.
        """
        from tiomagic_domain.usecases.consent import require_consent  # noqa: PLC0415  # Not for --help.

        require_consent(card, self.settings.accepted_terms)

    @property
    def archive(self) -> Archive:
        """The use cases on stored jobs."""
        with self._lock:
            archive: Archive = self.container.archive()
            return archive

    @property
    def pictures(self) -> Pictures:
        """What makes pictures of videos.

        Raises:
            MissingDependencyError: when its packages are not installed.
        """
        with self._lock:
            pictures: Pictures = self.container.pictures()
            return pictures

    @property
    def clock(self) -> Clock:
        """The time."""
        with self._lock:
            clock: Clock = self.container.clock()
            return clock

    def runs(self, name: str) -> Callable[[ModelCard], bool]:
        """Return what says whether a provider can run a model; builds no provider.

        Raises:
            UnknownProviderError: when there is no such provider.
        """
        self.check_provider(name)
        replaced = self._overrides.get("providers", {})
        if name in replaced:
            able: Capabilities = replaced[name].capabilities()
            return able.runs
        plugin = find_plugins().get(name)
        return plugin.runs if plugin else lambda _card: False  # A broken one runs nothing.

    def missing(self, name: str) -> str | None:
        """Return how to install what a provider lacks, for people; None if it is installed."""
        replaced = name in self._overrides.get("providers", {})
        return None if replaced else find_missing_package(name)

    def provider(self, name: str) -> RedactingProvider:
        """Return a provider.

        Raises:
            UnknownProviderError: when there is no such provider.
            MissingDependencyError: when its packages are not installed.
        """
        self.check_provider(name)
        with self._lock:
            provider: RedactingProvider = self.container.backends()[name]
            return provider

    @property
    def has_database(self) -> bool:
        """True when there is a database of jobs; looking opens and makes none.

        Raises:
            ConfigurationError: when there can be none at the URL.
        """
        from tiomagic_storage.database import health  # noqa: PLC0415  # Heavy.

        return health.has_database(self.settings.database_url)

    @property
    def has_stored_jobs(self) -> bool:
        """True when stored jobs can be read without making a database for that."""
        if "repository" in self._overrides:
            return True
        try:
            return self.has_database
        except TioMagicError:
            return False  # The run itself says what is wrong with it.

    @property
    def is_built(self) -> bool:
        """True once a part has been used."""
        return self._container is not None

    @property
    def container(self) -> Container:
        """The container of the parts, built at the first use."""
        from tiomagic.wiring.container import build_container  # noqa: PLC0415  # Heavy.

        with self._lock:
            if self._container is None:
                self._container = build_container(lambda: self.settings, self._overrides)
            return self._container

    @contextmanager
    def override(self, overrides: Mapping[str, Any]) -> Iterator[None]:
        """Replace parts within the block; everything is built anew there, and put back after."""
        check_parts(overrides)
        with self._lock:
            kept, before = self._container, self._overrides
            self._container, self._overrides = None, {**before, **overrides}
            self._preflight = None
        try:
            yield
        finally:
            with self._lock:
                self.close()
                self._container, self._overrides = kept, before
                self._preflight = None

    def close(self) -> None:
        """Close all open parts. Idempotent; a later use builds them again."""
        with self._lock:
            container, self._container = self._container, None
            if container is not None:
                container.close()

    def _resolve(self) -> Settings:
        folder = self._working_dir
        dotenv = read_dotenv(folder)
        notice_unknown_variables(os.environ, dotenv)
        return resolve(self._configured, environment=os.environ, dotenv=dotenv, working_dir=folder)

    def _reset_changed_parts(self, before: Settings, after: Settings, container: Container) -> None:
        """Drop the parts whose settings changed."""
        from tiomagic.wiring.container import as_config  # noqa: PLC0415  # Loaded already.

        # Only a setting of the container itself rebuilds all parts. Else a loaded model stays
        # loaded.
        if as_config(before) != as_config(after):
            self.close()
        else:
            container.backends().discard_changed(before, after)

    def _check_providers(self, values: Mapping[str, Any]) -> None:
        for name in values.get("provider", ()):
            self.check_provider(name)

    def check_provider(self, name: str | None) -> None:
        """Look whether there is a provider of that name; None passes.

        Raises:
            UnknownProviderError: when there is none; the message lists them.
        """
        names = self.provider_names() if name is not None else []
        if name is not None and name not in names:
            raise UnknownProviderError(
                f"there is no provider {name!r}.{did_you_mean(name, names)} "
                f"Providers: {list_names(names)}",
                details={"provider": name, "known": names},
            )
