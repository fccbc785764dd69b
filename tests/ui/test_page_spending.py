"""What a run may cost and where else it may run, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Page, expect
from tests.ui.test_page import done, entry, in_browser, selected_job_id, send

if TYPE_CHECKING:
    from tests.ui.conftest import VisitPage

pytestmark = pytest.mark.timeout(1800)

KEPT = "sessionStorage.getItem('tiomagic-wanted')?.includes('0.10')"
SHOT = "a blue circle moves left on a white background"


@in_browser
def test_a_limit_stands_beside_the_price_and_outlives_a_reload(visit_page: VisitPage) -> None:
    """What is above it is said before the press; what is no amount, at the field."""

    async def scenario(page: Page) -> None:
        await move_to(page, "fal")
        await expect(page.locator("#expected")).to_contain_text("about 0.40 USD")
        await expect(page.locator("#expected")).to_contain_text("needs a key: set FAL_KEY")
        await limit_of(page).fill("lots")
        await entry(page, "prompt").fill("a fox runs")
        await page.get_by_role("button", name="Make the video").click()
        await expect(page.locator("#problem-max-cost")).to_contain_text("Must be an amount")
        await limit_of(page).fill("0.10")
        await page.wait_for_function(KEPT)  # By the browser, a moment after the last key.
        await page.reload()
        await expect(limit_of(page)).to_have_value("0.10")
        await page.get_by_role("button", name="Make the video").click()
        await expect(page.locator(".tm-problem")).to_contain_text("FAL_KEY")

    visit_page(scenario)


@in_browser
def test_another_place_makes_what_the_chosen_one_cannot(visit_page: VisitPage) -> None:
    """There is no token of Modal: the page says so before the run, and with its video after it."""

    async def scenario(page: Page) -> None:
        await move_to(page, "modal")
        expected = page.locator("#expected")
        await expect(expected.locator(".tm-why")).to_contain_text("token")
        await page.locator("#others input").click()
        await page.get_by_role("option", name="local").click()
        await expect(expected).to_contain_text("on local")
        await expect(expected).to_contain_text("Not on modal")
        await expect(expected.locator(".tm-why")).to_have_count(0)
        await send(page, SHOT)
        job_id = await selected_job_id(page, SHOT)
        await done(page, job_id)
        said = page.locator("#stage .tm-warning")
        await expect(said).to_contain_text("modal was passed over")
        await expect(page.locator("#stage .tm-facts").first).to_contain_text("· local ·")
        await page.reload()
        await expect(page.locator("#others")).to_contain_text("local")

    visit_page(scenario)


def limit_of(page: Page) -> Locator:
    """Where the limit is typed."""
    return page.locator("#max-cost").locator("textarea, input")


async def move_to(page: Page, provider: str) -> None:
    """Choose a provider, and wait for its form."""
    # The page opens with what the browser has stored, which would undo an earlier choice.
    await expect(page.locator("#form [data-form]")).to_be_attached()
    await page.get_by_role("radio", name=provider, exact=True).check()
    await expect(page.locator(f'#form [data-choice^="{provider} "]')).to_be_attached()
    await expect(page.locator("#form")).not_to_have_attribute("inert", "")
