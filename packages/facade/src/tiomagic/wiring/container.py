"""The dependency-injection container: all parts and their dependencies.

::

    config ──► clock · repository · outputs · media · generation_log     pictures
       │          └──────┬─────┴────────┴────────────┘
    settings ──► backends ──► background ──► generation · archive

``build_container`` returns one with its settings and overrides in place. Nothing is built before it
is asked for.

It is a plain class of dependency_injector's providers. The library's own containers bring its
wiring of other frameworks, which imports FastAPI where it is installed: two thirds of a second for
each command that opens the job database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dependency_injector import providers

from tiomagic.display.journal import Journal
from tiomagic.wiring import builders
from tiomagic.wiring.background.launcher import ProcessLauncher
from tiomagic.wiring.registry import count_operations
from tiomagic_domain.usecases.archive import Archive
from tiomagic_domain.usecases.generation import Generation

if TYPE_CHECKING:
    from tiomagic.wiring.settings import Settings

Part = providers.Provider[Any]


class Container:
    """Everything that a generation needs, as providers: each call of one gives the same object.

    Args:
        settings: Gives the settings that hold now.
        replaced: Providers by name that replace ours, or join them.
        foreign: Names of the parts that are objects of this process, which no worker can have.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        replaced: Mapping[str, Any],
        foreign: list[str],
    ) -> None:
        once = providers.ThreadSafeSingleton
        # No key may be called ``provider``, ``get``, ``set`` …: they are the configuration's own.
        config: Any = providers.Configuration(strict=True)
        config.from_dict(as_config(settings()))
        current: Part = providers.Object(settings)

        self.clock: Part = once(builders.build_clock)
        self.repository: Part = providers.Resource(
            builders.build_repository, config.database_url, config.state_dir, config.log_path
        )
        self.outputs: Part = once(builders.build_outputs, config.output_dir)
        self.media: Part = once(
            builders.build_media, config.state_dir, allow_private=config.allow_private_media
        )
        self.pictures: Part = once(builders.build_pictures)
        self.joiner: Part = once(builders.build_joiner)
        self.masks: Part = once(builders.build_masks)
        self.generation_log: Part = once(
            builders.build_generation_log, config.log_path, self.repository, config.state_dir
        )
        self.backends: Part = once(builders.build_registry, providers.Object(replaced), current)
        self.launcher: Part = once(ProcessLauncher, current, foreign=providers.Object(foreign))
        self.background: Part = once(
            builders.build_background,
            *(self.repository, self.clock, self.launcher, current, self.backends),
        )
        self.journal: Part = once(Journal, generation_log=self.generation_log)
        self.generation: Part = once(
            Generation,
            providers=self.backends,
            repository=self.repository,
            outputs=self.outputs,
            media=self.media,
            clock=self.clock,
            on_change=self.journal.provided.job_changed,
            on_trouble=self.journal.provided.trouble,
            background=self.background,
            joiner=self.joiner,
            accepted=providers.Object(lambda: settings().accepted_terms),
            masks=self.masks,
            limits=providers.Object(lambda: builders.read_cost_limits(settings())),
            count_operations=providers.Object(count_operations),
        )
        self.archive: Part = once(
            Archive,
            repository=self.repository,
            outputs=self.outputs,
            clock=self.clock,
            on_change=self.journal.provided.job_annotated,
        )

    def close(self) -> None:
        """Give back what was opened: the connections to the database."""
        self.journal().flush()
        self.repository.shutdown()  # type: ignore[attr-defined]  # A Resource has it.


def build_container(settings: Callable[[], Settings], overrides: Mapping[str, Any]) -> Container:
    """Return a container whose parts are not built yet.

    Args:
        settings: Gives the settings that hold now.
        overrides: Parts that replace ours, by their names here, and ``providers``: a mapping of
            names to providers, which replace or join ours; checked by ``session.check_parts``.
    """
    given = dict(overrides)
    replaced = given.pop("providers", {})
    container = Container(settings, replaced, sorted(set(overrides) - {"clock"}))
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
