"""Consent to terms: any card may ask for it, and the use cases do not go round it."""

from dataclasses import replace

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_domain.catalogue.licences import TermsToAccept
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.preflight.preflight import FitVerdict
from tiomagic_domain.usecases.consent import require_consent
from tiomagic_domain.usecases.generation import Generation

NAME = "wan2.1-t2v-1.3b"
TERMS = TermsToAccept(says="It gives no rights on the moon.", link="https://example.org/terms")
CARD = replace(models()[NAME], must_accept=TERMS)
ALLOWED_EVERYWHERE = "framepack-i2v-hy"


@pytest.fixture
def generation(parts):
    """The use cases over a catalogue in which one model has terms, of which none is accepted."""
    accepted: set[str] = set()
    made = Generation(
        providers={"modal": parts.remote},
        repository=parts.repository,
        outputs=parts.outputs,
        media=parts.media,
        clock=parts.clock,
        catalogue={**models(), NAME: CARD},
        accepted=lambda: accepted,
    )
    return made, accepted


def submit(generation, **more):
    call = {"provider": "modal", "model": NAME, "arguments": {"prompt": "a fox"}, **more}
    return generation.submit(Feature.TEXT_TO_VIDEO, **call)


def test_any_card_may_have_terms(generation, parts):
    """Nothing is stored or sent before the consent, forced or not."""
    made, accepted = generation
    for more in ({}, {"force": True}, {"accepted": ["another"]}):
        with pytest.raises(ConfigurationError, match="no rights on the moon") as caught:
            submit(made, **more)
        assert caught.value.code == "terms_not_accepted"
    assert made.list(JobQuery()) == []
    accepted.add(NAME)
    assert submit(made).status == "queued"


def test_a_consent_may_be_for_one_call(generation):
    """The next call is asked again."""
    made, _ = generation
    assert submit(made, accepted=[NAME]).status == "queued"
    with pytest.raises(ConfigurationError, match="accept the terms"):
        submit(made)


def test_without_the_setting_nothing_is_accepted(parts):
    """A program that embeds the domain and knows nothing of terms is refused, too."""
    with pytest.raises(ConfigurationError, match=r"hunyuanvideo-1\.5 was not used"):
        submit(parts.generation, model="hunyuanvideo-1.5")


def test_waiting_terms_say_nothing_of_the_machine(generation):
    """The verdict on the machine stays; the check is a problem of its own."""
    made, accepted = generation
    before = made.preflight.check_model(CARD, "modal")
    accepted.add(NAME)
    after = made.preflight.check_model(CARD, "modal")
    assert (before.can_run, after.can_run) == (False, True)
    assert before.fit is after.fit is not FitVerdict.NO
    assert [check.part for check in before.problems] == ["terms"]


def test_which_models_ask():
    """Those whose own weights give no rights in some countries, but for FramePack.

    Scripts of tiomagic 1.0.0 call that one; its terms are in its plan and on its page.
    """
    asking = {card.name for card in models().values() if card.must_accept is not None}
    excluded = {card.name for card in models().values() if "South Korea" in card.licence}
    assert asking == excluded - {ALLOWED_EVERYWHERE}
    assert models()[ALLOWED_EVERYWHERE].must_accept is None


def test_a_card_without_terms_needs_no_consent():
    """It is never asked for what it does not need."""
    require_consent(models()["doodle"], ())


def test_a_consent_may_be_written_with_capitals():
    require_consent(CARD, [NAME.upper()])
