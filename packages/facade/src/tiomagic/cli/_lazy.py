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
from textwrap import shorten
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

Command = Callable[..., None]

RUNNING: Final[ContextVar[Sequence[object]]] = ContextVar("RUNNING", default=())
"""The parameters of the command that runs, whose options its messages name."""


class NamedCommand(TyperCommand):
    """A command whose messages name its own options: see ``_output.command_words``."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        before = RUNNING.set(self.params)
        try:
            return super().invoke(ctx)
        finally:
            RUNNING.reset(before)


PROVIDERS_HEADING: Final = "Commands of providers"
HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"]}


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
        aliases: Other names of commands, which are not listed.
        epilog_of: Gives the end of a command's help page.
        list_groups: Gives the names of groups of further commands, each with a line of help.
        find_group: Gives a group by its name when it is called, or None.
        **named: As ``typer.Typer`` takes them.
    """
    named_sections = {
        heading: {command.__name__.strip("_").replace("_", "-"): command for command in commands}
        for heading, commands in sections.items()
    }
    whole = {name: one for commands in named_sections.values() for name, one in commands.items()}

    class Late(TyperGroup):
        """Gives a command with all of its options when it is asked for by name."""

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
            cmd_name = aliases.get(cmd_name, cmd_name)
            if cmd_name not in whole:
                return find_group(cmd_name)
            # An application of one command, whose options are read only now.
            alone = _application()
            alone.command(
                cmd_name,
                cls=NamedCommand,
                epilog=epilog_of(cmd_name),
                context_settings=HELP_OPTIONS,
            )(whole[cmd_name])
            return typer.main.get_command(alone)

        def list_commands(self, ctx: Any) -> list[str]:
            return [*super().list_commands(ctx), *list_groups()]

        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
            """List the commands, without loading their options."""
            more = list_groups()
            # As click computes it: the widest name and its margins.
            room = formatter.width - 6 - max(map(len, [*self.commands, *more]))
            width = formatter.width - 6 - room
            for heading, commands in named_sections.items():
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

    application = _application(cls=Late, add_completion=True, **named)
    for name, command in whole.items():
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
