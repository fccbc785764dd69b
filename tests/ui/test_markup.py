"""Words of a job are text wherever they are shown, and a bad record is shown as such."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from tiomagic.display import notebook
from tiomagic.ui.controller import find_ways_out
from tiomagic.ui.form import marks
from tiomagic.ui.jobs import bars, compare, markup
from tiomagic.ui.jobs.running_jobs import RunningJob
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.progress import DownloadState, Phase, Preview, Progress
from tiomagic_domain.testing import make_job

MARK = (
    """'"><img src="https://tracker.example/p" onerror=alert(1)><script>x</script>&lt;<!--`${1}"""
)
HALF = "a \ud83d fox\0\x1b[2J"


class Tags(HTMLParser):
    """Collects what a browser would make of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag and its attributes."""
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def job_with_text(words: str, **more: Any) -> Job:
    """A job that has some words at every place."""
    reference = {"sha256": words, "kind": words, "name": words}
    fields: dict[str, Any] = {
        "job_id": words,
        "model": words,
        "provider": words,
        "message": words,
        "error": words,
        "call_id": words,
        "queue": words,
        "tags": (words,),
        "note": words,
        "required_args": {"prompt": words, "image": reference, words: words},
        "optional_args": {"seed": words, "loras": [{"source": words}]},
    }
    return replace(make_job(), **fields | more)


def render_everything(job: Job) -> list[str]:
    """Everything that the page and a notebook show of a job."""
    moment = RunningJob(job=job, eta_s=1.0, trouble=str(job.error))
    return [
        markup.card(job, chosen=True),
        markup.render_selected(job),
        bars.render_running([moment]),
        bars.render_progress([moment]),
        marks.problem([str(job.error)]),
        marks.form_mark(1, [job.model]),
        compare.comparison([job]),
        compare.comparison([job, replace(job, optional_args={})]),
        notebook.render_job(job),
    ]


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize("video", [None, f"/videos/{MARK}.mp4"])
def test_words_of_a_job_are_no_markup(status: JobStatus, video: str | None) -> None:
    """At no place do they make an element or an attribute."""
    plain = [Tags() for _ in range(9)]
    marked = [Tags() for _ in range(9)]
    clean = None if video is None else "/videos/x.mp4"
    for tags, text in zip(
        plain, render_everything(job_with_text("x", status=status, result_video=clean)), strict=True
    ):
        tags.feed(text)
    for tags, text in zip(
        marked,
        render_everything(job_with_text(MARK, status=status, result_video=video)),
        strict=True,
    ):
        tags.feed(text)
    for first, second in zip(plain, marked, strict=True):
        assert second.found == first.found
        assert second.attributes == first.attributes
        assert not {"img", "script"} & second.found


def test_what_is_no_character_is_replaced() -> None:
    """All that is shown can be encoded, and has no control codes."""
    for text in render_everything(
        job_with_text(HALF, status=JobStatus.COMPLETED, result_video=f"/{HALF}.mp4")
    ):
        text.encode("utf-8")
        assert "\0" not in text
        assert "\x1b" not in text


BAD: list[dict[str, Any]] = [
    {"required_args": {"prompt": {"a": 1}}, "optional_args": {"seed": [1]}},
    {"required_args": {"image": {"sha256": None}}},
    {"required_args": {"image": {"sha256": 7, "name": ["x"]}}},
    {"optional_args": {"x": float("nan"), "y": float("inf"), "z": 10**400}},
    {"creation_time": datetime.min.replace(tzinfo=UTC)},
    {"creation_time": datetime.max.replace(tzinfo=UTC)},
    {"started_at": datetime(2026, 2, 1, tzinfo=UTC), "ended_at": datetime(2026, 1, 1)},  # noqa: DTZ001
    {"model": None, "provider": 7},
    {"result_video": "/dev/zero"},
    {"result_video": "a\0b.mp4"},
]


@pytest.mark.parametrize("fields", BAD, ids=repr)
def test_a_bad_record_closes_nothing(fields: dict[str, Any]) -> None:
    """It is shown as it is, or a line says that it cannot be; no other job is touched."""
    bad = replace(make_job(job_id="bad", status=JobStatus.COMPLETED), **fields)
    good = make_job(job_id="good", prompt="a fox", status=JobStatus.COMPLETED)
    cards = [markup.card(job, chosen=False) for job in (bad, good)]
    assert "bad" in cards[0]
    assert "a fox" in cards[1]
    assert "good" in bars.render_running(
        [RunningJob(job=bad, eta_s=None), RunningJob(job=good, eta_s=None)]
    )
    assert "good" in bars.render_progress(
        [RunningJob(job=bad, eta_s=None), RunningJob(job=good, eta_s=None)]
    )
    markup.render_selected(bad)
    assert "good" in compare.comparison([bad, good])


def test_progress_is_json_in_an_attribute() -> None:
    """The script of the page reads it back as it was."""

    class Progress(HTMLParser):
        said = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            """Keep the attribute."""
            self.said = dict(attrs)["data-progress"] or ""

    parser = Progress()
    parser.feed(
        bars.render_progress([RunningJob(job=job_with_text(MARK), eta_s=None, trouble=MARK)])
    )
    (percent, says) = json.loads(parser.said)[MARK]
    assert percent is None
    assert MARK in says


def test_previews_are_pictures_or_reasons() -> None:
    """A job without either has none; text of a reason is no markup."""
    jobs = [replace(job_with_text("x"), job_id=name) for name in ("seen", "refused", "waits")]
    found = [Preview(jpeg=b"picture"), Preview(reason=MARK), Preview()]
    moments = [
        RunningJob(job=job, eta_s=None, preview=one) for job, one in zip(jobs, found, strict=True)
    ]
    html = bars.render_previews(moments)
    assert "<img" not in html
    (text,) = re.findall('data-previews="([^"]*)"', html)
    said = json.loads(unescape(text))
    assert said.keys() == {"seen", "refused"}
    assert said["seen"] == ["data:image/jpeg;base64,cGljdHVyZQ==", ""]
    assert said["refused"][0] == ""
    assert "script" in said["refused"][1]


def test_a_download_and_the_order_of_the_queue_are_told() -> None:
    """How much of how much, how fast, and how many come first."""
    state = DownloadState(
        file="model.safetensors",
        number=2,
        files=3,
        bytes_done=2**30,
        bytes_total=4 * 2**30,
        bytes_per_s=50e6,
    )
    running = replace(
        make_job(job_id="a", status=JobStatus.RUNNING),
        queue="gpu",
        progress=Progress(phase=Phase.DOWNLOADING, download=state),
    )
    waiting = replace(make_job(job_id="b"), queue="gpu")
    shown = bars.render_progress([RunningJob(job=job, eta_s=None) for job in (running, waiting)])
    for said in ("1.0 of 4.0 GiB", "50 MB/s", "file 2 of 3: model.safetensors", "1 job before it"):
        assert said in shown, said


def test_only_a_job_behind_others_of_its_queue_can_overtake() -> None:
    """The first of each queue, a running job and one of a remote provider have no such button."""
    jobs = [
        make_job(job_id="runs", status=JobStatus.RUNNING, queue="gpu"),
        make_job(job_id="first", queue="gpu"),
        make_job(job_id="behind", queue="gpu"),
        make_job(job_id="alone", queue="cpu"),
        make_job(job_id="remote"),
        make_job(job_id="remote too"),
    ]
    shown = bars.render_running(RunningJob(job=job, eta_s=None) for job in jobs)
    assert re.findall(r'data-action="run-next" data-job="([^"]+)"', shown) == ["behind"]


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (JobStatus.QUEUED, "waits for a worker", "Waiting for a worker"),
        (JobStatus.RUNNING, "running", "Running"),
        (JobStatus.RUNNING, "taken by a worker", "Running · taken by a worker"),
    ],
)
def test_a_message_that_says_no_more_than_the_status_is_left_out(
    status: JobStatus, message: str, says: str
) -> None:
    """Nobody wants to read that a job is running, and running."""
    job = replace(make_job(job_id="a", status=status), message=message)
    shown = bars.render_progress([RunningJob(job=job, eta_s=None)])
    assert f"&quot;{says}&quot;" in shown.replace("\\u00b7", "·")


def test_jobs_of_one_prompt_are_told_apart_by_their_seeds() -> None:
    """Several videos of one press differ in nothing else."""
    job = make_job(job_id="a", status=JobStatus.RUNNING, optional_args={"seed": 8})
    shown = bars.render_running([RunningJob(job=job, eta_s=None)])
    assert f"{job.model} · seed\N{NO-BREAK SPACE}8" in shown


def test_what_a_model_did_not_understand_stands_at_its_video() -> None:
    """In a sentence, with something that works."""
    job = replace(
        make_job(status=JobStatus.COMPLETED), model="doodle", facts={"unknown_words": ["fox"]}
    )
    shown = markup.render_selected(job)
    assert "doodle only knows shapes and stick figures; it did not understand: fox" in shown


def test_up_to_four_videos_are_compared() -> None:
    """A fifth takes the place of the first; a setting that is the same in all is no difference."""
    chosen: list[str] = []
    for name in "abcde":
        chosen = compare.toggle_compared(chosen, name)
    assert chosen == ["b", "c", "d", "e"]
    assert compare.toggle_compared(chosen, "c") == ["b", "d", "e"]
    jobs = [replace(make_job(), optional_args={"seed": 7, "fps": fps}) for fps in (8, 8, 16)]
    assert compare.diff_jobs(*jobs) == [("fps", 8, 8, 16)]
    assert '<th scope="col">Video 3</th>' in compare.comparison(jobs)


def test_a_refusal_has_buttons_for_what_would_work() -> None:
    """The other places and models that the preflight names; a page that is shown none has none."""
    ways = [{"kind": "provider", "name": "modal", "note": ""}, {"kind": "model", "name": "doodle"}]
    error = ConfigurationError("it cannot run", details={"preflight": {"alternatives": ways}})
    found = find_ways_out(error)
    assert found == [("provider", "modal"), ("model", "doodle")]
    shown = marks.problem(["it cannot run"], found)
    assert 'data-action="provider" data-job="modal">Run it on modal</button>' in shown
    assert 'data-action="model" data-job="doodle">Use doodle</button>' in shown
    assert "<button" not in marks.problem(
        ["it cannot run"], find_ways_out(ConfigurationError("no"))
    )


def test_a_comparison_names_settings_as_the_form_does() -> None:
    """What differs, by its label."""
    jobs = [replace(make_job(), optional_args={"num_inference_steps": steps}) for steps in (4, 12)]
    shown = compare.comparison(jobs)
    assert '<th scope="row">Steps</th><td>4</td><td>12</td>' in shown
    assert "num_inference_steps" not in shown
