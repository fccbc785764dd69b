"""OpenRouter's own client makes, follows and fetches videos, and reads the models."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from openrouter import OpenRouter
from openrouter.errors import BadRequestResponseError, OpenRouterError
from tests.server.conftest import MODEL, FakeStudio
from tests.server.pictures import picture


@pytest.fixture
def client(studio: FakeStudio) -> Iterator[OpenRouter]:
    """The client, which gives up at once."""
    with OpenRouter(server_url=f"{studio.url}/api/v1", api_key="none") as made:
        yield made


def address(data: bytes) -> str:
    """Return a picture as an address."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def test_a_video_between_two_frames(studio: FakeStudio, client: OpenRouter) -> None:
    """First and last frame make it an interpolation; its end has an address and no price."""
    frames = [
        {
            "type": "image_url",
            "image_url": {"url": address(picture(colour))},
            "frame_type": frame_type,
        }
        for colour, frame_type in (("red", "first_frame"), ("blue", "last_frame"))
    ]
    made = client.video_generation.generate(
        model=MODEL, prompt="a fox", duration=5, frame_images=frames, generate_audio=False
    )
    assert made.status == "pending"
    job = studio.tm.get_job(made.id)
    assert (job.feature, job.optional_args["num_frames"]) == ("interpolate", 81)
    studio.provider.finish(made.id)
    done = client.video_generation.get_generation(job_id=made.id)
    assert (done.status, done.polling_url) == ("completed", made.polling_url)
    assert done.unsigned_urls == [f"{made.polling_url}/content"]
    content = client.video_generation.get_video_content(job_id=made.id)
    assert content.read() == f"a video of {made.id}".encode()  # type: ignore[attr-defined]


def test_the_models_say_what_they_make(client: OpenRouter) -> None:
    """Sizes, lengths and frames of each, in the form that the client checks."""
    found = {model.id: model for model in client.video_generation.list_videos_models().data}
    vace = found[MODEL]
    assert vace.supported_sizes == ["832x480"]
    assert vace.supported_frame_images == ["first_frame", "last_frame"]
    assert vace.supported_durations is not None
    assert 5 in vace.supported_durations
    assert vace.pricing_skus is None, "nothing is billed on the own machine"
    assert (vace.seed, vace.hugging_face_id) == (True, "Wan-AI/Wan2.1-VACE-14B-diffusers")


def test_an_error_is_one_of_the_clients(client: OpenRouter) -> None:
    """Its code is the status, as the client wants it; ours is beside it."""
    with pytest.raises(BadRequestResponseError) as caught:
        client.video_generation.generate(model="veo-9", prompt="a fox")
    assert caught.value.data.error.code == 400
    assert "veo-9" in caught.value.data.error.message
    with pytest.raises(OpenRouterError, match="input_references"):
        client.video_generation.generate(
            model=MODEL,
            prompt="a fox",
            input_references=[{"type": "image_url", "image_url": {"url": address(picture())}}],
        )
