"""A model with terms waits for a consent by its name, on every surface."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tests.facade.conftest import FakeApp, Run

from tiomagic import TioMagic
from tiomagic.cli import _trust
from tiomagic.cli._output import Output
from tiomagic.errors import ConfigurationError, ValidationError
from tiomagic.results.recipes import of_job
from tiomagic_domain.catalogue import models
from tiomagic_domain.codes import ErrorCode

MODEL = "hunyuanvideo-1.5"
TERMS = models()[MODEL].must_accept
assert TERMS is not None


@pytest.fixture
def app(fake_app: FakeApp) -> FakeApp:
    """``tm`` over the fake provider ``local``."""
    fake_app.tm.configure(provider="local")
    return fake_app


class Keyboard(io.StringIO):
    """What a person types on a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Both ends of the conversation are a terminal."""
    monkeypatch.setattr(_trust, "is_terminal", lambda _stream: True)
    return monkeypatch


def refused(app: FakeApp, **more: object) -> ConfigurationError:
    """Return the refusal of a call."""
    with pytest.raises(ConfigurationError) as caught:
        app.tm.text_to_video(MODEL, prompt="a fox", **more)
    return caught.value


def test_a_call_without_consent_reaches_nothing(app: FakeApp) -> None:
    """No job, no provider; the error has the terms, their link and the next step."""
    error = refused(app)
    assert error.code == ErrorCode.TERMS_NOT_ACCEPTED
    assert error.details == {"model": MODEL, "terms": TERMS.says, "link": TERMS.link}
    assert "South Korea" in error.message
    assert TERMS.link in error.message
    assert f"[tm.configure(accepted_terms='{MODEL}')]" in error.message
    assert app.tm.list_jobs() == []
    assert not app.local.runs


def test_force_is_no_consent(app: FakeApp) -> None:
    """What runs also where it does not fit still needs the consent."""
    assert refused(app, force=True).code == ErrorCode.TERMS_NOT_ACCEPTED


def test_a_consent_is_for_the_models_that_are_named(app: FakeApp) -> None:
    """Another model's name accepts nothing, and the error says which names are accepted."""
    app.tm.configure(accepted_terms=["some-other-model"])
    assert "beside those of some-other-model" in refused(app).message
    app.tm.configure(accepted_terms=[MODEL])
    assert app.tm.text_to_video(MODEL, prompt="a fox", num_frames=5).status == "completed"


def test_a_consent_can_be_withdrawn(app: FakeApp) -> None:
    """The newest setting holds."""
    app.tm.configure(accepted_terms=[MODEL])
    app.tm.configure(accepted_terms=[])
    assert refused(app).code == ErrorCode.TERMS_NOT_ACCEPTED


def test_the_consent_does_not_travel(app: FakeApp) -> None:
    """Neither the record nor the recipe has it: who reruns the recipe is asked."""
    app.tm.configure(accepted_terms=[MODEL])
    job = app.tm.text_to_video(MODEL, prompt="a fox", num_frames=5)
    for text in (json.dumps(job.to_dict()), json.dumps(of_job(job.record), default=str)):
        assert "accept" not in text
    app.tm.configure(accepted_terms=[])
    with pytest.raises(ConfigurationError) as caught:
        app.tm.rerun(job.job_id)
    assert caught.value.code == ErrorCode.TERMS_NOT_ACCEPTED


def test_nothing_is_rehearsed_or_downloaded(app: FakeApp) -> None:
    """Neither asks a provider or the hub for anything."""
    for call in (app.tm.rehearse, app.tm.download):
        with pytest.raises(ConfigurationError) as caught:
            call(MODEL)
        assert caught.value.code == ErrorCode.TERMS_NOT_ACCEPTED


def test_a_batch_is_refused_before_its_first_video(app: FakeApp) -> None:
    """Also those of its requests that need no consent wait: the answer may change the whole."""
    requests = [
        {"feature": "text_to_video", "model": "doodle", "prompt": "a fox"},
        {"feature": "text_to_video", "model": MODEL, "prompt": "a fox"},
    ]
    with pytest.raises(ConfigurationError, match="accepted_terms"):
        app.tm.batch(requests)
    with pytest.raises(ConfigurationError, match="accepted_terms"):
        app.tm.compare("text_to_video", prompts=["a fox"], models=["doodle", MODEL])
    assert app.tm.list_jobs() == []


def test_a_plan_tells_it_and_asks_for_nothing(app: FakeApp) -> None:
    """The plan has the terms, whether they are accepted, and the check that fails."""
    for accepted in (False, True):
        app.tm.configure(accepted_terms=[MODEL] if accepted else [])
        found = app.tm.plan("text_to_video", MODEL, prompt="a fox")["preflight"]
        assert found["terms"] == {**TERMS.to_dict(), "is_accepted": accepted}
        assert found["can_run"] is accepted
        assert ("terms" in {check["part"] for check in found["checks"]}) is not accepted
    free = app.tm.plan("text_to_video", "doodle", prompt="a red circle")["preflight"]
    assert free["terms"] is None


def test_it_is_a_setting_like_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``.env``, then the environment, then ``tm.configure``; names with commas, or a list."""
    (folder / ".env").write_text("TIOMAGIC_ACCEPTED_TERMS=one\n")
    assert TioMagic().settings.accepted_terms == ("one",)
    monkeypatch.setenv("TIOMAGIC_ACCEPTED_TERMS", f" {MODEL}, two,{MODEL}")
    assert TioMagic().settings.accepted_terms == (MODEL, "two")
    assert TioMagic(accepted_terms=["three"]).settings.accepted_terms == ("three",)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    """A name far from all may be of a model that is installed elsewhere."""
    with pytest.raises(ValidationError) as caught:
        TioMagic(accepted_terms=["hunyuanvideo1.5"])
    assert caught.value.problems[0].nearest == MODEL
    with pytest.raises(ValidationError):
        TioMagic(accepted_terms=[7])  # type: ignore[list-item]


def test_a_script_is_refused_and_never_asked(shell: Run) -> None:
    """Without a terminal ``--yes`` changes nothing; the option and the variable accept."""
    words = ("text-to-video", "a fox", "-m", MODEL, "-p", "local", "--yes")
    offline = {"HF_HUB_OFFLINE": "1", "TIOMAGIC_DEVICE": "cpu"}
    done = shell(*words, **offline)
    assert done.returncode == 3, done.stderr
    assert f"[--accept-terms {MODEL}]" in done.stderr
    assert TERMS.link in done.stderr
    for accepted in (
        shell(*words, "--accept-terms", MODEL, **offline),
        shell(*words, TIOMAGIC_ACCEPTED_TERMS=MODEL, **offline),
    ):
        # The next reason: nothing can be downloaded here.
        assert "cannot run on this machine" in accepted.stderr
        assert "terms" not in accepted.stderr


def test_a_command_shows_the_terms_in_its_plan_and_list(shell: Run) -> None:
    """``--dry-run`` and ``tiomagic models`` name them before anybody runs into them."""
    plan = shell("text-to-video", "a fox", "-m", MODEL, "-p", "local", "--dry-run").stdout
    assert "to be accepted by the model's name" in plan
    assert f"[--accept-terms {MODEL}]" in plan
    listed = {row["name"]: row for row in json.loads(shell("models", "--json").stdout)}
    assert listed[MODEL]["terms"] == TERMS.to_dict()
    assert listed["doodle"]["terms"] is None


def test_a_person_accepts_by_typing_the_name(
    app: FakeApp, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds for the command; the setting for all is told."""
    terminal.setattr(sys, "stdin", Keyboard(f"{MODEL}\n"))
    _trust.ask_for_consent(Output(as_json=False, debug=False), app.tm, [MODEL, "doodle", MODEL])
    shown = capsys.readouterr().err
    assert TERMS.says in shown
    assert TERMS.link in shown
    assert f"TIOMAGIC_ACCEPTED_TERMS={MODEL}" in shown
    assert app.tm.settings.accepted_terms == (MODEL,)


@pytest.mark.parametrize("typed", ["y\n", "yes\n", "\n", "", "hunyuanvideo\n"])
def test_a_yes_out_of_habit_is_no_consent(
    app: FakeApp, terminal: pytest.MonkeyPatch, typed: str
) -> None:
    """Anything but the name ends the command before it begins."""
    terminal.setattr(sys, "stdin", Keyboard(typed))
    with pytest.raises(typer.Exit):
        _trust.ask_for_consent(Output(as_json=False, debug=False), app.tm, [MODEL])
    assert app.tm.settings.accepted_terms == ()
