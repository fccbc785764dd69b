"""OpenAI's own client makes, follows, lists, fetches and deletes videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openai
import pytest
from tests.server.conftest import MODEL, FakeStudio
from tests.server.pictures import picture

from tiomagic_domain.errors import GenerationError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_media.encode.mp4 import write_mp4

pytestmark = pytest.mark.filterwarnings("ignore:.*Sora API.*:DeprecationWarning")


def test_a_video_from_create_to_delete(studio: FakeStudio) -> None:
    """The whole life of a video, as the client's own documentation shows it."""
    client = studio.openai()
    video = client.videos.create(
        model=MODEL,
        prompt="a fox runs",
        seconds="5",
        size="832x480",  # type: ignore[arg-type]
    )
    assert (video.object, video.status, video.model) == ("video", "queued", MODEL)
    assert (video.seconds, video.size, video.prompt) == ("5.062", "832x480", "a fox runs")
    done = client.videos.poll(video.id, poll_interval_ms=20)
    assert (done.status, done.progress, done.error) == ("completed", 100, None)
    assert done.completed_at is not None
    assert done.created_at <= done.completed_at
    content = client.videos.download_content(video.id).read()
    assert content == f"a video of {video.id}".encode()
    gone = client.videos.delete(video.id)
    assert (gone.id, gone.deleted, gone.object) == (video.id, True, "video.deleted")
    with pytest.raises(openai.NotFoundError) as caught:
        client.videos.retrieve(video.id)
    assert caught.value.code == "not_found"
    assert str(studio.tm.settings.working_dir) not in str(caught.value)


def test_a_poll_says_when_to_come_again(studio: FakeStudio) -> None:
    """The client obeys the header; a finished video has none."""
    client = studio.openai()
    video = client.videos.create(prompt="a fox")
    asked = client.videos.with_raw_response.retrieve(video.id)
    assert int(asked.headers["openai-poll-after-ms"]) == 1000
    studio.provider.finish(video.id)
    client.videos.poll(video.id, poll_interval_ms=20)
    done = client.videos.with_raw_response.retrieve(video.id)
    assert "openai-poll-after-ms" not in done.headers
    assert done.headers["x-request-id"].startswith("req_")


def test_pages_in_both_orders(studio: FakeStudio) -> None:
    """The client walks through all pages by the cursor."""
    client = studio.openai()
    made = [client.videos.create(prompt=f"fox {number}").id for number in range(5)]
    assert [video.id for video in client.videos.list(limit=2, order="asc")] == made
    assert [video.id for video in client.videos.list(limit=2)] == made[::-1]
    page = client.videos.list(limit=2, order="asc")
    assert (page.has_more, page.last_id) == (True, made[1])  # type: ignore[attr-defined]


def test_a_picture_to_begin_with(studio: FakeStudio) -> None:
    """A file as ``input_reference`` makes it image to video, also with an address in the body."""
    client = studio.openai()
    video = client.videos.create(
        prompt="a fox",
        input_reference=("fox.png", picture(), "image/png"),
        size="64x48",  # type: ignore[arg-type]
    )
    job = studio.tm.get_job(video.id)
    assert (job.feature, job.required_args["image"]["width"]) == ("image_to_video", 64)
    assert video.model_extra is not None
    assert video.model_extra["feature"] == "image_to_video"


def test_every_parameter_by_its_own_name(studio: FakeStudio) -> None:
    """What the client flattens arrives as it was: numbers, switches, objects, lists."""
    video = studio.openai().videos.create(
        prompt="a fox",
        extra_body={
            "num_frames": 21,
            "guidance_scale": 3.5,
            "negative_prompt": "rain",
            "acceleration": {"attention": "native"},
            "extra_params": {"seed": 7},
        },
    )
    arguments = studio.tm.get_job(video.id).optional_args
    assert arguments["num_frames"] == 21
    assert arguments["guidance_scale"] == 3.5
    assert (arguments["seed"], arguments["negative_prompt"]) == (7, "rain")
    assert arguments["acceleration"]["attention"] == "native"


def test_an_error_has_all_problems_in_the_clients_words(studio: FakeStudio) -> None:
    """One answer names everything that is wrong, and nothing is stored."""
    with pytest.raises(openai.BadRequestError) as caught:
        studio.openai().videos.create(
            prompt="a fox",
            size="100",  # type: ignore[arg-type]
            seconds="900",  # type: ignore[arg-type]
            extra_body={"sed": 1, "image": "/etc/passwd"},
        )
    error = caught.value
    assert (error.type, error.code) == ("invalid_request_error", "invalid_input")
    assert isinstance(error.body, dict)
    named = {problem["field"] for problem in error.body["problems"]}
    assert named == {"size", "seconds", "sed", "image"}
    assert studio.tm.list_jobs() == []


def test_a_failed_job_is_an_answer(studio: FakeStudio) -> None:
    """A retrieve of a failed video raises nothing: the status says it."""
    client = studio.openai()
    studio.provider.failure = GenerationError("the model broke", code="not_finite")
    video = client.videos.create(prompt="a fox")
    failed = client.videos.poll(video.id, poll_interval_ms=20)
    assert failed.status == "failed"
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("not_finite", "the model broke")
    with pytest.raises(openai.NotFoundError):
        client.videos.download_content(video.id)


def test_a_running_video_is_canceled_before_it_is_deleted(studio: FakeStudio) -> None:
    """The answer comes when the run has stopped."""
    client = studio.openai()
    video = client.videos.create(prompt="a fox")
    assert client.videos.delete(video.id).deleted
    assert studio.provider.canceled == [video.id]
    assert studio.provider.runs[video.id].status is JobStatus.CANCELED
    assert studio.tm.list_jobs() == []


def test_content_of_a_video_that_is_not_made_yet(studio: FakeStudio) -> None:
    """A conflict: the same request works later."""
    client = studio.openai()
    video = client.videos.create(prompt="a fox")
    with pytest.raises(openai.ConflictError) as caught:
        client.videos.download_content(video.id)
    assert caught.value.code == "job_not_over"


def test_a_remix_has_other_words_and_the_same_seed(studio: FakeStudio) -> None:
    """And it says what it was made from."""
    client = studio.openai()
    video = client.videos.create(prompt="a fox", extra_body={"seed": 5})
    remix = client.videos.remix(video.id, prompt="a hare")
    assert (remix.remixed_from_video_id, remix.prompt) == (video.id, "a hare")
    assert studio.tm.get_job(remix.id).seed == 5


def test_what_no_model_does_is_an_error_that_says_what_works(studio: FakeStudio) -> None:
    """Edits and characters are known to the client, and to no model here."""
    client = studio.openai()
    with pytest.raises(openai.BadRequestError, match="remix"):
        client.videos.edit(prompt="a hat", video=("v.mp4", b"x", "video/mp4"))
    with pytest.raises(openai.BadRequestError, match="characters"):
        client.videos.create_character(name="Ann", video=("v.mp4", b"x", "video/mp4"))


def test_an_extension_has_the_length_of_both_parts(studio: FakeStudio, tmp_path: Path) -> None:
    """A file goes on with the provider's own model; ``seconds`` are those of the new part."""
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, np.zeros((16, 64, 64, 3), np.uint8), fps=16, recipe={})
    longer = studio.openai().videos.extend(
        prompt="it goes on", seconds=5, video=("clip.mp4", clip.read_bytes(), "video/mp4")
    )
    job = studio.tm.get_job(longer.id)
    assert job.feature == "image_to_video"
    assert job.optional_args["continued_video"]["frames"] == 16
    added = job.optional_args["num_frames"] - job.facts["overlap_frames"]
    assert float(longer.seconds) == pytest.approx((16 + added) / 16, abs=0.001)
    assert float(longer.seconds) > 5
