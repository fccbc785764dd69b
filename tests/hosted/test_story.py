"""What a user does: a key, three lines, a video; and what the records say afterwards."""

import json

from tiomagic import TioMagic
from tiomagic_domain.jobs.job import JobStatus


def test_from_a_key_to_a_video(fal, tmp_path):
    tm = TioMagic(working_dir=tmp_path, provider="fal", fal_key=fal.key, allow_private_media=True)
    job = tm.text_to_video(prompt="a fox", seconds=5)
    assert job.result().is_file()
    assert job.status == JobStatus.COMPLETED
    said = json.dumps(job.to_dict())
    assert fal.key not in said
    assert fal.address not in said
    assert len(fal.runs) == 1


def test_without_a_key_nothing_is_sent(fal, tmp_path, monkeypatch):
    monkeypatch.delenv("FAL_KEY", raising=False)
    tm = TioMagic(working_dir=tmp_path, provider="fal")
    plan = tm.plan("text_to_video", prompt="a fox")
    assert "FAL_KEY" in json.dumps(plan)
    assert fal.seen == {}
