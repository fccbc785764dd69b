"""The groups of commands that providers bring: ``tiomagic <provider> <command>``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._lazy import HELP_OPTIONS, NamedCommand
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.wiring.provider_names import (
    BUILT_IN_GROUPS,
    BUILT_IN_PROVIDERS,
    has_added_providers,
)

if TYPE_CHECKING:
    from tiomagic.wiring.registry import AbsentPlugin
    from tiomagic_domain.jobs.job import Job
    from tiomagic_domain.plugins import ProviderPlugin
    from tiomagic_domain.plugins.commands import Command

SHARED_ARGUMENTS = {"job_id": o.JobId}
"""Arguments that other commands have as well, which a shell completes."""


def list_provider_groups() -> dict[str, str]:
    """Return the groups that can be called, each with a line of help.

    Of plug-ins it imports those of other distributions alone.
    """
    found = {name: line for name, line in BUILT_IN_GROUPS.items() if find_spec(f"tiomagic_{name}")}
    if has_added_providers():
        from tiomagic.wiring.registry import find_plugins  # noqa: PLC0415  # Imports plug-ins.

        for name, plugin in find_plugins().items():
            if name not in BUILT_IN_PROVIDERS and _commands_of(plugin):
                found[name] = _help_of(name, plugin)
    return found


def find_provider_group(name: str) -> Any:
    """Return the group of a provider as typer runs it; None when there is none of this name."""
    from tiomagic.wiring.registry import AbsentPlugin, find_plugins  # noqa: PLC0415  # Imports plug-ins.

    plugin = find_plugins().get(name)
    if plugin is None:
        return None
    return _absent(name, plugin) if isinstance(plugin, AbsentPlugin) else _group(name, plugin)


def _absent(name: str, plugin: AbsentPlugin) -> Any:
    """Return the placeholder group of a provider that is not installed, which says so."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    takes_all = {"ignore_unknown_options": True, "allow_extra_args": True}

    @alone.command(name, context_settings=takes_all, hidden=True, add_help_option=False)
    def absent(*, as_json: o.Json = False, debug: o.Debug = False) -> None:
        """Say what is missing."""
        with reporting(as_json=as_json, debug=debug):
            raise plugin.error

    return typer.main.get_command(alone)


def _group(name: str, plugin: ProviderPlugin) -> Any:
    commands = _commands_of(plugin)
    if not commands:
        return None
    group = typer.Typer(
        name=name,
        help=_help_of(name, plugin),
        no_args_is_help=True,
        context_settings=HELP_OPTIONS,
        rich_markup_mode=None,
    )
    for command in commands:
        name = command.__name__.strip("_").replace("_", "-")
        group.command(name, cls=NamedCommand)(_runner(plugin, command))
    return typer.main.get_group(group)


def _commands_of(plugin: ProviderPlugin) -> Sequence[Command]:
    from tiomagic_domain.catalogue.plugins import run_plugin_code  # noqa: PLC0415  # The same.

    commands, broken = run_plugin_code(plugin.commands)
    return () if broken is not None or not commands else commands


def _help_of(name: str, plugin: ProviderPlugin) -> str:
    return plugin.commands_help or f"Commands of the provider {name}."


def _runner(plugin: ProviderPlugin, command: Command) -> Callable[..., None]:
    """Return a provider's command as typer takes it."""

    def run(*, as_json: bool, debug: bool, **values: Any) -> None:
        from tiomagic.wiring.registry import settings_of  # noqa: PLC0415  # Not for --help.
        from tiomagic_domain.plugins import CommandContext  # noqa: PLC0415  # The same.
        from tiomagic_domain.usecases.job_ids import find_job_id  # noqa: PLC0415  # The same.

        with reporting(as_json=as_json, debug=debug) as output:
            session = connect(output).session

            def find_job(job_id: str) -> Job:
                return session.generation.get(find_job_id(session.container.repository(), job_id))

            settings = settings_of(plugin, session.settings)
            context = CommandContext(
                settings=settings,
                say=output.say,
                find_job=find_job,
                accepted_terms=session.settings.accepted_terms,
            )
            result = command(context, **values)
            output.data(result.data, result.text)
            if result.exit_code:
                raise typer.Exit(result.exit_code)

    kept = {"as_json": (o.Json, False), "debug": (o.Debug, False)}
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    taken = {p.name: (_annotation(p), p.default) for p in own} | kept
    keyword = inspect.Parameter.KEYWORD_ONLY
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(n, keyword, annotation=kind, default=default)
            for n, (kind, default) in taken.items()
        ]
    )
    run.__annotations__ = {n: kind for n, (kind, _) in taken.items()}
    run.__doc__ = command.__doc__
    return run


def _annotation(parameter: inspect.Parameter) -> Any:
    """Return a parameter's type with the help that its annotation has."""
    if parameter.name in SHARED_ARGUMENTS:
        return SHARED_ARGUMENTS[parameter.name]
    kind, *notes = get_args(parameter.annotation) or (parameter.annotation,)
    explained = next((note for note in notes if isinstance(note, str)), None)
    if parameter.default is inspect.Parameter.empty:
        return Annotated[kind, typer.Argument(help=explained)]
    flag = f"--{parameter.name.replace('_', '-')}"
    return Annotated[kind, typer.Option(flag, help=explained)]
