"""``idempotency_key``: a call that is sent again, also by another process, starts nothing new."""

import asyncio

import pytest

from tiomagic import AsyncTioMagic, TioMagic
from tiomagic_domain.errors import ValidationError


def test_every_feature_takes_a_key(fake_app):
    """The four features and a rerun give the job of the key when they are sent again."""
    tm = fake_app.tm
    tm.configure(provider="modal")
    calls = {
        "text_to_video": {"prompt": "a fox"},
        "image_to_video": {"prompt": "a fox", "image": b"red"},
        "interpolate": {"prompt": "a fox", "first_frame": b"red", "last_frame": b"blue"},
        "pose_guidance": {"prompt": "a fox", "image": b"red", "pose_video": b"walk"},
    }
    for feature, call in calls.items():
        ids = {getattr(tm, feature)(**call, idempotency_key=feature).job_id for _ in range(2)}
        assert len(ids) == 1
    job = tm.text_to_video(prompt="an owl")
    ids = {tm.rerun(job.job_id, seed=7, idempotency_key="again").job_id for _ in range(2)}
    assert len(ids) == 1
    assert len(fake_app.modal.submitted) == 6
    assert tm.get_job(ids.pop()).to_dict()["idempotency_key"] == "again"


def test_another_process_gets_the_same_job(fake_app, folder):
    """Who opens the same database sees the key; another call is refused with the difference."""
    fake_app.tm.configure(provider="modal")
    first = fake_app.tm.text_to_video(prompt="a fox", idempotency_key="order-7")
    parts = {
        "providers": {"modal": fake_app.modal},
        "media": fake_app.media,
        "clock": fake_app.clock,
    }
    other = TioMagic(working_dir=folder, overrides=parts, provider="modal")
    assert other.text_to_video(prompt="a fox", idempotency_key="order-7").job_id == first.job_id
    with pytest.raises(ValidationError, match="prompt: is 'an owl', and was 'a fox'"):
        other.text_to_video(prompt="an owl", idempotency_key="order-7")
    other.close()


def test_a_job_that_is_under_way_elsewhere_is_waited_for(fake_app):
    """Where a call returns with its video, one that finds its job in another process waits."""
    fake_app.tm.configure(provider="local")
    found = []

    def send_again(step):
        if step == 1:
            found.append(
                fake_app.tm.text_to_video(prompt="a fox", idempotency_key="k", wait=False).status
            )

    fake_app.local.during = send_again
    job = fake_app.tm.text_to_video(prompt="a fox", idempotency_key="k")
    assert (job.status, found) == ("completed", ["running"])
    assert len(fake_app.local.submitted) == 1


def test_the_asynchronous_client_takes_a_key(fake_app):
    """Ten tasks that send one call get one job."""
    fake_app.tm.configure(provider="modal")

    async def main():
        async with AsyncTioMagic(fake_app.tm) as tm:
            calls = (tm.text_to_video(prompt="a fox", idempotency_key="k") for _ in range(10))
            return {job.job_id for job in await asyncio.gather(*calls)}

    assert len(asyncio.run(main())) == 1
    assert len(fake_app.modal.submitted) == 1
