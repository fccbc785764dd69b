"""Models are chosen with open eyes: what fits, what is to be fetched, what a run takes."""

from dataclasses import replace
from html.parser import HTMLParser

from tiomagic.ui.expectation import expected_run
from tiomagic.ui.form.expected_call import describe_call
from tiomagic.ui.jobs.gallery import compare_hint
from tiomagic.ui.models.cards import model_chooser
from tiomagic.ui.models.facts import ModelFacts, group_by_fit
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.ports.preflight import RunConditions, RunTime, WeightsOnDisk
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.preflight.preflight import FitVerdict, Preflight

GIB = 2**30


def found(name: str, fit: FitVerdict, *, fetch: float = 0, why: str = "") -> ModelFacts:
    """A model with what a preflight on this machine has found."""
    card = models()[name]
    weights = WeightsOnDisk(
        total_bytes=int(20 * GIB), here_bytes=int((20 - fetch) * GIB), place="x"
    )
    checks = [Check(part="device", outcome=CheckOutcome.PROBLEM, message=why)] if why else []
    preflight = Preflight(
        card=card,
        provider="local",
        conditions=RunConditions(weights=weights),
        fit=fit,
        checks=tuple(checks),
        time=RunTime(seconds=90, basis="measured"),
        cost=Cost(amount=0.5),
    )
    return ModelFacts(card=card, preflight=preflight)


def test_models_are_grouped_by_what_fits() -> None:
    """What fits, what is slow, and what this machine cannot run."""
    shown = [
        found("doodle", FitVerdict.FITS),
        found("wan2.1-t2v-1.3b", FitVerdict.SLOW),
        found("ltx-2", FitVerdict.NO),
    ]
    groups = [(title, [one.card.name for one in group]) for title, group in group_by_fit(shown)]
    assert groups == [
        ("Fits here", ["doodle"]),
        ("Works here, slowly", ["wan2.1-t2v-1.3b"]),
        ("Needs more than this machine has", ["ltx-2"]),
    ]


def test_without_a_preflight_models_are_grouped_by_their_gpu() -> None:
    """A provider that cannot be asked leaves the facts of the cards."""
    shown = [ModelFacts(card=models()[name]) for name in ("doodle", "wan2.1-t2v-1.3b", "ltx-2")]
    titles = [title for title, _ in group_by_fit(shown)]
    assert titles == ["Needs no GPU", "For a GPU of up to 12 GiB", "For a larger GPU"]


def test_the_chosen_model_says_what_to_expect_of_it() -> None:
    """Its download, its time, its licence, and in words why it does not fit."""
    why = "this machine has no GPU, and guidance_scale costs memory"
    one = found("wan2.1-vace-14b", FitVerdict.NO, fetch=5, why=why)
    shown = model_chooser([one, found("doodle", FitVerdict.FITS)], "wan2.1-vace-14b")
    for said in (
        *("5.0 GiB to download", "about 90 seconds", "any use (Apache-2.0)", "16 GiB or more"),
        *("This machine has no GPU, and Guidance costs memory.", "Does not fit"),
    ):
        assert said in shown, said
    assert model_chooser([one], "doodle") == ""


def test_a_model_that_fits_is_not_ready_while_something_is_missing() -> None:
    """Such as the token of a provider; the card says what."""
    one = found("ltx-2", FitVerdict.FITS, why="a token is needed and not there")
    shown = model_chooser([one], "ltx-2")
    assert "A token is needed and not there." in shown
    assert "Not ready" in shown
    assert "Fits here" not in shown
    assert [title for title, _ in group_by_fit([one])] == ["Not ready"]


def test_a_run_is_announced_with_its_price_and_download() -> None:
    """Beside the button; a reason is there only when there is one."""
    one = found("wan2.1-t2v-1.3b", FitVerdict.FITS, fetch=13)
    settings = {"num_frames": 33, "width": 480, "height": 832}
    call = describe_call(one.card, Feature.TEXT_TO_VIDEO, settings)
    shown = expected_run(one.card, call, one.preflight)
    text = "2.1 s (33 frames) · 480 x 832 px · 13 GiB to download first · about 90 seconds"
    assert f"{text} · about 0.5 USD a run" in shown
    assert "tm-why" not in shown
    several = expected_run(one.card, call, one.preflight, count=3)
    assert "3 videos of 2.1 s (33 frames)" in several
    assert "about 90 seconds each" in several
    refused = found("wan2.1-t2v-1.3b", FitVerdict.NO, why="no room on the disk")
    shown = expected_run(one.card, call, refused.preflight)
    assert '<p class="tm-why">No room on the disk.</p>' in shown


def test_words_that_a_model_does_not_know_are_told_before_the_run() -> None:
    """In the words of the page, and nothing where all are known."""
    card = models()["doodle"]
    fox, ball = (
        describe_call(card, Feature.TEXT_TO_VIDEO, {"prompt": prompt})
        for prompt in ("a fox runs", "a red ball")
    )
    assert "it did not understand: fox, runs" in expected_run(card, fox)
    assert "understand" not in expected_run(card, ball)


def test_texts_of_a_plugin_are_no_markup() -> None:
    """A card may come from another distribution."""

    class Tags(HTMLParser):
        found: set[str] = set()  # noqa: RUF012 - one parser alone

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            """Keep a tag."""
            self.found.add(tag)

    card = replace(models()["doodle"], title="<img>", description="<img>", licence='"><img>')
    parser = Tags()
    parser.feed(model_chooser([ModelFacts(card=card)], card.name))
    assert "img" not in parser.found


def test_compare_says_what_comes_next() -> None:
    """One more video, or the way to the comparison."""
    assert compare_hint(0) == ""
    assert "at a second" in compare_hint(1)
    assert 'data-action="open-compare"' in compare_hint(2)
