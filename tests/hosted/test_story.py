"""What a user does: a key, three lines, a video; and what the records say afterwards."""

import json

import pytest
from tests.hosted.vendors import BY_KEY, LUMA

from tiomagic import TioMagic
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.jobs.job import JobStatus


@pytest.fixture(params=BY_KEY, ids=str)
def vendor(request):
    """Each vendor that asks for a key."""
    return request.param


def start(vendor, tmp_path, key):
    settings = {f"{vendor.name}_key": key} if key else {}
    return TioMagic(
        working_dir=tmp_path, provider=vendor.name, allow_private_media=True, **settings
    )


def test_from_a_key_to_a_video(vendor, site, tmp_path):
    """The key and the vendor's addresses are in no file that stays."""
    tm = start(vendor, tmp_path, site.key)
    job = tm.text_to_video(prompt="a fox", **vendor.arguments)
    assert job.result().is_file()
    assert job.status == JobStatus.COMPLETED
    said = json.dumps(job.to_dict())
    assert site.key not in said
    assert site.address not in said
    assert len(site.runs) == 1
    tm.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert site.key.encode() not in path.read_bytes(), path


def test_without_a_key_nothing_is_sent(vendor, site, tmp_path, monkeypatch):
    monkeypatch.delenv(vendor.key_variable, raising=False)
    tm = start(vendor, tmp_path, None)
    plan = tm.plan("text_to_video", prompt="a fox", **vendor.arguments)
    assert vendor.key_variable in json.dumps(plan)
    assert site.seen == {}


@pytest.mark.parametrize("vendor", [LUMA], ids=str)
def test_a_private_picture_is_not_put_on_the_web(vendor, site, tmp_path):
    """The error names the argument and what works; no job is stored."""
    import numpy as np
    from PIL import Image

    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "mine.png")
    tm = start(vendor, tmp_path, site.key)
    with pytest.raises(ValidationError, match=r"image: must be an https address.*'fal'"):
        tm.image_to_video(prompt="a fox", image=tmp_path / "mine.png")
    assert site.seen == {}
    assert tm.list_jobs() == []
