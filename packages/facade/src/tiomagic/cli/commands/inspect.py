"""``tiomagic inspect``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli.completion import values


def inspect(
    path: Annotated[
        str,
        typer.Argument(
            help="Video made by tiomagic, the JSON file beside it, a job's id, or @last.",
            autocompletion=values.complete_videos,
        ),
    ],
    *,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Show the recipe of a video: model, prompt, seed, versions."""
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic import tm  # noqa: PLC0415  # Not for --help.

        recipe = tm.inspect(path)
        flat = {
            **{name: recipe.get(name) for name in ("feature", "model", "provider", "created")},
            **recipe["required_args"],
            **recipe["optional_args"],
            **({"chosen by you": _chosen(recipe)} if "chosen" in recipe else {}),
            **_weights(recipe.get("facts") or {}),
            **{f"{name} version": version for name, version in recipe.get("versions", {}).items()},
        }
        width = max(len(name) for name in flat)
        lines = (f"{name:{width}}  {_shown(value)}" for name, value in flat.items())
        output.data(recipe, "\n".join(lines))


def _chosen(recipe: Mapping[str, Any]) -> str:
    sizes = (f"{name} {value}" for name, value in recipe["chosen"]["sizes"].items())
    return ", ".join([*recipe["chosen"]["names"], *sizes])


def _weights(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return a line for each component that had no full weights, or those of a file."""
    found = facts.get("weights") or {}
    lines = {
        f"{name} file": f"{one['file']} ({one.get('revision')})"
        for name, one in found.items()
        if isinstance(one, Mapping) and "file" in one
    }
    for name, one in (facts.get("quantization") or {}).items():
        lines[f"{name} format"] = f"{one['format']} in {one['layers']} layers"
    return lines


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
