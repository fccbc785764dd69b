"""Model cards as HTML: the chosen model with its facts, and all others in groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tiomagic.display.escaping import escape
from tiomagic.ui.models.facts import ModelFacts, group_by_fit
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.licences import LicenceUse
from tiomagic_domain.preflight.preflight import FitVerdict
from tiomagic_domain.quantities import (
    describe_rough_bytes,
    describe_rough_duration,
    describe_rough_gib,
)

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
        f'<h2>{escape(title)}</h2><div class="tm-models">'
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


def terms_to_accept(card: ModelCard) -> str:
    """Return the terms of a model that has some, with the address of their text."""
    assert card.must_accept is not None, "nothing is asked of others"
    link = escape(card.must_accept.link)
    return (
        f'<p class="tm-facts"><strong>{escape(card.name)}</strong>: '
        f"{escape(card.must_accept.says)} "
        f'<a href="{link}" target="_blank" rel="noopener noreferrer">The whole text</a></p>'
    )


def _choice(one: ModelFacts, *, is_chosen: bool) -> str:
    pressed = "true" if is_chosen else "false"
    return (
        f'<button type="button" class="tm-model" data-action="model" '
        f'data-job="{escape(one.card.name)}" aria-pressed="{pressed}">'
        f"<strong>{escape(one.card.title)}</strong>"
        f'<span class="tm-facts">{escape(_short_facts(one))}</span>'
        f"{_badges(one, in_group=True)}</button>"
    )


def _badges(one: ModelFacts, *, in_group: bool = False) -> str:
    """Return what to know of a model at a glance; a group says itself what does not fit."""
    words = []
    if one.fit is FitVerdict.FITS and not one.is_ready:
        words += [] if in_group else [("Not ready", "bad")]
    elif one.fit is FitVerdict.FITS:
        words.append(("Fits here" if one.on_this_machine else "Ready to run", "good"))
    elif one.fit is FitVerdict.SLOW:
        words.append(("Slow here", "plain"))
    elif one.fit is FitVerdict.NO and not in_group:
        words.append(("Does not fit", "bad"))
    if one.card.is_hosted:
        words.append(("Hosted", "plain"))
    elif one.card.repository is None:
        words.append(("Comes with tiomagic", "good"))
    elif one.is_here:
        words.append(("Downloaded", "good"))
    marks = "".join(
        f'<span class="tm-badge tm-{kind}">{escape(word)}</span>' for word, kind in words
    )
    return f'<span class="tm-badges">{marks}</span>' if marks else ""


def _short_facts(one: ModelFacts) -> str:
    card = one.card
    gpu = f"{card.gpu_memory_gib:g} GiB GPU" if card.gpu_memory_gib else "no GPU needed"
    parts = ["" if card.is_hosted else gpu, _weights(card), LICENCE_WORDS[card.terms.use]]
    return " · ".join(part for part in parts if part)


def _weights(card: ModelCard) -> str:
    """Return the size of the weights; empty for a model that a vendor runs."""
    return "" if card.is_hosted else describe_rough_gib(card.weights_gib)


def _fact_list(one: ModelFacts) -> str:
    card = one.card
    gpu = f"{card.gpu_memory_gib:g} GiB or more" if card.gpu_memory_gib else "none needed"
    does = ", ".join(feature.label for feature in card.features)
    rows = [
        ("GPU", "" if card.is_hosted else gpu, ""),
        ("Weights", f"{_weights(card)}{_where(one)}", ""),
        ("Time", *_time(one)),
        ("Licence", f"{LICENCE_WORDS[card.terms.use]} ({card.licence})", card.terms.publishing),
        ("Does", does, ""),
    ]
    cells = "".join(
        f'<div><dt>{name}</dt><dd title="{escape(tip)}">{escape(value)}</dd></div>'
        if tip
        else f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"
        for name, value, tip in rows
        if value
    )
    return f'<dl class="tm-model-facts">{cells}</dl>'


def _where(one: ModelFacts) -> str:
    if one.card.repository is None or one.preflight is None or one.is_here is None:
        return ""
    if one.is_here:
        return ", here already"
    return f", {describe_rough_bytes(one.preflight.fetch_bytes)} to download"


def _time(one: ModelFacts) -> tuple[str, str]:
    """Return about how long a run takes with the model's defaults, and how that is known."""
    time = None if one.preflight is None else one.preflight.time
    return (
        ("", "") if time is None else (f"about {describe_rough_duration(time.seconds)}", time.basis)
    )
