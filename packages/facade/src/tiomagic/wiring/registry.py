"""Who can run jobs: the built-in providers, and those that other distributions bring.

A distribution adds a provider with an entry point in the group ``tiomagic.providers``. The entry's
name is the provider's name; it points to a callable that takes the :class:`tiomagic.Settings` and
returns a :class:`tiomagic_domain.ports.Provider`. The models that it can run are cards of its own,
in the group ``tiomagic.models``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from tiomagic.wiring.redaction import RedactingProvider
from tiomagic_domain.catalogue.plugins import (
    PluginProblem,
    describe_plugin_error,
    load_plugin,
    plugin_label,
)
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, TioMagicError

if TYPE_CHECKING:
    from tiomagic.wiring.settings import Settings
    from tiomagic_domain.ports import Provider

BUILT_IN_PROVIDERS: Final = ("local", "modal")
PROVIDER_ENTRY_POINT_GROUP: Final = "tiomagic.providers"


def provider_names(added: Iterable[str] = ()) -> list[str]:
    """Return the names of the providers that can be configured: ours, then the others sorted.

    Args:
        added: Names that an override brings.
    """
    others = {entry.name for entry in entry_points(group=PROVIDER_ENTRY_POINT_GROUP)} | set(added)
    return [*BUILT_IN_PROVIDERS, *sorted(others - set(BUILT_IN_PROVIDERS))]


class ProviderRegistry(Mapping[str, "Provider"]):
    """The providers by name, each built when it is asked for. Thread-safe.

    Args:
        builders: Builds a provider; called once a name.
        names: Every name, for the error that lists them.
        settings: For the providers of other distributions.
    """

    def __init__(
        self,
        builders: Mapping[str, Callable[[], Provider]],
        names: list[str],
        settings: Callable[[], Settings],
    ) -> None:
        self._builders = builders
        self._names = names
        self._settings = settings
        self._others: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> RedactingProvider:
        return RedactingProvider(self._get_or_build(name), lambda: self._settings().secrets)

    def _get_or_build(self, name: str) -> Provider:
        if name in self._builders:
            return self._builders[name]()
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._others:
                self._others[name] = self._build(name)
            return self._others[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names  # Mapping's own would build the provider to find out.

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def discard_plugin_providers(self) -> None:
        """Build the providers of other distributions anew: the settings have changed."""
        with self._lock:
            self._others.clear()

    def _build(self, name: str) -> Provider:
        (entry, *_) = entry_points(group=PROVIDER_ENTRY_POINT_GROUP, name=name)
        build, problem = load_plugin(entry)
        try:
            if problem is None:
                provider: Provider = build(self._settings())
                return provider
        except TioMagicError:
            raise
        except (Exception, SystemExit) as error:
            reason = f"it cannot be built ({describe_plugin_error(error)})"
            raise _broken(PluginProblem(plugin=plugin_label(entry), reason=reason)) from error
        raise _broken(problem)


def _broken(problem: PluginProblem) -> ConfigurationError:
    return ConfigurationError(str(problem), code=ErrorCode.BROKEN_PLUGIN)


def broken_providers() -> Iterator[PluginProblem]:
    """Give what of the installed plugins brings no provider; imports each of them."""
    seen = set(BUILT_IN_PROVIDERS)
    for entry in entry_points(group=PROVIDER_ENTRY_POINT_GROUP):
        if entry.name in seen:
            reason = f"there is a provider {entry.name!r} already"
            yield PluginProblem(plugin=plugin_label(entry), reason=reason)
            continue
        seen.add(entry.name)
        build, problem = load_plugin(entry)
        if problem is None and not callable(build):
            problem = PluginProblem(
                plugin=plugin_label(entry),
                reason=f"it is a {type(build).__name__}, and builds nothing",
            )
        if problem is not None:
            yield problem
