"""The page in a real browser, over the shipped model: what a person does, and what they see."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Page, Route, expect
from tests.ui.serving import PageProcess, serve_page
from tests.ui.visiting import NO_CHROMIUM, visit

import tiomagic.demo

if TYPE_CHECKING:
    from tests.ui.conftest import VisitPage

INPUTS = Path(tiomagic.demo.__file__).with_name("inputs")
AXE = Path(__file__).with_name("axe") / "axe.min.js"

in_browser = pytest.mark.skipif(NO_CHROMIUM, reason="there is no chromium; .ci/run installs it")
pytestmark = pytest.mark.timeout(1800)

FEATURES = {
    "Text to video": {},
    "Image to video": {"image": "square.png"},
    "Interpolate": {"first_frame": "star_left.png", "last_frame": "star_right.png"},
    "Pose guidance": {"image": "person.png", "pose_video": "skeletons.mp4"},
}


def entry(page: Page, name: str) -> Locator:
    """What is typed into of a field."""
    return page.locator(f"#field-{name}").locator("textarea, input:not([type=range])").first


async def send(page: Page, prompt: str, *, steps: int = 2) -> None:
    """Fill in what matters and press the button."""
    await entry(page, "prompt").fill(prompt)
    number = entry(page, "num_inference_steps")
    await number.fill(str(steps))
    await number.press("Tab")
    await page.get_by_role("button", name="Make the video").click()


async def selected_job_id(page: Page, about: str | re.Pattern[str]) -> str:
    """Return the id of the job that is shown large, when it is the one that is meant."""
    found = page.locator("#stage [data-stage]").filter(has_text=about)
    return await found.get_attribute("data-stage") or ""


async def done(page: Page, job_id: str) -> None:
    """Wait until a job that is shown large has its video."""
    await expect(
        page.locator(f'#stage [data-stage="{job_id}"][data-status="completed"]')
    ).to_be_visible()


async def choose(page: Page, feature: str) -> None:
    """Choose a feature, and wait for its form."""
    form = page.locator("#form [data-form]")
    before = await form.get_attribute("data-form")
    radio = page.get_by_role("radio", name=feature)
    if await radio.is_checked():
        return
    await radio.check()
    await expect(form).not_to_have_attribute("data-form", before or "")
    await expect(page.locator("#form")).not_to_have_attribute("inert", "")


async def open_tab(page: Page, name: str) -> None:
    """Go to one of the page's tabs."""
    await page.get_by_role("tab", name=name).click()


@in_browser
def test_forms_become_videos_that_are_found_compared_and_deleted(
    visit_page: VisitPage, page_process: PageProcess
) -> None:
    """Each feature: choose it, drop the files, press the button, and see the video play.

    Then the gallery: search, make again with another seed, compare in step, take over settings,
    and delete.
    """

    async def scenario(page: Page) -> None:
        for feature in FEATURES:
            await make_and_watch(page, feature)
        star, again = await find_and_make_again(page)
        await compare_in_step(page)
        await take_over_and_delete(page, page_process, again)
        await expect(page.locator(f'[data-card="{star}"]')).to_have_count(1)

    visit_page(scenario)


async def make_and_watch(page: Page, feature: str) -> None:
    """From own files, or from the sample of the model."""
    await choose(page, feature)
    if feature == "Interpolate":
        await page.get_by_role("button", name="a purple star moves right").click()
    for name, file in FEATURES[feature].items():
        if feature != "Interpolate":
            await page.locator(f"#field-{name} input[type=file]").set_input_files(INPUTS / file)
        await expect(page.locator(f"#field-{name}").locator("img, video").first).to_be_visible()
    prompt = f"a green ball, {feature}"
    await send(page, prompt)
    await done(page, await selected_job_id(page, prompt))
    # A browser plays what is on the screen only.
    await page.locator("#stage video").scroll_into_view_if_needed()
    # It is opened at a thousandth of a second: only one that plays comes as far as this.
    await page.wait_for_function("document.querySelector('#stage video').currentTime > 0.1")
    shape = await page.locator("#stage video").evaluate(
        "v => [v.videoWidth, v.videoHeight, v.duration]"
    )
    assert shape == [64, 64, pytest.approx(17 / 16, abs=0.05)], feature


async def find_and_make_again(page: Page) -> tuple[str, str]:
    """Return the ids of the job that was found, and of the one with another seed."""
    await open_tab(page, "Gallery")
    await page.get_by_label("Search the prompts").fill("INTERPOLATE green")
    card = page.locator(".tm-card")
    await expect(card).to_have_count(1)
    await expect(card.get_by_text("Done", exact=True)).to_be_visible()
    first = await card.get_attribute("data-card") or ""
    await card.get_by_text("More", exact=True).click()
    await card.get_by_role("button", name="Another seed").click()
    stage = page.locator("#stage [data-stage]").filter(has_text="Interpolate")
    await expect(stage).not_to_have_attribute("data-stage", first)
    again = await stage.get_attribute("data-stage") or ""
    await done(page, again)
    return first, again


async def compare_in_step(page: Page) -> None:
    await open_tab(page, "Gallery")
    card = page.locator(".tm-card")
    await expect(card).to_have_count(2)
    for index in range(2):
        await card.get_by_role("button", name=re.compile("^Compare:")).first.click()
        chosen = card.get_by_role("button", name=re.compile("^Compared:"))
        await expect(chosen).to_have_count(index + 1)
    await expect(page.get_by_role("tab", name="Compare (2)")).to_be_visible()
    await page.get_by_role("button", name="Compare them").click()
    await expect(page.locator("video.tm-twin")).to_have_count(2)
    await expect(page.locator(".tm-table")).to_contain_text("Seed")
    await hold_back(page, page.locator("video.tm-twin").first)
    slider = page.get_by_label("Position in all videos")
    await be_at(page, slider, 0.5)
    await page.get_by_role("button", name="Play", exact=True).click()
    await page.wait_for_function(
        "() => { const at = Number(document.querySelector('[data-seek]').value);"
        "return at > 0.6 || at < 0.5; }"
    )
    await page.get_by_role("button", name="Pause", exact=True).click()
    await page.wait_for_function(
        "() => [...document.querySelectorAll('video.tm-twin')].every(v => v.paused && !v.seeking"
        " && Math.abs(v.currentTime / v.duration - v.closest('.tm-compare').dataset.part) < 0.01)"
    )
    await be_at(page, slider, 0.25)


async def hold_back(page: Page, video: Locator) -> None:
    """Let a video come only after its comparison was moved; it must take its place all the same."""
    may_come = asyncio.Event()

    async def late(route: Route) -> None:
        await may_come.wait()
        await route.fallback()

    await page.route("**/*held-back*", late)
    await video.evaluate("v => { v.src = v.src.replace('#', '?held-back#'); }")
    await page.get_by_label("Position in all videos").fill("0.75")
    may_come.set()
    await be_at(page, page.get_by_label("Position in all videos"), 0.75, move=False)


async def be_at(page: Page, slider: Locator, part: float, *, move: bool = True) -> None:
    """Move both videos, and wait until they are there."""
    if move:
        await slider.fill(str(part))
    await page.wait_for_function(
        "part => [...document.querySelectorAll('video.tm-twin')].every("
        "v => !v.seeking && Math.abs(v.currentTime / v.duration - part) < 0.01)",
        arg=part,
    )


async def take_over_and_delete(page: Page, page_process: PageProcess, job_id: str) -> None:
    await open_tab(page, "Gallery")
    card = page.locator(f'[data-card="{job_id}"]')
    await card.get_by_role("button", name="Use these settings").click()
    await expect(entry(page, "prompt")).to_have_value("a green ball, Interpolate")
    await expect(page.locator("#field-first_frame img")).to_be_visible()
    await drop_its_video(page, page_process, job_id)
    await open_tab(page, "Gallery")
    await label(page, card)
    # The cards came anew meanwhile, and what was unfolded has stayed so.
    delete = card.get_by_role("button", name="Delete")
    # The second half of a double click is no answer to the question.
    await delete.dblclick()
    await expect(delete).to_have_text("Delete for good?")
    await expect(card).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(delete).to_have_text("Delete")
    assert list((page_process.folder / "output_videos").glob(f"*{job_id[:8]}*"))
    await delete.click()
    await expect(delete).to_have_text("Delete for good?")
    await delete.click()
    await expect(card).to_have_count(0)
    assert not list((page_process.folder / "output_videos").glob(f"*{job_id[:8]}*"))


async def drop_its_video(page: Page, page_process: PageProcess, job_id: str) -> None:
    """A form of something else takes the settings that are in the file."""
    await choose(page, "Text to video")
    await entry(page, "prompt").fill("something else")
    (video,) = (page_process.folder / "output_videos").glob(f"*{job_id[:8]}.mp4")
    await page.get_by_text("Start from a video or a preset").click()
    await page.locator("#recipe-file").set_input_files(video)
    await expect(entry(page, "prompt")).to_have_value("a green ball, Interpolate")
    await expect(page.get_by_role("radio", name="Interpolate")).to_be_checked()
    await expect(page.locator("#field-first_frame img")).to_be_visible()


async def label(page: Page, card: Locator) -> None:
    """Write tags and a note, and find the card by its tag."""
    await card.get_by_text("More", exact=True).click()
    await card.get_by_role("button", name="Tags and note").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Tags").fill("night, for ada")
    await dialog.get_by_label("Note").fill("brighter next time")
    await dialog.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("brighter next time")
    await card.get_by_role("button", name="Make it a favourite").click()
    await card.get_by_role("button", name="Find the tag favourite").click()
    await expect(page.get_by_label("Tag", exact=True)).to_have_value("favourite")
    await expect(page.locator(".tm-card")).to_have_count(1)
    await page.get_by_label("Tag", exact=True).fill("")
    await expect(page.locator(".tm-card")).to_have_count(2)


@in_browser
def test_problems_stand_at_their_fields_and_nothing_is_lost(visit_page: VisitPage) -> None:
    """Every problem at once, where it can be mended; a keyboard is enough; a reload finds the job.

    And so does a second tab, which stops it.
    """

    async def scenario(page: Page) -> None:
        await be_told_what_is_wrong(page)
        await find_the_draft_again(page)
        await page.reload()
        await write_with_the_keyboard(page)
        await reload_and_cancel_elsewhere(page)

    visit_page(scenario)


@in_browser
def test_pictures_between_have_rows(visit_page: VisitPage) -> None:
    """A picture and its moment: refused off the grid, made on it, kept by a draft and by a job."""

    async def scenario(page: Page) -> None:
        await place_a_picture_between(page)
        job_id = await make_it(page)
        await find_it_in_the_form_of_another_model(page)
        await take_its_settings(page, job_id)

    visit_page(scenario)


async def place_a_picture_between(page: Page) -> None:
    """The last picture alone, and one row; the next row comes with the picture."""
    await choose(page, "Interpolate")
    await page.locator("#field-last_frame input[type=file]").set_input_files(
        INPUTS / "star_right.png"
    )
    await page.get_by_role("button", name="Pictures between").click()
    second = page.locator("#field-keyframes-1-image")
    await expect(second).to_be_hidden()
    await page.locator("#field-keyframes-0-image input[type=file]").set_input_files(
        INPUTS / "star_left.png"
    )
    await expect(second).to_be_visible()
    await entry(page, "keyframes-0-at").fill("0.3")
    await send(page, "a purple star moves right on a mint background")
    await expect(page.locator("#problem-keyframes")).to_contain_text("nearest: 0.25")


async def make_it(page: Page) -> str:
    await entry(page, "keyframes-0-at").fill("0.5")
    await entry(page, "keyframes-0-at").press("Tab")
    await page.reload()
    await expect(page.locator("#field-keyframes-0-image img").first).to_be_visible()
    await expect(entry(page, "keyframes-0-at")).to_have_value("0.5")
    await send(page, "a purple star moves right on a mint background")
    job_id = await selected_job_id(page, "a purple star moves right on a mint background")
    await done(page, job_id)
    return job_id


async def find_it_in_the_form_of_another_model(page: Page) -> None:
    """At a moment of that model."""
    form = page.locator("#form [data-form]")
    before = await form.get_attribute("data-form") or ""
    await page.locator(".tm-all-models summary").click()
    await page.locator('[data-action="model"][data-job="ltx-video-0.9.8-distilled"]').click()
    await expect(form).not_to_have_attribute("data-form", before)
    await expect(page.locator("#field-keyframes-0-image img").first).to_be_visible()
    await expect(entry(page, "keyframes-0-at")).to_have_value("0.533")


async def take_its_settings(page: Page, job_id: str) -> None:
    """From the card of the job, in the gallery."""
    await open_tab(page, "Gallery")
    card = page.locator(f'[data-card="{job_id}"]')
    await card.get_by_role("button", name="Use these settings").click()
    await expect(entry(page, "keyframes-0-at")).to_have_value("0.5")
    await expect(page.locator("#field-keyframes-0-image img").first).to_be_visible()


async def find_the_draft_again(page: Page) -> None:
    """What was typed and dropped outlives a reload, and goes into the next form where it fits."""
    typed = {
        "prompt": "a draft",
        "image_url": "https://example.org/a.png",
        "num_inference_steps": "7",
        "seed": "-3",
    }
    for name, value in typed.items():
        await entry(page, name).fill(value)
        await entry(page, name).press("Tab")
    await page.locator("#field-image input[type=file]").set_input_files(INPUTS / "square.png")
    await expect(page.locator("#field-image img").first).to_be_visible()
    await page.reload()
    await expect(page.locator("#field-image img").first).to_be_visible()
    await expect(page.get_by_role("radio", name="Image to video")).to_be_checked()
    for name, value in typed.items():
        await expect(entry(page, name)).to_have_value(value)
    await page.get_by_label("How many").click()
    await page.get_by_role("option", name="2 videos").click()
    await expect(page.locator("#expected")).to_contain_text("2 videos of")
    await choose(page, "Text to video")
    await expect(entry(page, "num_inference_steps")).to_have_value("7")
    await expect(page.get_by_label("How many")).to_have_value("2 videos")
    # A number that the slider cannot stand on goes to the nearest one that it can.
    await entry(page, "num_inference_steps").fill("833")
    await entry(page, "num_inference_steps").press("Tab")
    await expect(entry(page, "num_inference_steps")).to_have_value("100")
    await expect(page.locator("#field-num_inference_steps")).to_contain_text("100 is the nearest")
    for name in ("prompt", "seed"):
        await expect(entry(page, name)).to_have_value(typed[name])
        await entry(page, name).fill("")


async def be_told_what_is_wrong(page: Page) -> None:
    await choose(page, "Image to video")
    await entry(page, "image_url").fill("/etc/passwd")
    await entry(page, "prompt").fill(" ")
    await page.get_by_role("button", name="Make the video").click()
    await expect(page.locator("#problem-image")).to_contain_text("http://")
    await entry(page, "image_url").fill("")
    await entry(page, "seed").fill("-3")
    await page.get_by_role("button", name="Make the video").click()
    needs = {"prompt": "Say what the video shows", "image": "Choose a picture", "seed": "between 0"}
    for name, said in needs.items():
        await expect(page.locator(f"#problem-{name}")).to_contain_text(said)
    await expect(page.locator("#running [data-running]")).to_have_count(0)


async def write_with_the_keyboard(page: Page) -> None:
    """Tab from the top to the prompt, write two lines, and send with Ctrl and Enter."""
    prompt = entry(page, "prompt")
    await prompt.wait_for()
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await prompt.evaluate("e => e === document.activeElement"):
            break
    await expect(prompt).to_be_focused()
    await page.keyboard.type("a star for")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("the keyboard")
    await expect(prompt).to_have_value("a star for\nthe keyboard")
    await page.keyboard.press("Control+Enter")
    await selected_job_id(page, "a star for the keyboard")


async def reload_and_cancel_elsewhere(page: Page) -> None:
    await send(page, "a yellow star spins", steps=100)
    job_id = await selected_job_id(page, "a yellow star spins")
    running = f'[data-running="{job_id}"]'
    # However far down the form was, what becomes of it is in sight.
    await expect(page.locator(running)).to_be_in_viewport()
    await page.reload()
    await expect(page.locator(running).get_by_role("progressbar")).to_be_visible()
    tab = await page.context.new_page()
    await tab.goto(page.url)
    # What it looks like so far is why someone would stop it.
    picture = tab.locator(running).get_by_role("img", name="Preview")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("p => p.decode().then(() => p.naturalWidth)") == 488
    await tab.locator(running).get_by_role("button", name="Cancel").click()
    for one in (page, tab):
        await expect(
            one.locator(f'[data-stage="{job_id}"][data-status="canceled"]')
        ).to_be_visible()
        await expect(one.locator(running)).to_have_count(0)


@in_browser
def test_a_phone_logs_in_and_axe_finds_nothing(tmp_path: Path) -> None:
    """Bound elsewhere, the page asks who is there; it fits a phone, and no finding is serious."""
    with serve_page(tmp_path, "--host", "0.0.0.0", "--auth", "ada:lemon") as server:
        assert status_of(f"{server.address}config") == 401

        async def scenario(page: Page) -> None:
            await log_in(page)
            await choose(page, "Pose guidance")
            await page.get_by_role("button", name="Expert settings").click()
            await expect(page.get_by_role("button", name="Make the video")).to_be_in_viewport()
            await page.evaluate(AXE.read_text("utf-8"))
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                for tab in ("Make", "Gallery", "Compare"):
                    await open_tab(page, tab)
                    await be_accessible(page, f"{tab}, {scheme}")

        visit(server, scenario, tmp_path, viewport={"width": 375, "height": 740})


async def log_in(page: Page) -> None:
    for password in ("lime", "lemon"):
        await page.get_by_label("username").fill("ada")
        await page.get_by_label("password").fill(password)
        await page.get_by_role("button", name="Login").click()
        if password == "lime":
            # A wrong answer empties both entries.
            await expect(page.get_by_text("Incorrect Credentials")).to_be_visible()
    await entry(page, "prompt").wait_for()


async def be_accessible(page: Page, where: str) -> None:
    """Nothing runs out of the window, and axe has no serious finding."""
    # Axe would measure the colours of a fade.
    await page.evaluate("Promise.all(document.getAnimations().map((a) => a.finished))")
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        (finding["id"], [node["html"] for node in finding["nodes"]])
        for finding in found["violations"]
        if finding["impact"] in {"serious", "critical"}
    ]
    assert grave == [], where
    width = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], where


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=240) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_no_file_is_given_away_by_its_path(page_process: PageProcess) -> None:
    """The database, the settings, the rest of the machine, and what lies beside the videos."""
    address = page_process.address
    status_of(address)
    (page_process.folder / "output_videos").mkdir(exist_ok=True)
    beside = page_process.folder / "output_videos" / "beside.mp4"
    beside.write_bytes(b"video")
    hidden = (
        page_process.folder / ".tiomagic" / "jobs.db",
        page_process.folder / "ui.log",
        beside,
        Path("/etc/passwd"),
    )
    for path in hidden:
        assert status_of(f"{address}gradio_api/file={path}") == 404
