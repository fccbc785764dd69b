"""A visit of the page in a real browser, which ends whatever happens, and says why it failed.

It uses Playwright's asynchronous interface, one event loop a visit: the synchronous one keeps a
loop running in the thread of the tests between its calls, so that whatever else comes to run there
cannot have one of its own, and nothing but the visitor itself could end a visit.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Route,
    async_playwright,
    expect,
)

if TYPE_CHECKING:
    from tests.ui.serving import PageProcess

CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = CHROMIUM is None and not os.environ.get("TEST_CHROMIUM")
"""True when tests in a browser are skipped: ``.ci/run`` installs one and asks for it."""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
CONDITION_TIMEOUT_MS = 240_000
"""For each condition: the machine may be busy with all the other tests."""
VISIT_TIMEOUT_S = 900
"""For a whole visit."""
CLOSE_TIMEOUT_S = 60
"""For the browser to close; what is left of it then is killed."""
WINDOW = {"width": 1280, "height": 900}

Scenario = Callable[[Page], Awaitable[None]]

expect.set_options(timeout=CONDITION_TIMEOUT_MS)


@dataclass
class BrowserLog:
    """What happened beside the scenario."""

    origin: str
    console: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Errors of scripts that nobody caught."""
    foreign_requests: list[str] = field(default_factory=list)
    """Addresses of other machines that the page asked for."""

    async def guard(self, route: Route) -> None:
        """Let through what goes to the page's own server."""
        if urlsplit(route.request.url).netloc == self.origin:
            await route.continue_()
        else:
            self.foreign_requests.append(route.request.url)
            await route.abort()

    def said(self, message: ConsoleMessage) -> None:
        """Keep a line of the console."""
        self.console.append(f"{message.type}: {message.text}")

    def broke(self, error: Error) -> None:
        """Keep an error of a script."""
        self.broken.append(str(error))


def visit(server: PageProcess, scenario: Scenario, shots: Path, **how: Any) -> None:
    """Open the page and do what the scenario says.

    The visit fails too when the page asks anything of another machine, when a script of it breaks,
    and, at once, when its server ends. A failure tells the page's text, console and the server's
    log, and where the screenshots are.

    Args:
        server: Whose page.
        scenario: What the visitor does.
        shots: Folder for the screenshots of a failure.
        how: Options of Playwright's ``new_context``.
    """
    try:
        asyncio.run(_visit(server, server.address, scenario, shots, {"viewport": WINDOW, **how}))
    finally:
        _kill_browsers()


async def _visit(
    server: PageProcess, address: str, scenario: Scenario, shots: Path, how: dict[str, Any]
) -> None:
    seen = BrowserLog(urlsplit(address).netloc)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            context = await browser.new_context(reduced_motion="reduce", **how)
            context.set_default_timeout(CONDITION_TIMEOUT_MS)
            await context.route(re.compile("^https?:"), seen.guard)
            context.on("console", seen.said)
            context.on("weberror", lambda error: seen.broke(error.error))
            page = await context.new_page()
            await page.goto(address)
            await _unless_it_ends(server, scenario(page))
            assert seen.foreign_requests == []
            assert seen.broken == []
        except BaseException as error:
            for note in await _report(server, browser, seen, shots):
                error.add_note(note)
            raise
        finally:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await browser.close()


async def _unless_it_ends(server: PageProcess, doing: Awaitable[None]) -> None:
    """Await something that cannot go on without the server."""

    async def death() -> None:
        while server.ended is None:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.2)

    tasks = [asyncio.ensure_future(doing), asyncio.ensure_future(death())]
    try:
        await asyncio.wait(tasks, timeout=VISIT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        assert server.ended is None, f"the server ended with {server.ended}"
        assert tasks[0].done(), f"the visit takes longer than {VISIT_TIMEOUT_S} s"
        tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _report(
    server: PageProcess, browser: Browser, seen: BrowserLog, shots: Path
) -> list[str]:
    notes = ["== console", *seen.console[-50:], "== server", server.log[-20_000:]]
    pages = [page for context in browser.contexts for page in context.pages]
    for number, page in enumerate(pages):
        file = shots / f"page-{number}.png"
        try:
            await page.screenshot(path=file, timeout=30_000)
            text = await page.locator("body").inner_text(timeout=30_000)
        except Error as error:  # The browser is what failed: the rest is told all the same.
            text = str(error)
        notes += [f"== {page.url}, see {file}", text]
    return notes


def _kill_browsers() -> None:
    """End what is left of the browser and its driver."""
    for process in psutil.Process().children(recursive=True):
        try:
            command = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if "playwright" in command or (CHROMIUM and "chromium" in command):
            process.kill()
