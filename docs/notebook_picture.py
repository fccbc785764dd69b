"""Draws what a notebook shows: ``uv run python -m docs.notebook_picture RESULT.ipynb``.

``RESULT`` is a notebook with outputs, as ``tests.examples.execute`` writes it. Its last cell with a
player goes to ``docs/images/notebook.png``, drawn by Chromium.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from shutil import which
from typing import Any, Final

from playwright.sync_api import sync_playwright

IMAGE: Final = Path(__file__).parent / "images" / "notebook.png"
WIDTH: Final = 840
"""Pixels."""
PAGE: Final = """<!doctype html><meta charset="utf-8"><body style="margin:16px;font-size:14px">
<pre style="background:#f4f4f4;padding:12px">{code}</pre>{shown}"""


def render_cell(cell: dict[str, Any]) -> str:
    """Return a cell and what it shows as HTML; its settings are unfolded."""
    shown = [
        "".join(out["data"]["text/html"])
        for out in cell["outputs"]
        if "text/html" in out.get("data", {})
    ]
    html = "<br>".join(shown).replace("<details>", "<details open>")
    return PAGE.format(code=escape("".join(cell["source"])), shown=html)


def draw(html: str, target: Path) -> None:
    """Draw a page of HTML as PNG, with its video at rest in the middle."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"))
        page = browser.new_page(viewport={"width": WIDTH, "height": 400})
        page.set_content(html)
        page.evaluate(
            "async () => { const v = document.querySelector('video');"
            " if (v.readyState < 2) await new Promise(r => v.onloadeddata = r);"
            " v.currentTime = v.duration / 2; await new Promise(r => v.onseeked = r); }"
        )
        page.wait_for_timeout(1000)  # The player's controls settle.
        page.screenshot(path=target, full_page=True)
        browser.close()


def main() -> None:
    """Draw the last cell with a player."""
    cells = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]
    pages = [render_cell(cell) for cell in cells if cell["cell_type"] == "code"]
    draw([page for page in pages if "<video" in page][-1], IMAGE)


if __name__ == "__main__":
    main()
