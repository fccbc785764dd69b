"""``tiomagic modal``: what a person sees, and what happens on the server."""

import json

import pytest
from tests.modal.conftest import SMALL_VIDEO, TEXT_MODEL
from typer.testing import CliRunner

import modal
from tiomagic.cli.main import app
from tiomagic_modal.constants import APP_NAME, TAG_SOURCE, TAG_VERSION

MODEL_WITH_TERMS = "hunyuanvideo-1.5"


@pytest.fixture
def run(fake, tmp_path, monkeypatch):
    """Run the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIOMAGIC_PROVIDER", "modal")

    def run(*words):
        return CliRunner().invoke(app, list(words), prog_name="tiomagic", catch_exceptions=False)

    return run


def plain(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def deploy_as(fake, version):
    """Have an app of another version there."""
    with fake.client() as client:
        other = modal.App(APP_NAME, tags={TAG_VERSION: version, TAG_SOURCE: "0123456789abcdef"})
        other.deploy(client=client)


def test_from_nothing_to_deployed_to_stopped(fake, run):
    assert plain(run("modal", "status", "--json"))["standing"] == "missing"
    assert plain(run("modal", "deploy", "--json"))["before"] == "missing"
    seen = plain(run("modal", "status", "--json"))
    assert (seen["standing"], seen["differs"]) == ("current", [])
    assert seen["deployed"] == fake.tags[APP_NAME]
    assert "current" in run("modal", "status").stdout
    assert plain(run("modal", "deploy", "--json"))["before"] == "current"
    assert len(fake.apps[APP_NAME].deployments) == 1
    assert plain(run("modal", "stop", "--json")) == {"stopped": True}
    assert fake.apps[APP_NAME].stopped
    assert "nothing was deployed" in run("modal", "stop").stdout


def test_status_says_what_differs_and_deploy_mends_it(fake, run):
    deploy_as(fake, "1.9.0")
    seen = plain(run("modal", "status", "--json"))
    assert (seen["standing"], seen["differs"]) == ("older", [TAG_SOURCE, TAG_VERSION])
    assert plain(run("modal", "deploy", "--json"))["standing"] == "current"


def test_a_newer_version_is_replaced_only_by_force(fake, run):
    deploy_as(fake, "2.1.0")
    refused = run("modal", "deploy")
    assert refused.exit_code == 3
    assert "--force" in refused.stderr
    assert fake.tags[APP_NAME][TAG_VERSION] == "2.1.0"
    assert plain(run("modal", "deploy", "--force", "--json"))["standing"] == "current"


def test_weights_are_fetched_without_a_gpu(fake, run):
    found = plain(run("modal", "prefetch", TEXT_MODEL, "--json"))
    assert found == {"model": TEXT_MODEL, "weights": "somebody/something@main"}
    [call] = fake.calls.values()
    assert call.gpu is None
    assert run("modal", "prefetch", "no-such-model").exit_code == 3


def test_a_model_with_terms_is_neither_fetched_nor_run_before_they_are_accepted(fake, run):
    """The app is not even deployed for it; the name accepts, for this command."""
    prompted = ("text-to-video", "a fox", "--model", MODEL_WITH_TERMS, "--yes", "--force")
    for words in (
        ("modal", "prefetch", MODEL_WITH_TERMS),
        prompted,
        ("rehearse", MODEL_WITH_TERMS),
    ):
        refused = run(*words)
        assert refused.exit_code == 3, refused.output
        assert f"[--accept-terms {MODEL_WITH_TERMS}]" in refused.stderr
    assert not fake.apps
    assert not fake.calls
    run("modal", "prefetch", MODEL_WITH_TERMS, "--accept-terms", MODEL_WITH_TERMS)
    assert len(fake.calls) == 1


def test_weights_that_may_not_be_fetched_say_why(fake, run, monkeypatch):
    monkeypatch.setitem(fake.settings.container_env, "STANDIN_GATED", "1")
    failed = run("modal", "prefetch", TEXT_MODEL)
    assert failed.exit_code == 5
    assert "gated" in failed.stderr


def test_the_logs_of_a_job_are_its_containers_lines(run):
    settings = [f"--set={name}={value}" for name, value in SMALL_VIDEO.items()]
    made = run("text-to-video", "a fox", "--model", TEXT_MODEL, "--json", "--quiet", *settings)
    job_id = plain(made)["job_id"]
    assert f"job {job_id}, run 1" in plain(run("modal", "logs", job_id, "--json"))["lines"]
    assert run("modal", "logs", "no-such-job").exit_code == 3


def test_the_doctor_names_what_is_there_and_what_is_not(fake, run):
    plain(run("modal", "deploy", "--json"))
    found = {f["subject"]: f for f in plain(run("modal", "doctor", "--json"))}
    assert list(found) == ["token", "workspace", "app", "secret"]
    assert found["workspace"]["message"] == "tester"
    assert "modal secret create" in found["secret"]["message"]
    fake.add_secret("tiomagic-huggingface", {"HF_TOKEN": "hf_x"})
    assert "HF_TOKEN is set" in run("modal", "doctor").stdout


def test_the_doctor_says_how_to_get_a_token(run, monkeypatch):
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"):
        monkeypatch.delenv(name)
    told = run("modal", "doctor")
    assert told.exit_code == 4
    assert "modal token new" in told.stdout


def test_a_refused_token_is_an_authentication_error(fake, run):
    fake.faults.reject_tokens = True
    assert run("modal", "status").exit_code == 4


def test_a_rehearsal_runs_in_a_container_with_the_models_gpu(fake, run):
    """The GPU is the one that a job would get, and nothing is fetched."""
    found = plain(run("rehearse", TEXT_MODEL, "--json"))
    assert (found["model"], found["provider"], found["ok"]) == (TEXT_MODEL, "modal", True)
    assert [check["part"] for check in found["checks"]] == ["licence"]
    [call] = fake.calls.values()
    assert call.gpu is not None


def test_a_rehearsal_with_a_problem_ends_with_3(fake, run, monkeypatch):
    """What stands in the way in the container is said here."""
    monkeypatch.setitem(fake.settings.container_env, "STANDIN_GATED", "1")
    refused = run("rehearse", TEXT_MODEL)
    assert refused.exit_code == 3
    assert "is gated" in refused.stdout
    assert "A real run takes" in refused.stderr
    assert run("rehearse", "no-such-model").exit_code == 3
