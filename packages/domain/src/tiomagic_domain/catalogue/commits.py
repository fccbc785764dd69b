"""The argument ``commits``: other commits of the repositories that a model is made of."""

from __future__ import annotations

from collections.abc import Iterable

from tiomagic_domain.features import VISIBLE
from tiomagic_domain.schema.parameter import Kind, Parameter


def revisions(repositories: Iterable[str]) -> Parameter:
    """Return the commits of the repositories that a model is made of."""
    return Parameter(
        name="revisions",
        kind=Kind.OBJECT,
        required=False,
        fields=tuple(
            Parameter(
                name=name,
                kind=Kind.STRING,
                required=False,
                pattern=VISIBLE,
                pattern_hint="must be a commit, a branch or a tag, not an empty text",
                description="Commit, branch or tag of this repository.",
            )
            for name in dict.fromkeys(repositories)
        ),
        advanced=True,
        description="Other commits of the hub's repositories than the model's own, by repository; "
        "a recipe names those that were used (docs/weights.md).",
    )
