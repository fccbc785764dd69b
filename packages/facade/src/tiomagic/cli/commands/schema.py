"""``tiomagic schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import Output, reporting
from tiomagic.cli.completion import values

if TYPE_CHECKING:
    from tiomagic.types import FeatureName, ModelName
    from tiomagic_domain.schema.parameter import Parameter


def schema(
    model: Annotated[
        str,
        typer.Argument(
            help="The model's name; see: tiomagic models.", autocompletion=values.complete_models
        ),
    ],
    feature: Annotated[
        str | None,
        typer.Argument(
            help="Feature, such as text-to-video; the model's first one if left out.",
            autocompletion=values.complete_features,
            show_default=False,
        ),
    ] = None,
    *,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Show the parameters of a model.

    --json gives JSON Schema.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic import tm  # noqa: PLC0415  # Not for --help.
        from tiomagic.api import models  # noqa: PLC0415  # Not for --help.
        from tiomagic_domain.catalogue import find_feature  # noqa: PLC0415  # The same.

        name = find_feature(feature).value if feature else _first_feature(output, model)
        found = models.find_schema(name, model)
        rows = [
            (
                parameter.name,
                parameter.kind.value,
                "required" if parameter.required else _default(parameter),
                _limits(parameter),
                parameter.description,
            )
            for parameter in (*found.required, *found.optional, *found.sizes)
        ]
        columns = ["parameter", "kind", "default", "legal", "description"]
        described = tm.get_json_schema(cast("FeatureName", name), cast("ModelName", model))
        output.table(described, columns, rows)


def _first_feature(output: Output, model: str) -> str:
    """Return the first feature of a model; say which it is where it has others."""
    from tiomagic_domain.catalogue import find_model  # noqa: PLC0415  # Not for --help.

    first, *others = find_model(model).features
    if others:
        listed = ", ".join(other.value.replace("_", "-") for other in others)
        output.say(f"for {first.value.replace('_', '-')}; {model} also does: {listed}")
    return first.value


def _default(parameter: Parameter) -> str | None:
    from tiomagic_domain.schema.parameter import UNSET  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.suggestions import shorten_repr  # noqa: PLC0415  # The same.

    return None if parameter.default is UNSET else shorten_repr(parameter.default, 40)


def _limits(parameter: Parameter) -> str | None:
    from tiomagic_domain.schema.parameter import Kind, describe_range  # noqa: PLC0415  # The same.

    if parameter.choices:
        return ", ".join(str(choice) for choice in parameter.choices)
    if parameter.examples:
        return f"such as {', '.join(str(example) for example in parameter.examples[:3])}"
    if parameter.kind not in {Kind.INTEGER, Kind.NUMBER}:
        return None
    unit = f" {parameter.unit}" if parameter.unit else ""
    return f"{describe_range(parameter)}{unit}"
