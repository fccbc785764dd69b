"""The dependency-injection container: all parts and their dependencies.

::

    config ──► clock · repository · outputs · media · generation_log     pictures
       │          └──────┬─────┴────────┴────────────┘
    settings ──► backends ──► background ──► generation · archive

``build_container`` returns one with its settings and overrides in place. Nothing is built before it
is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dependency_injector import containers, providers

from tiomagic.display.journal import Journal
from tiomagic.wiring import builders
from tiomagic.wiring.launcher import ProcessLauncher
from tiomagic_domain.usecases.archive import Archive
from tiomagic_domain.usecases.generation import Generation

if TYPE_CHECKING:
    from tiomagic.wiring.settings import Settings


class Container(containers.DeclarativeContainer):
    """Everything that a generation needs."""

    # No key may be called ``provider``, ``get``, ``set`` …: they are the configuration's own names.
    config: providers.Configuration = providers.Configuration(strict=True)

    settings: providers.Provider[Any] = providers.Dependency()
    """Gives the settings that hold now."""
    replaced: providers.Provider[Any] = providers.Dependency(instance_of=Mapping)
    """Providers by name that replace ours, or join them."""
    foreign: providers.Provider[Any] = providers.Dependency(instance_of=list)
    """Names of the parts that are objects of this process, which no worker can have."""

    clock: providers.Provider[Any] = providers.ThreadSafeSingleton(builders.build_clock)
    repository: providers.Provider[Any] = providers.Resource(
        builders.build_repository, config.database_url, config.state_dir, config.log_path
    )
    outputs: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_outputs, config.output_dir
    )
    media: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_media, config.state_dir, allow_private=config.allow_private_media
    )
    pictures: providers.Provider[Any] = providers.ThreadSafeSingleton(builders.build_pictures)
    generation_log: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_generation_log, config.log_path, repository, config.state_dir
    )
    backends: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_registry, replaced, settings
    )
    launcher: providers.Provider[Any] = providers.ThreadSafeSingleton(
        ProcessLauncher, settings, foreign=foreign
    )
    background: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_background, repository, clock, launcher, settings, backends
    )
    journal: providers.Provider[Any] = providers.ThreadSafeSingleton(
        Journal, generation_log=generation_log
    )
    generation: providers.Provider[Any] = providers.ThreadSafeSingleton(
        Generation,
        providers=backends,
        repository=repository,
        outputs=outputs,
        media=media,
        clock=clock,
        on_change=journal.provided.job_changed,
        on_trouble=journal.provided.trouble,
        background=background,
    )
    archive: providers.Provider[Any] = providers.ThreadSafeSingleton(
        Archive,
        repository=repository,
        outputs=outputs,
        clock=clock,
        on_change=journal.provided.job_annotated,
    )


def build_container(settings: Callable[[], Settings], overrides: Mapping[str, Any]) -> Container:
    """Return a container whose parts are not built yet.

    Args:
        settings: Gives the settings that hold now.
        overrides: Parts that replace ours, by their names here, and ``providers``: a mapping of
            names to providers, which replace or join ours; checked by ``session.check_parts``.
    """
    given = dict(overrides)
    container = Container(
        settings=providers.Object(settings),
        replaced=providers.Object(given.pop("providers", {})),
        foreign=providers.Object(sorted(set(overrides) - {"clock"})),
    )
    container.config.from_dict(as_config(settings()))
    for name, part in given.items():
        getattr(container, name).override(providers.Object(part))
    return container


def as_config(settings: Settings) -> dict[str, Any]:
    """Return what the container's configuration has; when it changes, all parts are built anew."""
    return {
        "database_url": settings.database_url,
        "output_dir": settings.output_dir,
        "state_dir": settings.state_dir,
        "log_path": settings.working_dir / "generation_log.json",
        "allow_private_media": settings.allow_private_media,
    }
