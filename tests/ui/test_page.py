"""The page in a real browser, over the shipped model: what a person does, and what they see."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, Route, expect, sync_playwright
from tests.facade.conftest import clean_environment

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 120_000
"""For whatever takes the time it takes: the machine may be busy."""
IDLE_S = "10"

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
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory of its own."""
    return tmp_path_factory.mktemp("page")


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


def test_a_form_becomes_a_video_that_plays(page: Page) -> None:
    """Fill the form, press the button, and see the video play."""
    job_id = submit(page, "a green ball")
    is_done(page, job_id)
    page.wait_for_function("document.querySelector('#stage video').currentTime > 0")
    shape = page.locator("#stage video").evaluate("v => [v.videoWidth, v.videoHeight, v.duration]")
    assert shape[:2] == [64, 64]
    assert shape[2] == pytest.approx(17 / 16, abs=0.05)
