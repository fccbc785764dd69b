"""What a user does: a key, three lines, a video; and what the records say afterwards."""

import json
import re
from functools import partial

import pytest
from tests.hosted.vendors import BY_KEY, FAL, LUMA, OMNI, OPENROUTER, RUNWAY

from tiomagic import TioMagic
from tiomagic.cli._output import Output
from tiomagic.cli._run import show_result
from tiomagic.cli.commands.cancel import cancel
from tiomagic.cli.commands.status import describe_job
from tiomagic.display.plans import describe_plan
from tiomagic_domain.errors import AuthenticationError, UnknownModelError, ValidationError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.ports.rehearsal import CheckOutcome
from tiomagic_hosted.plugins.fal import PLUGIN


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


def write_picture(tmp_path, size=(64, 64)):
    """Write a picture that cannot be made small: noise, of 3 bytes a pixel."""
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(20).integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "mine.png", compress_level=0)
    return tmp_path / "mine.png"


@pytest.mark.parametrize("key", ["“sk-quoted”", "two keys"])
def test_a_key_that_cannot_be_sent_is_refused_before_a_job_is_stored(vendor, site, tmp_path, key):
    """The clients find out while they send, where it would look like a lost answer."""
    tm = start(vendor, tmp_path, key)
    with pytest.raises(AuthenticationError, match=vendor.key_variable) as caught:
        tm.text_to_video(prompt="a fox", **vendor.arguments)
    assert key not in json.dumps(caught.value.to_dict(), ensure_ascii=False)
    assert site.seen == {}
    assert tm.list_jobs() == []


def test_a_diagnosis_finds_a_key_that_cannot_be_sent():
    """``tiomagic doctor`` says so, without the key."""
    (check,) = PLUGIN.diagnose({"fal_key": "“sk-quoted”"})
    assert check.outcome is CheckOutcome.PROBLEM
    assert "FAL_KEY" in check.message
    assert "quoted”" not in check.message


@pytest.mark.parametrize("vendor", [OPENROUTER, OMNI], ids=str)
def test_a_picture_too_large_for_the_vendor_is_found_in_the_plan(vendor, site, tmp_path):
    """It names the argument and the limit; no job is stored, nothing is sent."""
    tm, picture = start(vendor, tmp_path, site.key), write_picture(tmp_path, (2400, 2400))
    for call in (partial(tm.plan, "image_to_video"), tm.image_to_video):
        with pytest.raises(ValidationError, match="image: must have at most 15 MiB, not 17"):
            call(prompt="a fox", image=picture)
    assert site.seen == {}
    assert tm.list_jobs() == []


@pytest.mark.parametrize("vendor", [FAL], ids=str)
def test_the_next_provider_gets_a_file_that_the_first_cannot_read(site, tmp_path):
    """Luma reads addresses alone; its error names fal, and fal is the next of the list."""
    settings = {"fal_key": site.key, "luma_key": "another"}
    tm = TioMagic(working_dir=tmp_path, provider=["luma", "fal"], **settings)
    plan = tm.plan("image_to_video", prompt="a fox", image=write_picture(tmp_path))
    assert plan["provider"] == "fal"
    (passed,) = plan["passed_over"]
    assert (passed["provider"], passed["code"]) == ("luma", "file_not_taken")


@pytest.mark.parametrize(
    ("vendor", "model"), [(FAL, "fal-wan-motion"), (RUNWAY, "runway-act-two")], ids=str
)
def test_pose_guidance_needs_no_name_of_a_model(vendor, model, site, tmp_path, video):
    """A provider's usual model cannot do it, and another one of the same provider can."""
    (tmp_path / "dance.mp4").write_bytes(video)
    tm = start(vendor, tmp_path, site.key)
    named = {"image": write_picture(tmp_path), "guiding_video": tmp_path / "dance.mp4"}
    assert tm.plan("pose_guidance", prompt="a dance", **named)["model"] == model
    assert tm.get_default_model(feature="pose_guidance") == model
    assert tm.get_default_model() == vendor.catalogue.default_model


@pytest.mark.parametrize("vendor", [LUMA], ids=str)
def test_who_can_do_what_a_provider_cannot_is_named(vendor, site, tmp_path):
    tm = start(vendor, tmp_path, site.key)
    with pytest.raises(UnknownModelError, match=r"'fal', 'local', 'runway'"):
        tm.plan("pose_guidance", prompt="a dance", image=write_picture(tmp_path))


@pytest.mark.parametrize("vendor", [FAL], ids=str)
def test_a_video_made_again_at_a_vendor_has_no_versions_to_differ_in(vendor, site, tmp_path):
    tm = start(vendor, tmp_path, site.key)
    again = tm.rerun(tm.text_to_video(prompt="a fox").result())
    again.result()
    assert again.differences == []


@pytest.mark.parametrize("vendor", [LUMA], ids=str)
def test_a_private_picture_is_not_put_on_the_web(vendor, site, tmp_path):
    """The error names the argument and what works; no job is stored."""
    picture = write_picture(tmp_path)
    tm = start(vendor, tmp_path, site.key)
    with pytest.raises(ValidationError, match=r"image: must be an https address.*'fal'"):
        tm.image_to_video(prompt="a fox", image=picture)
    assert site.seen == {}
    assert tm.list_jobs() == []


@pytest.mark.parametrize("vendor", [FAL], ids=str)
def test_a_plan_says_what_is_chosen_in_place_of_a_size(vendor, site, tmp_path):
    """And no word about memory that a hosted model does not need."""
    text = describe_plan(start(vendor, tmp_path, site.key).plan("text_to_video", prompt="a fox"))
    assert "\nsize      768p, 16:9\n" in text
    assert text.endswith("verdict   it can run")


@pytest.mark.parametrize("vendor", [FAL], ids=str)
def test_the_state_of_a_job_says_who_was_passed_over(site, tmp_path):
    """Luma's price is not known, so it is above any limit."""
    settings = {"fal_key": site.key, "luma_key": "another", "max_cost": 1}
    tm = TioMagic(working_dir=tmp_path, provider=["luma", "fal"], **settings)
    shown = describe_job(tm.text_to_video(prompt="a fox"))
    assert "not on    luma: " in shown


@pytest.mark.parametrize("vendor", [OPENROUTER], ids=str)
def test_canceling_says_that_the_vendor_goes_on(vendor, site, tmp_path, monkeypatch, capsys):
    """The word ``canceling`` alone would promise that nothing is billed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(vendor.key_variable, site.key)
    job = start(vendor, tmp_path, site.key).text_to_video(prompt="a long run")
    cancel(job.job_id)
    said = capsys.readouterr()
    assert said.out == "canceling\n"
    assert "OpenRouter cannot stop a run: it is made and billed" in said.err


@pytest.mark.parametrize("vendor", [RUNWAY], ids=str)
def test_the_end_of_a_command_says_what_the_run_cost(vendor, site, tmp_path, capsys):
    """Beside the path, where it can be seen and is in nobody's pipe."""
    job = start(vendor, tmp_path, site.key).text_to_video(prompt="a fox", **vendor.arguments)
    show_result(Output(as_json=False, debug=False), job)
    said = capsys.readouterr()
    assert said.out.strip() == str(job.result())
    assert re.search(r"^cost: \d+\.\d\d USD \(.+\)$", said.err, re.MULTILINE)


@pytest.mark.parametrize("vendor", [FAL], ids=str)
def test_a_loop_shows_its_first_frame_once(vendor, site, tmp_path):
    """The vendor's video of five frames ends with the picture that it begins with."""
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "mine.png")
    tm = start(vendor, tmp_path, site.key)
    job = tm.image_to_video(prompt="a fox", image=tmp_path / "mine.png", loop=True)
    assert (job.result().is_file(), job.feature) == (True, "interpolate")
    assert job.facts["frames"] == 4
    assert job.facts["seam"]["frame"] == 0
    (run,) = site.runs.values()
    assert run.arguments["image_url"] == run.arguments["end_image_url"]
