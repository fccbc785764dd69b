"""Which parts there are and what each is made of. The only module that knows dependency-injector.

::

    config ──► clock · repository · outputs · media · generation_log     pictures
       │          └──────┬─────┴────────┴────────────┘
       └──► local · modal ──► backends ──► generation · archive

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
from tiomagic.wiring.registry import ProviderRegistry, provider_names
from tiomagic_domain.usecases.archive import Archive
from tiomagic_domain.usecases.generation import Generation

if TYPE_CHECKING:
    from tiomagic.wiring.settings import Settings


class Container(containers.DeclarativeContainer):
    """Everything that a generation needs."""

    # No key may be called ``provider``, ``get``, ``set`` …: they are the configuration's own names.
    config: providers.Configuration = providers.Configuration(strict=True)

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
        builders.build_generation_log, config.log_path, repository
    )
    local: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_local,
        model_path=config.local.model_path,
        weights_dir=config.local.weights_dir,
        hf_token=config.local.hf_token,
        device=config.local.device,
        state_dir=config.state_dir,
    )
    modal: providers.Provider[Any] = providers.ThreadSafeSingleton(
        builders.build_modal,
        gpu=config.modal.gpu,
        timeout_s=config.modal.timeout,
        scaledown_window_s=config.modal.scaledown_window,
        token_id=config.modal.token_id,
        token_secret=config.modal.token_secret,
        environment=config.modal.environment,
        state_dir=config.state_dir,
    )
    # Replaced in each container: it needs the container's own providers, not their results.
    backends: providers.Provider[Any] = providers.Dependency(instance_of=ProviderRegistry)
    # Replaced likewise.
    background: providers.Provider[Any] = providers.Object(None)
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
    container = Container()
    container.config.from_dict(as_config(settings()))
    replaced = given.pop("providers", {})
    for name, part in given.items():
        getattr(container, name).override(providers.Object(part))
    makers: dict[str, Any] = {"local": container.local, "modal": container.modal}
    makers |= {name: providers.Object(provider) for name, provider in replaced.items()}
    backends = ProviderRegistry(makers, provider_names(replaced), settings)
    container.backends.override(providers.Object(backends))
    launcher = ProcessLauncher(settings, foreign=sorted(set(overrides) - {"clock"}))
    container.background.override(
        providers.ThreadSafeSingleton(
            builders.build_background,
            container.repository,
            container.clock,
            launcher,
            providers.Object(settings),
            shares_devices="local" not in replaced,
        )
    )
    return container


def as_config(settings: Settings) -> dict[str, Any]:
    """Return the settings in the shape that the container's configuration has."""
    return {
        "database_url": settings.database_url,
        "output_dir": settings.output_dir,
        "state_dir": settings.state_dir,
        "log_path": settings.working_dir / "generation_log.json",
        "allow_private_media": settings.allow_private_media,
        "local": {
            "model_path": settings.model_path,
            "weights_dir": settings.weights_dir,
            "hf_token": settings.hf_token,
            "device": settings.device,
        },
        "modal": {
            "gpu": settings.gpu,
            "timeout": settings.timeout,
            "scaledown_window": settings.scaledown_window,
            "token_id": settings.modal_token_id,
            "token_secret": settings.modal_token_secret,
            "environment": settings.modal_environment,
        },
    }
