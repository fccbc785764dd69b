"""Draws the web page with a finished video: ``uv run python -m docs.ui_picture``.

Doodle makes the videos, in a folder that is gone afterwards; Chromium draws the page into
``docs/images/ui.png``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tiomagic import TioMagic
from tiomagic.ui.serve import ListenOptions, serve

IMAGE: Final = Path(__file__).parent / "images" / "ui.png"
WINDOW: Final = {"width": 1240, "height": 780}
"""Pixels."""
PROMPT: Final = "a red circle moves right on a white background"
TIMEOUT_MS: Final = 120_000
PAUSE_SCRIPT: Final = (
    "async () => { const v = document.querySelector('#stage video'); v.pause();"
    " v.currentTime = v.duration / 2; await new Promise(r => v.onseeked = r); }"
)
"""Stops the large video in its middle: the picture is the same each time."""


def draw(address: str, target: Path, show: Callable[[Page], None]) -> None:
    """Draw a served page as PNG.

    Args:
        address: Where it is served.
        target: The file.
        show: Brings the page to what is to be seen.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"))
        page = browser.new_page(viewport=WINDOW, reduced_motion="reduce")
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(address)
        show(page)
        page.wait_for_timeout(4000)  # The player's controls fade.
        page.screenshot(path=target)
        browser.close()


def make_video(page: Page) -> None:
    """Fill in the prompt of the video that the page opens with, and stop it."""
    page.locator("#stage [data-status=completed] video").wait_for()
    page.locator("#field-prompt").get_by_role("textbox").fill(PROMPT)
    page.evaluate(PAUSE_SCRIPT)
    page.locator("#field-prompt").get_by_role("textbox").blur()


def main() -> None:
    """Make the video and draw the page."""
    with TemporaryDirectory() as folder:
        tm = TioMagic(working_dir=folder, provider="local")
        tm.text_to_video(prompt=PROMPT, seed=1, progress=True)
        blocks, address = serve(tm.session, ListenOptions(port=0))
        try:
            draw(address, IMAGE, make_video)
        finally:
            blocks.close()
            tm.close()


if __name__ == "__main__":
    main()
