"""What an error advises is a call in Python, a command in a shell, and plain words elsewhere."""

import ast
import json
import re
from pathlib import Path

import pytest
from tests.sources import nodes_of, read_sources

from tiomagic.display.next_steps import PAGE, PYTHON, SHELL, add_ways, advise_in_python
from tiomagic_domain.advice import NextStep
from tiomagic_domain.errors import TioMagicError, ValidationError

ROOT = Path(__file__).parents[2]
MADE = ("modal", "text-to-video", "image-to-video", "interpolate", "pose-guidance")
COMMANDS = "|".join(
    path.stem
    for path in sorted((ROOT / "packages/facade/src/tiomagic/cli/commands").glob("[a-z]*.py"))
)
DIALECT = re.compile(
    rf"\btm\.[a-z]\w*|\btiomagic ({COMMANDS}|{'|'.join(MADE)})\b|(?<![\w-])--[a-z]"
)
"""A call of the facade, a command of tiomagic, an option."""
READ_IN_A_SHELL = {
    *("commands.py", "fit_preview.py", "calibrate.py", "measuring_tool.py"),
    *("serving.py", "one_machine.py"),
}
"""Commands of a provider, programs with options of their own, and starts of server and cluster."""
NOT_OURS = re.compile(
    r"modal secret create --force|pip install --\w+|ray start --head|uv venv --python"
)
"""Commands of others."""

JOB = "0f8b-17"
GIVEN = "give 'a red circle' as the prompt of text_to_video"

SAID = [
    (
        NextStep.CHANGE_SETTING.say(name="timeout"),
        "change the setting timeout [tm.configure(timeout=...)]",
        "change the setting timeout [TIOMAGIC_TIMEOUT=...]",
    ),
    (
        NextStep.CHANGE_SETTING_TO.say(name="gpu", value="H200"),
        "change the setting gpu to 'H200' [tm.configure(gpu='H200')]",
        "change the setting gpu to 'H200' [TIOMAGIC_GPU='H200']",
    ),
    (
        NextStep.DEPLOY.say(provider="modal"),
        "deploy to modal [tiomagic modal deploy]",
        "deploy to modal [tiomagic modal deploy]",
    ),
    (
        NextStep.REPLACE_DEPLOYED.say(provider="modal"),
        "deploy to modal by force [tiomagic modal deploy --force]",
        "deploy to modal by force [tiomagic modal deploy --force]",
    ),
    (
        NextStep.CANCEL.say(job_id=JOB),
        f"cancel the job {JOB} [tm.cancel_job('{JOB}')]",
        f"cancel the job {JOB} [tiomagic cancel {JOB}]",
    ),
    (
        NextStep.CANCEL_AS_LOST.say(job_id=JOB),
        f"cancel the job {JOB} as lost [tm.cancel_job('{JOB}', lost=True)]",
        f"cancel the job {JOB} as lost [tiomagic cancel {JOB} --lost]",
    ),
    (
        NextStep.CANCEL_AS_SEEN.say(),
        "cancel it without saying that it is lost [without lost=True]",
        "cancel it without saying that it is lost [without --lost]",
    ),
    (
        NextStep.CHECK_AGAIN.say(job_id=JOB),
        f"check the job {JOB} again [tm.check_generation_status('{JOB}')]",
        f"check the job {JOB} again [tiomagic status {JOB}]",
    ),
    (
        NextStep.TRUST.say(),
        "say that you trust them [trust=True]",
        "say that you trust them [--trust]",
    ),
    (
        NextStep.BATCH.say(),
        "make several videos as a batch [tm.batch]",
        "make several videos as a batch [tiomagic batch]",
    ),
    (
        NextStep.LIST_MODELS.say(),
        "list the models [tm.get_models()]",
        "list the models [tiomagic models]",
    ),
    (
        NextStep.GIVE_AS_PROMPT.say(value="'a red circle'", feature="text_to_video"),
        f"{GIVEN} [tm.text_to_video(prompt='a red circle')]",
        f"{GIVEN} [tiomagic text-to-video 'a red circle']",
    ),
    (
        NextStep.RUN_AGAIN.say(job_id=JOB),
        f"run the job {JOB} again [tm.rerun('{JOB}')]",
        f"run the job {JOB} again [tiomagic rerun {JOB}]",
    ),
    (
        NextStep.CONVERT.say(),
        "convert the video afterwards [tm.convert]",
        "convert the video afterwards [tiomagic convert]",
    ),
    (
        NextStep.USE_PROVIDER.say(provider="modal"),
        "run it on modal [tm.configure(provider='modal')]",
        "run it on modal [-p modal]",
    ),
    (
        NextStep.USE_MODEL.say(model="wan2.1-t2v-1.3b"),
        "use the model wan2.1-t2v-1.3b [model='wan2.1-t2v-1.3b']",
        "use the model wan2.1-t2v-1.3b [-m wan2.1-t2v-1.3b]",
    ),
    (
        NextStep.SHORTEN.say(frames=49),
        "make it 49 frames long [num_frames=49]",
        "make it 49 frames long [--num-frames 49]",
    ),
    (
        NextStep.SHRINK.say(width=480, height=272),
        "make it 480 pixels wide and 272 high [width=480, height=272]",
        "make it 480 pixels wide and 272 high [--width 480 --height 272]",
    ),
    (
        NextStep.CHOOSE_RESOLUTION.say(resolution="480p"),
        "choose the resolution 480p [resolution='480p']",
        "choose the resolution 480p [--resolution 480p]",
    ),
    (
        NextStep.FORCE.say(),
        "run it all the same [force=True]",
        "run it all the same [--force]",
    ),
    (
        NextStep.DOWNLOAD_WEIGHTS.say(model="wan2.1-vace-1.3b"),
        "download the weights of wan2.1-vace-1.3b once [tm.download('wan2.1-vace-1.3b')]",
        "download the weights of wan2.1-vace-1.3b once [tiomagic download wan2.1-vace-1.3b]",
    ),
    (
        NextStep.USE_OWN_WEIGHTS.say(),
        "use a folder of weights [tm.configure(model_path=...)]",
        "use a folder of weights [--model-path FOLDER]",
    ),
    (
        NextStep.IDENTIFY_TO_HUB.say(),
        "give a token of the hub [tm.configure(hf_token=...)]",
        "give a token of the hub [HF_TOKEN=...]",
    ),
    (
        NextStep.ACCEPT_TERMS.say(model="hunyuanvideo-1.5"),
        "accept the terms of hunyuanvideo-1.5 [tm.configure(accepted_terms='hunyuanvideo-1.5')]",
        "accept the terms of hunyuanvideo-1.5 [--accept-terms hunyuanvideo-1.5]",
    ),
]


@pytest.mark.parametrize(("plain", "python", "shell"), SAID)
def test_each_surface_adds_its_own_way(plain: str, python: str, shell: str) -> None:
    """Whatever was added before is replaced, and to add it twice changes nothing."""
    assert not DIALECT.search(plain)
    assert add_ways(f"It broke; {plain}, or wait.", PYTHON) == f"It broke; {python}, or wait."
    assert add_ways(add_ways(plain, PYTHON), PYTHON) == python
    assert add_ways(add_ways(plain, PYTHON), SHELL) == shell
    assert add_ways(add_ways(plain, SHELL), PYTHON) == python


def test_every_step_has_a_way_on_every_surface() -> None:
    """A step without one would be advice that nobody can follow."""
    assert set(PYTHON) == set(SHELL) == set(PAGE) == set(NextStep)
    assert len(SAID) == len(NextStep)


def test_other_text_is_left_alone() -> None:
    """Only the words of the steps are known."""
    text = "changing the setting gpu [sic] costs nothing; deployed to modal"
    assert add_ways(text, SHELL) == text


def test_an_error_that_reaches_a_program_has_the_call() -> None:
    """In its message, its text, and what it was raised from stays."""
    said = NextStep.CHANGE_SETTING.say(name="timeout")

    @advise_in_python()
    def fail() -> None:
        raise TioMagicError(said, code="function_timeout")

    with pytest.raises(TioMagicError) as caught:
        fail()
    assert str(caught.value) == caught.value.message
    assert caught.value.message.endswith("[tm.configure(timeout=...)]")
    assert caught.value.code == "function_timeout"


def test_a_call_of_version_1_is_answered_with_a_call(fake_app) -> None:
    """The domain refuses the argument in plain words; ``tm`` adds its method."""
    fake_app.tm.configure(provider="local")
    with pytest.raises(ValidationError, match=r"as a batch \[tm\.batch\]"):
        fake_app.tm.text_to_video("wan2.1-t2v-14b", prompt="a fox", num_videos_per_prompt=2)


def test_a_shell_shows_the_command(fake_app, capsys) -> None:
    """A person and a program that reads JSON get the same words."""
    from tiomagic.cli._output import Output

    said = f"It runs. If not, {NextStep.CANCEL_AS_LOST.say(job_id=JOB)}"
    error = TioMagicError(said)
    Output(as_json=False, debug=False).fail(error)
    assert f"[tiomagic cancel {JOB} --lost]" in capsys.readouterr().err
    Output(as_json=True, debug=False).data({"generation": {"message": said}, "prompt": said}, "")
    shown = json.loads(capsys.readouterr().out)
    assert shown["generation"]["message"].endswith(f"[tiomagic cancel {JOB} --lost]")
    assert shown["prompt"] == said


@pytest.mark.parametrize(
    "text",
    ["call tm.configure(gpu=…)", "run: tiomagic modal deploy", "tiomagic cancel 7", "or --trust"],
)
def test_the_check_knows_the_dialect(text: str) -> None:
    """The test below would find these."""
    assert DIALECT.search(text)


def test_only_the_facade_speaks_of_its_calls_and_commands() -> None:
    """An adapter gives the fact; its text is read in programs, shells, pages and databases."""
    found = []
    for path in read_sources():
        if "tiomagic" in path.relative_to(ROOT).parts or path.name in READ_IN_A_SHELL:
            continue
        documents = {id(node.value) for node in nodes_of(path) if isinstance(node, ast.Expr)}
        for node in nodes_of(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = NOT_OURS.sub("", node.value)
                if id(node) not in documents and DIALECT.search(text):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}")
    assert found == []
