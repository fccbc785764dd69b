"""Model cards as HTML: the chosen model with its facts, and all others in groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tiomagic.display.escaping import escape
from tiomagic.ui.models.facts import ModelFacts, ModelFit, group_by_fit
from tiomagic_domain.catalogue.licences import LicenceUse

LICENCE_WORDS: Final = {
    LicenceUse.FREE: "any use",
    LicenceUse.LIMITED: "conditions",
    LicenceUse.RESEARCH: "research only",
}
"""What a licence allows, in a word or two."""


def model_chooser(models: Sequence[ModelFacts], chosen: str) -> str:
    """Return the chosen model with its facts, above all models in groups.

    Args:
        models: Of the provider and the feature, in order.
        chosen: Name of the chosen one.
    """
    shown = next((one for one in models if one.card.name == chosen), None)
    if shown is None:
        return ""
    groups = "".join(
        f'<h3>{escape(title)}</h3><div class="tm-models">'
        + "".join(_choice(one, is_chosen=one.card.name == chosen) for one in group)
        + "</div>"
        for title, group in group_by_fit(models)
    )
    count = f"All {len(models)} models" if len(models) > 1 else "The only model"
    why = f'<p class="tm-why">{escape(shown.why)}</p>' if shown.why else ""
    return (
        '<section class="tm-chooser" aria-label="Model"><div class="tm-model-now">'
        f'<div class="tm-row"><strong>{escape(shown.card.title)}</strong>{_badges(shown)}</div>'
        f"<p>{escape(shown.card.description)}</p>{why}{_fact_list(shown)}</div>"
        f'<details class="tm-all-models"><summary>{count}</summary>{groups}</details></section>'
    )


def _choice(one: ModelFacts, *, is_chosen: bool) -> str:
    pressed = "true" if is_chosen else "false"
    return (
        f'<button type="button" class="tm-model" data-action="model" '
        f'data-job="{escape(one.card.name)}" aria-pressed="{pressed}">'
        f"<strong>{escape(one.card.title)}</strong>"
        f'<span class="tm-facts">{escape(_short_facts(one))}</span>{_badges(one)}</button>'
    )


def _badges(one: ModelFacts) -> str:
    words = []
    if one.fit is ModelFit.FITS:
        words.append(("Fits here" if one.on_this_machine else "Ready to run", "good"))
    elif one.fit is ModelFit.SLOW:
        words.append(("Slow here", "plain"))
    elif one.fit is ModelFit.NO:
        words.append(("Does not fit", "bad"))
    if one.card.repository is None:
        words.append(("Comes with tiomagic", "good"))
    elif one.is_here:
        words.append(("Downloaded", "good"))
    marks = "".join(
        f'<span class="tm-badge tm-{kind}">{escape(word)}</span>' for word, kind in words
    )
    return f'<span class="tm-badges">{marks}</span>' if marks else ""


def _short_facts(one: ModelFacts) -> str:
    card = one.card
    gpu = f"{card.gpu_memory_gib:g} GB GPU" if card.gpu_memory_gib else "no GPU needed"
    return f"{gpu} · {_size(card.weights_gib)} · {LICENCE_WORDS[card.terms.use]}"


def _fact_list(one: ModelFacts) -> str:
    card = one.card
    gpu = f"{card.gpu_memory_gib:g} GB or more" if card.gpu_memory_gib else "none needed"
    does = ", ".join(feature.label for feature in card.features)
    rows = [
        ("GPU", gpu, ""),
        ("Weights", f"{_size(card.weights_gib)}{_where(one)}", ""),
        ("Licence", f"{LICENCE_WORDS[card.terms.use]} ({card.licence})", card.terms.publishing),
        ("Does", does, ""),
    ]
    cells = "".join(
        f'<div><dt>{name}</dt><dd title="{escape(tip)}">{escape(value)}</dd></div>'
        if tip
        else f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"
        for name, value, tip in rows
    )
    return f'<dl class="tm-model-facts">{cells}</dl>'


def _where(one: ModelFacts) -> str:
    if one.card.repository is None or one.is_here is None:
        return ""
    return ", here already" if one.is_here else ", to download"


def _size(gib: float) -> str:
    return f"{gib * 1024:.0f} MiB" if gib < 1 else f"{gib:.0f} GiB"
