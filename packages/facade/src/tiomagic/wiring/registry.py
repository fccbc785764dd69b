"""The registry of providers: the built-in ones, and those of plug-ins.

The only module that imports adapters. A distribution adds a provider with an entry point
in the group ``tiomagic.providers``: its name is the provider's, and it points to a
:class:`tiomagic_domain.plugins.ProviderPlugin`, or to a callable that takes the
:class:`tiomagic.Settings` and returns a :class:`tiomagic_domain.ports.Provider`.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tiomagic.wiring.provider_names import (
    BUILT_IN_PROVIDERS,
    HOSTED_PROVIDERS,
    PLUGIN_MODULES,
    PROVIDER_ENTRY_POINT_GROUP,
    provider_names,
)
from tiomagic.wiring.setting_definitions import OPTIONS
from tiomagic_domain.catalogue import shipped_engines
from tiomagic_domain.catalogue.plugins import (
    PluginProblem,
    describe_plugin_error,
    load_plugin,
    plugin_label,
)
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.entry_points import find_entry_points
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_domain.plugins import ProviderPlugin
from tiomagic_domain.ports.provider import runs_any_model

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.plugins import ProviderSettings
    from tiomagic_domain.ports import DeviceLocks, Processes, Provider

Plugins = tuple[dict[str, ProviderPlugin], list[tuple[str, PluginProblem]]]
"""The providers by name, and the problems of broken ones by the names of their entry points."""


T = TypeVar("T")


class SelectableSettings(Protocol):
    """All settings, of which each provider is given its own."""

    @property
    def provider(self) -> str | None:
        """The name of the provider that is configured."""
        ...

    def select(self, names: Iterable[str]) -> ProviderSettings:
        """Return those of these names."""
        ...


class AbsentPlugin(ProviderPlugin):
    """A built-in provider whose package is not installed.

    Args:
        error: What to say when it is used.
        is_hosted: True for one whose models come with its package.
    """

    def __init__(self, error: TioMagicError, *, is_hosted: bool) -> None:
        self.error = error
        self._is_hosted = is_hosted

    def build(self, settings: object) -> Provider:  # noqa: ARG002 - the port's argument
        """Say what is missing."""
        raise self.error

    def runs(self, card: ModelCard) -> bool:
        """Say what it would run."""
        return not self._is_hosted and card.engine in shipped_engines()


class CallablePlugin(ProviderPlugin):
    """A provider whose entry point is a function that builds it.

    Args:
        build: Takes all settings.
    """

    def __init__(self, build: Callable[[Any], Provider]) -> None:
        self._build = build

    def build(self, settings: Any) -> Provider:
        """Return the provider."""
        return self._build(settings)


def find_plugins() -> dict[str, ProviderPlugin]:
    """Return every provider that is not broken, by name; imports the module of each plug-in."""
    return dict(_load_plugins()[0])


def broken_providers() -> Iterator[PluginProblem]:
    """Give what of the installed plugins brings no provider; imports each of them."""
    yield from (problem for _, problem in _load_plugins()[1])


def _load_plugins() -> Plugins:
    return _load_plugins_of(tuple(sys.path))


@lru_cache(maxsize=1)
def _load_plugins_of(_path: tuple[str, ...]) -> Plugins:
    """Return what is installed; looked for once a path, for it takes many files to look at."""
    found = {name: _load_built_in(name) for name in BUILT_IN_PROVIDERS}
    problems = []
    for entry in find_entry_points(PROVIDER_ENTRY_POINT_GROUP):
        plugin, problem = _load_added(entry, found)
        if plugin is not None:
            found[entry.name] = plugin
        elif problem is not None:
            problems.append((entry.name, problem))
    return found, problems


def _load_built_in(name: str) -> ProviderPlugin:
    try:
        plugin: ProviderPlugin = importlib.import_module(PLUGIN_MODULES[name]).PLUGIN
    except ImportError as error:
        return AbsentPlugin(missing_provider_error(name, error), is_hosted=name in HOSTED_PROVIDERS)
    return plugin


def missing_provider_error(name: str, error: ImportError) -> TioMagicError:
    """Return the error that says how to install what a provider needs; the caller raises it."""
    if name not in BUILT_IN_PROVIDERS:
        return TioMagicError(f"the provider {name!r} needs the package {error.name!r}")
    return missing_extra_error(name, BUILT_IN_PROVIDERS[name], module=error.name)


def _load_added(
    entry: EntryPoint, found: Mapping[str, ProviderPlugin]
) -> tuple[ProviderPlugin | None, PluginProblem | None]:
    if entry.name in found:
        reason = f"there is a provider {entry.name!r} already"
        return None, PluginProblem(plugin=plugin_label(entry), reason=reason)
    loaded, problem = load_plugin(entry)
    if problem is not None:
        return None, problem
    if not isinstance(loaded, ProviderPlugin):
        if callable(loaded):
            return CallablePlugin(loaded), None
        reason = f"it cannot be built (it is a {type(loaded).__name__}, and no ProviderPlugin)"
        return None, PluginProblem(plugin=plugin_label(entry), reason=reason)
    taken = _taken_settings(loaded, found)
    if taken:
        reason = f"there are settings of these names already: {', '.join(taken)}"
        return None, PluginProblem(plugin=plugin_label(entry), reason=reason)
    return loaded, None


def _taken_settings(plugin: ProviderPlugin, found: Mapping[str, ProviderPlugin]) -> list[str]:
    known = dict(OPTIONS)
    for other in found.values():
        known |= other.settings
    variables = {setting.variable for setting in known.values()}
    return sorted(n for n, s in plugin.settings.items() if n in known or s.variable in variables)


def find_plugin(name: str) -> ProviderPlugin:
    """Return a provider by its name, not built.

    Raises:
        ConfigurationError: with the code ``broken_plugin``, when it cannot be used.
        KeyError: when there is none.
    """
    found, problems = _load_plugins()
    for broken, problem in problems:
        if broken == name and name not in found:
            raise ConfigurationError(str(problem), code=ErrorCode.BROKEN_PLUGIN)
    return found[name]


def find_missing_package(name: str) -> str | None:
    """Return how to install what a built-in provider lacks, for people; None if it is there."""
    plugin = find_plugins().get(name)
    return plugin.error.message if isinstance(plugin, AbsentPlugin) else None


def uses_devices(name: str) -> bool:
    """Say whether runs of a provider take turns on the devices of this machine."""
    plugin = find_plugins().get(name)
    return plugin is not None and plugin.uses_devices


def providers_of(card: ModelCard) -> list[str]:
    """Return the names of the providers that can run a model."""
    return [name for name, plugin in find_plugins().items() if plugin.runs(card)]


def count_operations(card: ModelCard, settings: Mapping[str, Any]) -> float | None:
    """Return the operations of a run, from the first provider whose engines can count them."""
    counted = (plugin.count_operations(card, settings) for plugin in find_plugins().values())
    return next((count for count in counted if count is not None), None)


def settings_of(plugin: ProviderPlugin, settings: SelectableSettings) -> Any:
    """Return the settings that a provider is given: those that it declares.

    One that declares none, a mere function, is given all.
    """
    if isinstance(plugin, CallablePlugin):
        return settings
    return settings.select({*plugin.settings, *plugin.shared_settings})


def find_offer(
    settings: SelectableSettings, ask: Callable[[ProviderPlugin, Any], T | None], *, missing: str
) -> T:
    """Return what the configured provider offers, or the first one that offers it.

    Args:
        settings: Those that hold.
        ask: Returns the offer of a provider with its settings; None where it has none.
        missing: The error's text when no provider has one.

    Raises:
        MissingDependencyError: when the packages of a provider that might are not installed.
        ConfigurationError: when no provider does.
    """
    plugins = find_plugins()
    first = [name for name in plugins if name == settings.provider]
    absent: list[TioMagicError] = []
    for name in (*first, *plugins):
        plugin = plugins[name]
        if isinstance(plugin, AbsentPlugin):
            absent.append(plugin.error)
            continue
        offer = ask(plugin, settings_of(plugin, settings))
        if offer is not None:
            return offer
    raise absent[0] if absent else ConfigurationError(missing)


def build_provider(name: str, settings: SelectableSettings) -> Provider:
    """Return a new provider.

    Raises:
        MissingDependencyError: when its packages are not installed.
        ConfigurationError: when a setting is missing; with the code ``broken_plugin`` when it is
            broken.
    """
    plugin = find_plugin(name)
    try:
        return plugin.build(settings_of(plugin, settings))
    except TioMagicError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ImportError) and name in BUILT_IN_PROVIDERS:
            raise missing_provider_error(name, error) from error
        reason = f"it cannot be built ({describe_plugin_error(error)})"
        installed = find_entry_points(PROVIDER_ENTRY_POINT_GROUP)
        entry = next(entry for entry in installed if entry.name == name)
        problem = PluginProblem(plugin=plugin_label(entry), reason=reason)
        raise ConfigurationError(str(problem), code=ErrorCode.BROKEN_PLUGIN) from error


def build_machine_ports(state_dir: Path) -> tuple[Processes, DeviceLocks] | None:
    """Return the adapters for processes and device locks of this machine.

    None where models do not run on this machine.
    """
    try:
        from tiomagic_local.jobs import device_locks, processes  # noqa: PLC0415  # Optional.
    except ImportError:
        return None
    return (
        processes.SystemProcesses(state_dir / processes.FOLDER),
        device_locks.FileDeviceLocks(state_dir),
    )


class ProviderRegistry(Mapping[str, "Provider"]):
    """The providers by name, each built at its first use. Thread-safe.

    Args:
        replaced: Providers by name that replace ours, or join them.
        settings: Gives the settings that hold.
        wrap: Returns what is handed out for a provider, given which models its plug-in runs.
    """

    def __init__(
        self,
        replaced: Mapping[str, Provider],
        settings: Callable[[], SelectableSettings],
        wrap: Callable[[Provider, Callable[[ModelCard], bool]], Provider],
    ) -> None:
        self._replaced = replaced
        self._names = provider_names(replaced)
        self._settings = settings
        self._wrap = wrap
        self._built: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Provider:
        if name in self._replaced:
            return self._wrap(self._replaced[name], runs_any_model)
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._built:
                self._built[name] = build_provider(name, self._settings())
            return self._wrap(self._built[name], find_plugin(name).runs)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # Mapping's own would build the provider to find out.

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def uses_devices(self, name: str) -> bool:
        """Say whether runs of a provider, in this process, take turns on this machine's devices."""
        return name not in self._replaced and uses_devices(name)

    def devices(self, name: str) -> list[str]:
        """Return the devices of this machine that a job of a provider would run on."""
        plugin = find_plugin(name)
        return list(plugin.devices(settings_of(plugin, self._settings())))

    def discard_changed(self, before: SelectableSettings, after: SelectableSettings) -> None:
        """Build those providers anew whose settings are others than before."""
        with self._lock:
            for name in list(self._built):
                plugin = find_plugin(name)
                if settings_of(plugin, before) != settings_of(plugin, after):
                    del self._built[name]
