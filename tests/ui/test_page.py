"""The page in a real browser, over the shipped model: what a person does, and what they see."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, Route, expect, sync_playwright
from tests.facade.conftest import clean_environment

import tiomagic.demo
from tiomagic import TioMagic

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 120_000
"""For whatever takes the time it takes: the machine may be busy."""
INPUTS = Path(tiomagic.demo.__file__).with_name("inputs")
AXE = Path(__file__).with_name("axe") / "axe.min.js"
IDLE_S = "10"
BALL, BOX = "a red ball moves right on a white background", "a blue box moves left"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("TIOMAGIC_TEST_CHROMIUM"),
    reason="there is no chromium; .ci/run installs it",
)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run ``tiomagic ui`` as a person does, and end it with Ctrl-C."""
    settings = {"TIOMAGIC_WORKER_IDLE_S": IDLE_S, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tiomagic.cli.main", "ui", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=folder,
        env=clean_environment(**settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), process.poll()
        yield address
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which two videos are being made."""
    folder = tmp_path_factory.mktemp("page")
    settings = {"provider": "local", "worker_idle_s": int(IDLE_S)}
    tm = TioMagic(working_dir=folder, **settings)
    for prompt in (BALL, BOX):
        tm.text_to_video(prompt=prompt, num_inference_steps=2, seed=1, wait=False)
    tm.close()
    return folder


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with serving(home) as url:
        yield url


# No wider than a module: while it is open, nothing else in this process can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@contextmanager
def opened(browser: Browser, address: str, **how: object) -> Iterator[Page]:
    """Open the page; whatever it asks of another machine, or breaks, fails the test."""
    strangers: list[str] = []
    broken: list[Error] = []

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(address).netloc:
            route.continue_()
        else:
            strangers.append(route.request.url)
            route.abort()

    context = browser.new_context(**how)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    context.route(re.compile("^https?:"), guard)
    page = context.new_page()
    page.on("pageerror", lambda error: broken.append(error))  # noqa: PLW0108 - marks its handler
    page.goto(address)
    page.locator("#field-prompt textarea").wait_for()
    yield page
    context.close()
    assert strangers == []
    assert broken == []


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address, viewport={"width": 1280, "height": 900}) as found:
        yield found


def type_number(page: Page, name: str, value: str) -> None:
    field = page.locator(f"#field-{name} input[type=number]")
    field.fill(value)
    field.press("Tab")


def submit(page: Page, prompt: str, *, steps: int = 2) -> str:
    """Fill in what matters, press the button, and return the job's id."""
    page.locator("#field-prompt textarea").fill(prompt)
    type_number(page, "num_inference_steps", str(steps))
    page.get_by_role("button", name="Make the video").click()
    stage = page.locator("#stage [data-stage]").filter(has_text=prompt)
    return stage.get_attribute("data-stage") or ""


def see(locator: Locator) -> None:
    expect(locator).to_be_visible(timeout=PATIENCE_MS)


def is_done(page: Page, job_id: str) -> None:
    see(page.locator(f'#stage [data-stage="{job_id}"][data-status="completed"]'))


FEATURES = {
    "Text to video": {},
    "Image to video": {"image": "square.png"},
    "Interpolate": {"first_frame": "star_left.png", "last_frame": "star_right.png"},
    "Pose guidance": {"image": "person.png", "pose_video": "skeletons.mp4"},
}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_form_becomes_a_video_that_plays(page: Page, feature: str) -> None:
    """Each feature: choose it, drop the files, press the button, and see the video play."""
    page.get_by_role("radio", name=feature).check()
    for name, file in FEATURES[feature].items():
        page.locator(f"#field-{name} input[type=file]").set_input_files(INPUTS / file)
        see(page.locator(f"#field-{name}").locator("img, video").first)
    job_id = submit(page, f"a green ball, {feature}")
    is_done(page, job_id)
    page.wait_for_function("document.querySelector('#stage video').currentTime > 0")
    shape = page.locator("#stage video").evaluate("v => [v.videoWidth, v.videoHeight, v.duration]")
    assert shape[:2] == [64, 64]
    assert shape[2] == pytest.approx(17 / 16, abs=0.05)


def test_what_is_wrong_stands_at_its_field(page: Page) -> None:
    """Every problem at once, each where it can be mended; nothing is stored."""
    page.get_by_role("radio", name="Image to video").check()
    page.locator("#field-image_url textarea, #field-image_url input").fill("/etc/passwd")
    see(page.locator("#field-image_url"))
    page.locator("#field-prompt textarea").fill(" ")
    page.get_by_role("button", name="Make the video").click()
    expect(page.locator("#problem-image")).to_contain_text("http://", timeout=PATIENCE_MS)
    page.locator("#field-image_url textarea, #field-image_url input").fill("")
    page.locator("#field-seed input, #field-seed textarea").fill("-3")
    page.get_by_role("button", name="Make the video").click()
    for name, said in (("prompt", "required"), ("image", "required"), ("seed", "between 0")):
        expect(page.locator(f"#problem-{name}")).to_contain_text(said, timeout=PATIENCE_MS)


def test_a_reload_loses_nothing_and_another_tab_can_cancel(page: Page) -> None:
    """In the middle of a job a reload finds it, and so does a second tab, which stops it."""
    job_id = submit(page, "a yellow star spins", steps=100)
    running = f'[data-running="{job_id}"]'
    page.reload()
    see(page.locator(running).get_by_role("progressbar"))
    tab = page.context.new_page()
    tab.goto(page.url)
    tab.locator(running).get_by_role("button", name="Cancel").click()
    for one in (page, tab):
        see(one.locator(f'[data-stage="{job_id}"][data-status="canceled"]'))
        expect(one.locator(running)).to_have_count(0, timeout=PATIENCE_MS)


def test_the_gallery_finds_compares_and_deletes(page: Page, home: Path) -> None:
    """Search, make again with another seed, compare in step, take over settings, delete."""
    page.get_by_role("tab", name="Gallery").click()
    page.get_by_label("Search the prompts").fill("BALL red")
    card = page.locator(".tm-card")
    expect(card).to_have_count(1, timeout=PATIENCE_MS)
    see(card.get_by_text("Done", exact=True))
    card.get_by_role("button", name="Another seed").click()
    stage = page.locator("#stage [data-stage]").filter(has_not_text=re.compile(r"seed 1\b"))
    job_id = stage.filter(has_text=BALL).get_attribute("data-stage") or ""
    is_done(page, job_id)

    page.get_by_role("tab", name="Gallery").click()
    expect(card).to_have_count(2, timeout=PATIENCE_MS)
    for index in range(2):
        card.get_by_role("button", name=re.compile("^Compare:")).first.click()
        see(card.get_by_role("button", name=re.compile("^Compared:")).nth(index))
    page.get_by_role("tab", name="Compare").click()
    twins = page.locator("video.tm-twin")
    expect(twins).to_have_count(2, timeout=PATIENCE_MS)
    expect(page.locator(".tm-table")).to_contain_text("seed")
    page.get_by_label("Position in both videos").fill("0.5")
    page.wait_for_function(
        "[...document.querySelectorAll('video.tm-twin')].every("
        "v => Math.abs(v.currentTime / v.duration - 0.5) < 0.1)"
    )

    page.get_by_role("tab", name="Gallery").click()
    again = page.locator(f'[data-card="{job_id}"]')
    again.get_by_role("button", name="Use these settings").click()
    expect(page.locator("#field-prompt textarea")).to_have_value(BALL, timeout=PATIENCE_MS)
    page.get_by_role("tab", name="Gallery").click()
    delete = again.get_by_role("button", name="Delete")
    delete.click()
    expect(delete).to_have_text("Delete for good?")
    delete.click()
    expect(card).to_have_count(1, timeout=PATIENCE_MS)
    assert not list((home / "output_videos").glob(f"*{job_id[:8]}*"))


def test_a_keyboard_is_enough(page: Page) -> None:
    """Tab from the top to the prompt, write, and send with Shift and Enter."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator("#field-prompt textarea").evaluate("e => e === document.activeElement"):
            break
    page.keyboard.type("a star")
    page.keyboard.press("Shift+Enter")
    stage = page.locator("#stage [data-stage]").filter(has_text=re.compile("a star"))
    see(stage)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_axe_finds_nothing(
    browser: Browser, address: str, scheme: str
) -> None:
    """Nothing runs out of a narrow window, and no finding is serious, on any of the tabs."""
    window = {"width": 375, "height": 740}
    with opened(browser, address, viewport=window, color_scheme=scheme) as page:
        page.get_by_role("radio", name="Pose guidance").check()
        see(page.locator("#field-pose_video"))
        page.get_by_role("button", name="Expert settings").click()
        page.evaluate(AXE.read_text("utf-8"))
        for tab in ("Make", "Gallery", "Compare"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(300)  # Axe would measure the colours of a fade.
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            grave = [
                (finding["id"], [node["html"] for node in finding["nodes"]])
                for finding in found
                if finding["impact"] in {"serious", "critical"}
            ]
            assert grave == [], tab
            assert page.evaluate("document.documentElement.scrollWidth") <= window["width"]


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_only_videos_and_inputs_are_given_away(address: str, home: Path) -> None:
    """The database, the settings and the rest of the machine are no one's to fetch."""
    for path in (home / ".tiomagic" / "jobs.db", home / "generation_log.json", Path("/etc/passwd")):
        assert path.exists()
        assert status_of(f"{address}gradio_api/file={path}") in {403, 404}


def test_a_page_for_others_asks_for_a_login(home: Path) -> None:
    """With a login nothing is shown to who has none."""
    with serving(home, "--auth", "ada:lemon") as url:
        assert status_of(f"{url}config") == 401
