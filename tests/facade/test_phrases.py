"""Problems, warnings and log events are sentences in the words of the surface that shows them."""

import ast
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.sources import find_sources, nodes_of

from tiomagic.display.phrases.job_warnings import (
    say_early_warnings,
    say_job_warnings,
    say_run_warnings,
)
from tiomagic.display.phrases.log_events import SENTENCES, SentenceFormatter, say_event
from tiomagic.display.phrases.page import LABELS, PAGE_WORDS
from tiomagic.display.phrases.problems import say_error, say_problem
from tiomagic.display.phrases.rewording import reword
from tiomagic.display.phrases.shell import ShellVocabulary
from tiomagic.display.phrases.vocabulary import PYTHON_WORDS, Vocabulary
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import Problem, ProblemKind, TioMagicError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.requests import preparation
from tiomagic_domain.requests.continuing import OVERLAP_FRAMES_FACT
from tiomagic_domain.testing import make_job

FACADE = Path(__file__).parents[2] / "packages/facade/src/tiomagic"
SERVER = FACADE.parents[2] / "server"


@dataclass
class Declared:
    """A parameter of a command, as click has it."""

    name: str
    opts: Sequence[str]
    metavar: str | None = None
    param_type_name: str = "option"
    is_flag: bool = False


SHELL_WORDS = ShellVocabulary.of(
    [
        Declared("prompt", ["prompt"], param_type_name="argument"),
        Declared("image", ["--image"], "FILE|URL"),
        Declared("guiding_video", ["--guiding-video"], "FILE|URL"),
        Declared("pose_video", ["--pose-video"], "FILE|URL"),
        Declared("num_inference_steps", ["--steps"], "INTEGER"),
        Declared("num_frames", ["--num-frames", "--frames"], "INTEGER"),
        Declared("width", ["--width"], "PIXELS"),
        Declared("height", ["--height"], "PIXELS"),
        Declared("guidance_scale", ["--guidance-scale"], "NUMBER"),
        Declared("model", ["--model", "-m"]),
        Declared("target", ["--output", "-o"], "PATH"),
        Declared("trust", ["--trust"], is_flag=True),
        Declared("assignments", ["--set"], "NAME=VALUE"),
    ]
)
"""The words of a command with these options."""

PROBLEMS = [
    (
        Problem(
            field="image",
            message="is needed: the picture to start from",
            given="nothing",
            kind=ProblemKind.MISSING,
            wanted="image",
        ),
        "image is needed: the picture to start from",
        "--image FILE is needed",
        "Picture: choose a picture",
        "Choose a picture",
    ),
    (
        Problem(
            field="prompt",
            message="is needed: what the video shows, in words",
            given="nothing",
            kind=ProblemKind.MISSING,
            wanted="string",
        ),
        "prompt is needed: what the video shows, in words",
        "PROMPT is needed",
        "Prompt: say what the video shows",
        "Say what the video shows",
    ),
    (
        Problem(field="num_inference_steps", message="must be 1 or more", given="0"),
        "num_inference_steps: must be 1 or more",
        "--steps must be 1 or more",
        "Steps must be 1 or more",
        "Must be 1 or more",
    ),
    (
        Problem(field="flow_shift", message="must be a number, not None", given="None"),
        "flow_shift: must be a number, not None",
        "--set flow_shift must be a number, not nothing",
        "Flow shift must be a number, not nothing",
        "Must be a number, not nothing",
    ),
    (
        Problem(field="path", message="must end in .gif", given="'x.png'"),
        "path: must end in .gif",
        "-o must end in .gif",
        "Path must end in .gif",
        "Must end in .gif",
    ),
    (
        Problem(
            field="guiding_video, pose_video",
            message="give exactly one of them: neither was given",
            given="[]",
            kind=ProblemKind.ONE_OF,
        ),
        "guiding_video, pose_video: give exactly one of them: neither was given",
        "give one of --guiding-video and --pose-video",
        "give one of Video of a person and Video of skeletons",
        "give one of Video of a person and Video of skeletons",
    ),
    (
        Problem(
            field="guiding_video",
            message="of no use for flow_shift='deep'; give pose_video",
            given="'walk.mp4'",
        ),
        "guiding_video: of no use for flow_shift='deep'; give pose_video",
        "--guiding-video: of no use for --set flow_shift=deep; give --pose-video",
        "Video of a person: of no use for Flow shift deep; give Video of skeletons",
        "Of no use for Flow shift deep; give Video of skeletons",
    ),
    (
        Problem(
            field="width, height",
            message="1600x1600 is 2,560,000 pixels, too many",
            given="1600x1600",
        ),
        "width, height: 1600x1600 is 2,560,000 pixels, too many",
        "--width and --height: 1600x1600 is 2,560,000 pixels, too many",
        "Width and Height: 1600x1600 is 2,560,000 pixels, too many",
        "1600x1600 is 2,560,000 pixels, too many",
    ),
    (
        Problem(field="loras", message="x.safetensors: holds no LoRA", given="'x.safetensors'"),
        "loras: x.safetensors: holds no LoRA",
        "--set loras: x.safetensors: holds no LoRA",
        "LoRAs: x.safetensors: holds no LoRA",
        "x.safetensors: holds no LoRA",
    ),
    (
        Problem(
            field="stepps",
            message="there is no such parameter; did you mean 'num_inference_steps'?",
            given="5",
            nearest="num_inference_steps",
            kind=ProblemKind.UNKNOWN,
        ),
        "stepps: there is no such parameter; did you mean 'num_inference_steps'?",
        "there is no parameter 'stepps'; did you mean --steps?",
        "there is no parameter 'stepps'; did you mean Steps?",
        "there is no parameter 'stepps'; did you mean Steps?",
    ),
]


@pytest.mark.parametrize(("problem", "python", "shell", "page", "at_field"), PROBLEMS)
def test_a_problem_is_said_in_the_words_of_the_surface(
    problem: Problem, python: str, shell: str, page: str, at_field: str
) -> None:
    """Keywords in Python, options in a shell, labels at the page, no name at its field."""
    assert say_problem(problem, PYTHON_WORDS) == python
    assert say_problem(problem, SHELL_WORDS) == shell
    assert say_problem(problem, PAGE_WORDS) == page
    assert say_problem(problem, PAGE_WORDS, at_field=True) == at_field


def test_several_problems_are_a_list() -> None:
    """One line each; what was checked is named for a program only."""
    error = ValidationError.of([PROBLEMS[0][0], PROBLEMS[2][0]], subject="a call")
    assert say_error(error, SHELL_WORDS) == (
        "2 problems:\n  - --image FILE is needed\n  - --steps must be 1 or more"
    )
    assert say_error(error, PYTHON_WORDS).startswith("2 problems with a call:\n  - image is needed")


def test_the_known_names_are_listed_once() -> None:
    """Two unknown parameters do not bury the rest."""
    message = "there is no such parameter; known: 'prompt', 'seed'"
    unknown = [
        Problem(field=name, message=message, given="1", kind=ProblemKind.UNKNOWN)
        for name in ("foo", "bar")
    ]
    assert say_error(ValidationError.of(unknown, subject="a call"), SHELL_WORDS) == (
        "2 problems:\n"
        "  - there is no parameter 'foo'\n"
        "  - there is no parameter 'bar'; known: prompt, seed"
    )


def test_an_error_without_problems_is_reworded_too() -> None:
    """Its text is the domain's, with the way to do what it advises."""
    error = TioMagicError("use num_frames=17, or change the setting gpu")
    assert say_error(error, PYTHON_WORDS) == (
        "use num_frames=17, or change the setting gpu [tm.configure(gpu=...)]"
    )
    assert say_error(error, SHELL_WORDS) == (
        "use --num-frames 17, or change the setting gpu [TIOMAGIC_GPU=...]"
    )


@pytest.mark.parametrize(
    ("text", "shell"),
    [
        ("guidance_scale=1 turns guidance off", "--guidance-scale 1 turns guidance off"),
        ("give guidance_scale_2=1 as well", "give --set guidance_scale_2=1 as well"),
        ("did you mean 'image'?", "did you mean --image?"),
        ("the image is small", "the image is small"),
        ("give its seed as seed=", "give its seed as --set seed"),
        ("the model reads 512", "the model reads 512"),
        ("Features: 'text_to_video'", "Features: 'text-to-video'"),
        ("/x/doodle-text_to_video-2026.mp4 is gone", "/x/doodle-text_to_video-2026.mp4 is gone"),
        ("must be 0 or more, or None for all", "must be 0 or more"),
    ],
)
def test_names_in_a_text_become_options(text: str, shell: str) -> None:
    """Words that are names only by chance stay, and to reword twice changes nothing."""
    assert reword(text, SHELL_WORDS) == shell
    assert reword(shell, SHELL_WORDS) == shell


def test_every_parameter_has_a_label() -> None:
    """A form shows no name of Python."""
    names = {
        parameter.name
        for card in models().values()
        for schema in card.features.values()
        for parameter in schema.parameters
    }
    assert names - LABELS.keys() == set()
    assert PAGE_WORDS.name("num_of_things") == "Of things"
    assert all("_" not in label and "=" not in label for label in LABELS.values())


UNKNOWN = ["fox", "runs", "through", "snow"]
ADVISED = [
    (PYTHON_WORDS, "model='wan2.1-t2v-1.3b'"),
    (SHELL_WORDS, "-m wan2.1-t2v-1.3b"),
    (PAGE_WORDS, "the model wan2.1-t2v-1.3b"),
]


@pytest.mark.parametrize(("words", "choice"), ADVISED)
def test_unknown_words_come_with_an_example_and_a_model(words: Vocabulary, choice: str) -> None:
    """What the model knows, what it did not understand, and two ways on."""
    job = make_job(model="doodle", facts={"unknown_words": UNKNOWN})
    said = (
        "doodle only knows shapes and stick figures; it did not understand: "
        f"fox, runs, through, snow. Try 'a red circle moves right', or {choice} (8 GiB GPU)"
    )
    assert say_early_warnings(job, words) == [said]
    event = {
        "event": "job.not_understood",
        "level": "warning",
        "job_id": job.job_id,
        "feature": "text_to_video",
        "model": "doodle",
        "words": UNKNOWN,
    }
    assert say_event(event, words) == f"warning: {said}"


def test_a_model_of_few_words_names_models_that_know_more() -> None:
    """Each does what was asked for, and was trained on open language."""
    cards = [card for card in models().values() if card.vocabulary]
    assert cards
    for card in cards:
        assert card.unknown_words(card.example_prompt) == []
        for feature in card.features:
            wider = models()[card.wider_models[feature]]
            assert (feature in wider.features, wider.vocabulary) == (True, frozenset())


def test_notes_of_inputs_and_of_the_run_are_warnings() -> None:
    """Those known before the run come first, with the name of the input."""
    facts = {
        "input_notes": ["pose_video: interlaced; the fields are joined"],
        "notes": ["the prompt has 90 tokens, of which the model reads 77", "use pose_colours=bgr"],
    }
    job = make_job(facts=facts)
    assert say_job_warnings(job, SHELL_WORDS) == [
        "--pose-video: interlaced; the fields are joined",
        "the prompt has 90 tokens, of which the model reads 77",
        "use --set pose_colours=bgr",
    ]
    assert len(say_run_warnings(job, PYTHON_WORDS)) == 2
    assert say_job_warnings(replace(job, facts={"notes": 3}), PAGE_WORDS) == []


SHAPES: tuple[object, ...] = (
    ["width: the model makes 832"],
    [{"name": "width", "given": 833, "used": 832, "reason": "it is a multiple of 16"}],
)
"""The shapes that a fact about a call may have."""


def noted_facts() -> set[str]:
    """Return the names of the facts that a preparation notes about a call."""
    source = Path(preparation.__file__).read_text(encoding="utf-8")
    values = [
        node.value
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.keyword) and node.arg == "facts")
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "facts")
    ]
    dicts = [part for value in values if value for part in ast.walk(value)]
    keys = [key for part in dicts if isinstance(part, ast.Dict) for key in part.keys if key]
    names = {key.value for key in keys if isinstance(key, ast.Constant)}
    named = {getattr(preparation, key.id) for key in keys if isinstance(key, ast.Name)}
    # The length of what is shown twice is for the joining; the notes on the size say it in words.
    return (names | named) - {OVERLAP_FRAMES_FACT}


def test_every_fact_that_a_job_begins_with_is_said() -> None:
    """What a preparation notes about a call is for its user: none of it may be silent."""
    assert {"unknown_words", "input_notes", "size_notes", "changed_choices"} <= noted_facts()
    for name in noted_facts():
        jobs = [make_job(model="doodle", facts={name: value}) for value in SHAPES]
        said = [len(say_early_warnings(job, SHELL_WORDS)) for job in jobs]
        assert 1 in said, f"say_job_warnings has no sentence for the fact {name!r}"


def logged_events() -> Iterator[tuple[str, str]]:
    """Give the file and the name of each event that the facade and the server log."""
    theirs = (FACADE, SERVER)
    for path in (one for one in find_sources() if any(map(one.is_relative_to, theirs))):
        for node in nodes_of(path):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            logs = node.func.attr in {"debug", "info", "warning", "error", "exception"}
            if logs and node.args and "logger" in ast.unparse(node.func.value):
                yield path.name, ast.unparse(node.args[0]).strip("'")


def test_every_event_has_its_sentence() -> None:
    """An event that is added without one fails here; so does a sentence that nothing logs."""
    from tiomagic.display.journal import EVENT_BY_STATUS

    texts = {name for _, name in logged_events() if "." in name and " " not in name}
    assert len(texts) > 8
    assert texts | set(EVENT_BY_STATUS.values()) == set(SENTENCES)


EVENTS = [
    ({"event": "run.troubled", "level": "warning", "error": "no disk"}, "warning: no disk"),
    ({"event": "job.started", "level": "info", "job_id": "7"}, "job 7 has started"),
    ({"event": "job.started", "level": "info"}, "job.started"),
    ({"event": "new.thing", "level": "debug", "a": 1}, "debug: new.thing (a 1)"),
    ({"event": "a text of an adapter", "level": "warning"}, "warning: a text of an adapter"),
    (
        {
            "event": "job.completed",
            "level": "info",
            "job_id": "7",
            "seconds": 3.2,
            "result_video": "/a.mp4",
        },
        "job 7 is done, 3 s: /a.mp4",
    ),
    (
        {"event": "job.input_noted", "level": "warning", "notes": ["image: lies on its side"]},
        "warning: --image: lies on its side",
    ),
    (
        {"event": "job.size_noted", "level": "warning", "notes": ["width: 720 is nearest"]},
        "warning: --width: 720 is nearest",
    ),
    (
        {"event": "job.choice_changed", "level": "warning", "changes": ["width=7 is left out: x"]},
        "warning: --width 7 is left out: x",
    ),
]


@pytest.mark.parametrize(("event", "sentence"), EVENTS)
def test_an_event_is_one_line(event: dict[str, object], sentence: str) -> None:
    """With its level before a warning; one that is not known, or lacks a field, is shown whole."""
    assert say_event(event, SHELL_WORDS) == sentence


def test_a_log_has_lines_for_people() -> None:
    """The time, the level where it matters, and the sentence; a text of an adapter as it is."""
    formatter = SentenceFormatter(ShellVocabulary())
    event = {"event": "job.started", "level": "info", "job_id": "7"}
    lines = [
        formatter.format(logging.LogRecord("tiomagic", level, "f", 1, text, args, None))
        for level, text, args in (
            (logging.INFO, event, ()),
            (logging.WARNING, "the drive of %s is slow", ("/x",)),
        )
    ]
    assert [line[20:] for line in lines] == [
        "job 7 has started",
        "warning: the drive of /x is slow",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)


def test_features_are_what_the_event_has() -> None:
    """The advised model does what was asked for."""
    event = {"event": "job.not_understood", "model": "doodle", "words": ["fox"]}
    pose = say_event({**event, "feature": Feature.POSE_GUIDANCE.value}, SHELL_WORDS)
    assert pose.endswith("or -m wan2.1-vace-1.3b (8 GiB GPU)")
