"""Completion of ``--set``: the parameters of the given model, and their values.

Makes no file and no request, and opens no video: a recipe is read from JSON or a stored job.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import typer  # noqa: TC002  # It looks at what its callbacks ask for.

from tiomagic.cli.completion.bash import PARAMETER_NAME_VARIABLE

if TYPE_CHECKING:
    from tiomagic import TioMagic
    from tiomagic.types import FeatureName, ProviderName
    from tiomagic_domain.schema.parameter import Parameter
    from tiomagic_domain.schema.schema import Schema

MAX_DESCRIPTION_CHARACTERS: Final = 60
"""Most characters of a parameter's description."""


def complete_assignments(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return names of parameters with a =, and where one name is left, its values as well.

    Values are the choices, or the ends and the default of what is a number.
    """
    known = _schema(ctx)
    if known is None:
        return []
    alone = os.environ.get(PARAMETER_NAME_VARIABLE)
    if alone is not None:
        name = _spelled(alone)
        return _values(known[name], "", incomplete) if name in known else []
    name, equals, start = incomplete.partition("=")
    if equals:
        spelled = _spelled(name)
        return _values(known[spelled], f"{name}=", start) if spelled in known else []
    given = _given(ctx.params)
    # The user may write num-frames too; a shell takes only what begins as the word does.
    left = [
        parameter
        for parameter in (*known.parameters, *known.sizes)
        if parameter.name not in given and parameter.name.startswith(_spelled(incomplete))
    ]
    names = [(_as_typed(p.name, incomplete), p) for p in left]
    offered = [(f"{typed}=", _in_short(p.description)) for typed, p in names]
    if len(names) == 1:
        # With more than one to choose from, a shell puts no space behind the =.
        ((typed, parameter),) = names
        offered += _values(parameter, f"{typed}=", "")
    return offered


def _schema(ctx: typer.Context) -> Schema | None:
    """Return the parameters of the model and feature of a command line; None when it has none."""
    from tiomagic import TioMagic, errors  # noqa: PLC0415  # Not for --help.
    from tiomagic.api.models import find_schema  # noqa: PLC0415  # The same.
    from tiomagic.wiring.provider_names import DEFAULT_PROVIDER  # noqa: PLC0415  # The same.

    given = dict(ctx.params)
    if ctx.args:
        # Before an option without its value, arguments have not been given their names yet.
        given |= {"compare": {"feature": ctx.args[0]}, "rerun": {"source": ctx.args[0]}}.get(
            str(ctx.info_name), {}
        )
    tm = TioMagic()
    try:
        tm.configure(provider=given.get("provider"))
        source = given.get("source")
        recipe = {} if source is None else _recipe(tm, str(source))
        named = given.get("feature") or recipe.get("feature") or ctx.info_name
        if tm.settings.provider is None:
            tm.configure(provider=cast("ProviderName", recipe.get("provider", DEFAULT_PROVIDER)))
        models = given.get("models") or [given.get("model") or recipe.get("model")]
        feature = cast("FeatureName", str(named).replace("-", "_"))
        model = models[0] or tm.get_default_model(feature=feature)
        return find_schema(feature, str(model))
    except errors.TioMagicError:
        return None  # An error must not print a traceback into the line that is being typed.
    finally:
        tm.close()


def _recipe(tm: TioMagic, source: str) -> dict[str, Any]:
    from tiomagic.results.recipes import is_file_name  # noqa: PLC0415  # Not for --help.

    if is_file_name(source):
        # The recipe is also in the file beside the video, which needs no decoder.
        return tm.get_recipe(Path(source).with_suffix(".json"))
    if not tm.session.has_database:
        return {}  # Looking for a job would make one.
    return tm.get_recipe(source)


def _given(options: Mapping[str, Any]) -> set[str]:
    """Return the names of parameters that the line has already; the prompt has a place anyway."""
    names = {name for name, value in options.items() if value is not None}
    texts: Iterable[str] = options.get("assignments") or ()
    names |= {_spelled(text.partition("=")[0]) for text in texts}
    if "seeds" in names:
        names.add("seed")
    return names | {"prompt"}


def _values(parameter: Parameter, before: str, start: str) -> list[tuple[str, str]]:
    """Return the values of a parameter that begin so, each with what stands before it."""
    return [
        (f"{before}{text}", about)
        for text, about in dict(_offers(parameter)).items()
        if text.startswith(start)
    ]


def _offers(parameter: Parameter) -> Iterator[tuple[str, str]]:
    """Yield values with their descriptions; later ones override earlier ones."""
    from tiomagic_domain.schema.parameter import UNSET, Kind  # noqa: PLC0415  # Not for --help.

    known: tuple[object, ...] = parameter.choices or parameter.examples
    if parameter.kind is Kind.BOOLEAN:
        known = (True, False)
    for choice in known:
        yield _text(choice), ""
    if not known and parameter.kind in {Kind.INTEGER, Kind.NUMBER}:
        for limit, about in ((parameter.minimum, "the least"), (parameter.maximum, "the most")):
            if limit is not None:
                yield _text(limit), about
    # A default text is long and not worth completing.
    free = parameter.kind is Kind.STRING and not parameter.choices
    if parameter.default not in (UNSET, None) and not free:
        yield _text(parameter.default), "the default"


def _text(value: object) -> str:
    """Return a value as ``--set`` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_short(description: str) -> str:
    """Return the beginning of a description: zsh and fish give it the rest of a line."""
    first = description.partition(";")[0].rstrip(".")
    return (
        first
        if len(first) <= MAX_DESCRIPTION_CHARACTERS
        else f"{first[: MAX_DESCRIPTION_CHARACTERS - 1].rstrip()}…"
    )


def _spelled(name: str) -> str:
    return name.strip().replace("-", "_")


def _as_typed(name: str, start: str) -> str:
    """Return a name that begins with what is typed, hyphens and all."""
    return start + name[len(start) :]
