"""A shot that goes on, and a loop, in a real browser: text, continue, continue again, loop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect
from tests.ui.test_page import (
    INPUTS,
    choose,
    done,
    entry,
    in_browser,
    open_tab,
    selected_job_id,
    send,
)

from tiomagic import TioMagic

if TYPE_CHECKING:
    from tests.ui.conftest import VisitPage
    from tests.ui.serving import PageProcess

pytestmark = pytest.mark.timeout(1800)

SHOT = "a red circle moves right on a white background"
PHONE_SHOT = "a green circle moves right on a white background"
"""Another one: both tests visit the same page, which shows the newest video when it opens. A test
that took that one for its own would press a button of it while its own is being sent."""
LOOP = "a blue square bounces on a white background"
SECONDS = "document.querySelector('#stage video').duration"


@in_browser
def test_a_phone_shows_the_form_of_what_is_continued(visit_page: VisitPage) -> None:
    """The video is below the form there: the page goes to what the button has filled."""

    async def scenario(page: Page) -> None:
        await make_the_first(page, PHONE_SHOT)
        button = page.locator("#stage").get_by_role("button", name="Continue")
        await button.scroll_into_view_if_needed()
        await expect(page.locator("#field-continued_video")).not_to_be_in_viewport()
        await button.click()
        await expect(page.locator("#field-continued_video video")).to_be_in_viewport()

    visit_page(scenario, viewport={"width": 390, "height": 844})


@in_browser
def test_a_shot_goes_on_and_a_picture_loops(
    visit_page: VisitPage, page_process: PageProcess
) -> None:
    """A finished video, then the result of that, then a file of one's own; then a loop."""

    async def scenario(page: Page) -> None:
        first = await make_the_first(page)
        second = await continue_it(page, first)
        await continue_the_result(page, second)
        await continue_a_file(page, page_process, first)
        await make_a_loop(page)

    visit_page(scenario)


async def make_the_first(page: Page, shot: str = SHOT) -> str:
    await choose(page, "Text to video")
    await send(page, shot)
    job_id = await selected_job_id(page, shot)
    await done(page, job_id)
    return job_id


async def continue_it(page: Page, first: str) -> str:
    """The button at the video; nothing else has to be filled in."""
    await page.locator("#stage").get_by_role("button", name="Continue").click()
    await expect(page.locator("#field-continued_video video")).to_be_visible()
    await expect(page.locator("#field-image")).to_have_count(0)
    await expect(entry(page, "prompt")).to_have_value(SHOT)
    await expect(page.locator("#expected")).to_contain_text("1.0 s more (16 new frames)")
    # More than the model adds at once is refused where it was asked for.
    await entry(page, "seconds").fill("5")
    await page.get_by_role("button", name="Make the video").click()
    await expect(page.locator("#problem-seconds")).to_contain_text("continue the result again")
    await entry(page, "seconds").fill("1")
    return await make_and_see(page, first, frames=33)


async def make_and_see(page: Page, before: str, *, frames: int) -> str:
    """Press the button, and see a video of as many frames; return the id of its job."""
    await page.get_by_role("button", name="Make the video").click()
    stage = page.locator("#stage [data-stage]")
    await expect(stage).not_to_have_attribute("data-stage", before)
    job_id = await stage.get_attribute("data-stage") or ""
    await done(page, job_id)
    await page.wait_for_function(f"Math.abs({SECONDS} - {frames / 16}) < 0.02")
    return job_id


async def continue_the_result(page: Page, second: str) -> None:
    """From its card in the gallery, and over a reload; then the video is taken away again."""
    await open_tab(page, "Gallery")
    card = page.locator(f'[data-card="{second}"]')
    await card.get_by_role("button", name="Continue").click()
    video = page.locator("#field-continued_video video")
    await expect(video).to_have_attribute("src", re.compile(second))
    await page.reload()
    await expect(video).to_have_attribute("src", re.compile(second))
    await make_and_see(page, second, frames=49)
    await page.locator("#field-continued_video").get_by_role("button", name="Clear").click()
    await expect(page.locator("#field-image")).to_be_visible()
    await expect(page.locator("#field-loop input")).not_to_be_checked()


async def continue_a_file(page: Page, page_process: PageProcess, first: str) -> None:
    """One that is dropped into its place brings its prompt, and makes what ``tm.extend`` makes."""
    folder = page_process.folder
    (video,) = (folder / "output_videos").glob(f"*{first[:8]}.mp4")
    await entry(page, "prompt").fill("")
    await page.locator("#field-continued_video input[type=file]").set_input_files(video)
    await expect(page.locator("#field-image")).to_have_count(0)
    await expect(entry(page, "prompt")).to_have_value(SHOT)
    await entry(page, "seed").fill("7")
    shown = await page.locator("#stage [data-stage]").get_attribute("data-stage") or ""
    job_id = await make_and_see(page, shown, frames=33)
    assert_as_extended(folder, job_id, video)


def assert_as_extended(folder: Path, job_id: str, video: Path) -> None:
    """The job of the page has the arguments of the method."""
    tm = TioMagic(working_dir=folder, provider="local")
    try:
        job = tm.get_job(job_id)
        planned = tm.plan(
            "image_to_video", job.record.model, prompt=SHOT, continued_video=video, seed=7
        )
    finally:
        tm.close()
    assert planned["arguments"] == job.record.arguments
    assert job.facts["seam"]["frame"] == 17


async def make_a_loop(page: Page) -> None:
    """A switch beside the pictures takes the last one away."""
    await choose(page, "Interpolate")
    await expect(page.locator("#field-last_frame")).to_be_visible()
    await page.locator("#field-loop input").check()
    await expect(page.locator("#field-last_frame")).to_have_count(0)
    await page.locator("#field-first_frame input[type=file]").set_input_files(INPUTS / "square.png")
    await expect(page.locator("#field-first_frame img").first).to_be_visible()
    await entry(page, "prompt").fill(LOOP)
    await expect(page.locator("#expected")).to_contain_text("1.0 s (16 frames)")
    shown = await page.locator("#stage [data-stage]").get_attribute("data-stage") or ""
    await make_and_see(page, shown, frames=16)
    await expect(page.locator("#stage")).to_contain_text(re.compile(LOOP))
    await page.locator("#field-loop input").uncheck()
    await expect(page.locator("#field-last_frame")).to_be_visible()
