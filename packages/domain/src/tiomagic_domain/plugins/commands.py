"""Commands of a provider's own group, ``tiomagic <provider> <command>``.

A command is a function. Its name is the command's, its docstring the help. It takes a
:class:`CommandContext`, then arguments of the command line by position, then options by keyword
with a default; each is a ``str``, ``int``, ``float`` or ``bool``, and ``Annotated[str, "…"]`` gives
its help. It returns a :class:`CommandResult`. ``--json`` and ``--debug`` come by themselves, and
errors of tiomagic are shown as those of every other command::

    def regions(context: CommandContext, *, all: bool = False) -> CommandResult:
        '''List the regions.'''
        context.say("asking")
        return CommandResult(["eu", "us"], "eu, us")
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.plugins.settings import ProviderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """What a command has to work with."""

    settings: ProviderSettings
    """The settings that hold."""
    say: Callable[[str], None]
    """Shows a line while the command runs, on stderr."""
    find_job: Callable[[str], Job]
    """Returns a stored job by its id.

    Raises:
        ResourceNotFoundError: when there is none.
    """
    accepted_terms: Collection[str] = ()
    """Names of the models whose terms are accepted, for a command that uses a model; see
    :func:`tiomagic_domain.usecases.consent.require_consent`."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command has found."""

    data: object
    """Plain data, which ``--json`` prints."""
    text: str
    """The same for a person."""
    exit_code: int = 0
    """0 when all is well; otherwise one of the codes that ``tiomagic --help`` lists."""


Command = Callable[..., CommandResult]
"""A command; see the module for its form."""
