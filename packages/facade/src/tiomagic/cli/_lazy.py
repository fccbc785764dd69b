"""Lazy commands: a command's module and options are loaded only when it runs.

typer asks Python for the type of every option of every command before the first one starts: a third
of the time that ``tiomagic --help`` took. Here it sees commands without options, which
is all that a list of them needs, and the whole of one when that is called for.

This is the lazy group of click's documentation, with one difference: there the list of commands
loads every command for its help. Here a command brings its help text with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, ClassVar, Final

import typer
from typer.core import TyperCommand, TyperGroup

Command = Callable[..., None]

RUNNING: Final[ContextVar[Sequence[object]]] = ContextVar("RUNNING", default=())
"""The parameters of the command that runs, whose options its messages name."""


class NamedCommand(TyperCommand):
    """A command whose messages name its own options: see ``_output.command_words``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options; a missing one is answered with the one that is meant."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if hasattr(error, "option_name"):
                from tiomagic.cli.completion.suggestions import add_option  # noqa: PLC0415  # Heavy.

                add_option(error, ctx)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        before = RUNNING.set(self.params)
        try:
            return super().invoke(ctx)
        finally:
            RUNNING.reset(before)


PROVIDERS_HEADING: Final = "Commands of providers"
HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandList:
    """The commands of an application."""

    sections: Mapping[str, Mapping[str, Command]]
    """Functions as typer takes them, by the heading that they are listed under and their name."""
    aliases: Mapping[str, str]
    """Other names of commands, which are not listed."""
    epilog_of: Callable[[str], str]
    """Gives the end of a command's help page."""
    list_groups: Callable[[], Mapping[str, str]]
    """Gives the names of groups of further commands, each with a line of help."""
    find_group: Callable[[str], Any]
    """Gives a group by its name when it is called, or None."""

    @property
    def commands(self) -> dict[str, Command]:
        """All commands by name."""
        return {name: one for listed in self.sections.values() for name, one in listed.items()}


class LateGroup(TyperGroup):
    """Gives a command with all of its options when it is asked for by name."""

    listed: ClassVar[CommandList]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return a command by its name or alias, or a group of them; None for no such one."""
        cmd_name = self.listed.aliases.get(cmd_name, cmd_name)
        function = self.listed.commands.get(cmd_name)
        if function is None:
            return self.listed.find_group(cmd_name)
        # An application of one command, whose options are read only now.
        alone = _application()
        alone.command(
            cmd_name,
            cls=NamedCommand,
            epilog=self.listed.epilog_of(cmd_name),
            context_settings=HELP_OPTIONS,
        )(function)
        return typer.main.get_command(alone)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called; a missing one is answered with what is meant."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            from tiomagic.cli.completion.suggestions import add_command  # noqa: PLC0415  # Heavy.

            add_command(error, [*self.list_commands(ctx), *self.listed.aliases])
            raise

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands and groups."""
        return [*super().list_commands(ctx), *self.listed.list_groups()]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List the commands, without loading their options."""
        more = self.listed.list_groups()
        # As click computes it: the widest name and its margins.
        room = formatter.width - 6 - max(map(len, [*self.commands, *more]))
        width = formatter.width - 6 - room
        for heading, commands in self.listed.sections.items():
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(room))
                for name in commands
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)
        rows = [
            (name.ljust(width), shorten(line, room, placeholder="..."))
            for name, line in more.items()
        ]
        if rows:
            with formatter.section(PROVIDERS_HEADING):
                formatter.write_dl(rows)


def lazy_application(
    sections: Mapping[str, Iterable[Command]],
    *,
    aliases: Mapping[str, str],
    epilog_of: Callable[[str], str],
    list_groups: Callable[[], Mapping[str, str]],
    find_group: Callable[[str], Any],
    **named: Any,
) -> typer.Typer:
    """Return an application of commands, each named as its function.

    Args:
        sections: Functions as typer takes them, by the heading that they are listed under.
        aliases: As in :class:`CommandList`.
        epilog_of: As in :class:`CommandList`.
        list_groups: As in :class:`CommandList`.
        find_group: As in :class:`CommandList`.
        **named: As ``typer.Typer`` takes them.
    """
    listed = CommandList(
        sections={
            heading: {
                command.__name__.strip("_").replace("_", "-"): command for command in commands
            }
            for heading, commands in sections.items()
        },
        aliases=aliases,
        epilog_of=epilog_of,
        list_groups=list_groups,
        find_group=find_group,
    )
    late = type("LateApplication", (LateGroup,), {"listed": listed})
    application = _application(cls=late, add_completion=True, **named)
    for name, command in listed.commands.items():
        application.command(name, help=command.__doc__)(_nothing)
    return application


def _application(*, add_completion: bool = False, **named: Any) -> typer.Typer:
    # Plain help and plain errors: rich would cost more than all the rest, and it renders only data.
    return typer.Typer(
        add_completion=add_completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP_OPTIONS,
        **named,
    )


def _nothing() -> None:
    """Placeholder of a command that is not loaded."""
