"""The theme of the page: colours, sizes and fonts, light and dark. Loads no web font."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gradio as gr

ASSETS: Final = Path(__file__).with_name("assets")
STYLE: Final = ASSETS / "page.css"
SCRIPT: Final = ASSETS / "page.js"

_HEADER: Final = """
<header class="tm-head">
<svg class="tm-mark" viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2.4"
 stroke-linecap="round" aria-hidden="true"><rect x="3" y="6" width="26" height="20" rx="5"/>
<path d="M8.5 20c3-9 6-9 7.5-3.5s4.5 5.5 7.5-3.5"/><circle cx="24" cy="11" r="1.3"/></svg>
<h1>tiomagic</h1><p>words and pictures into motion</p>
<button type="button" class="tm-button" data-theme>Light or dark</button>
{more}</header>
"""
_LOG_OUT: Final = """<form method="post" action="logout">
<button class="tm-button">Log out</button></form>
"""

TEAL = gr.themes.Color(
    name="tiomagic",
    c50="#eef7f5",
    c100="#d8eeea",
    c200="#b2ddd5",
    c300="#6fd3c3",
    c400="#3aa99b",
    c500="#138a7d",
    c600="#0b6b63",
    c700="#09574f",
    c800="#0a453f",
    c900="#0a3934",
    c950="#062320",
)


COLOURS: Final = {
    "body_background_fill": ("#f6f4ef", "#16191c"),
    "body_text_color": ("#22282f", "#ece9e2"),
    "body_text_color_subdued": ("#555f6b", "#b3b1aa"),
    "background_fill_primary": ("#ffffff", "#1f2428"),
    "background_fill_secondary": ("#faf8f4", "#1a1e22"),
    "block_background_fill": ("#ffffff", "#1f2428"),
    "block_border_color": ("#ddd8cd", "#363d43"),
    "border_color_primary": ("#ddd8cd", "#363d43"),
    "block_label_text_color": ("#22282f", "#ece9e2"),
    "block_label_background_fill": ("#ffffff", "#1f2428"),
    "block_title_text_color": ("#22282f", "#ece9e2"),
    "block_info_text_color": ("#555f6b", "#b3b1aa"),
    "input_background_fill": ("#ffffff", "#171b1e"),
    "input_border_color": ("#bdb7a9", "#4c555d"),
    "input_placeholder_color": ("#646b73", "#a3a29c"),
    "button_primary_background_fill": ("#0b6b63", "#6fd3c3"),
    "button_primary_background_fill_hover": ("#09574f", "#8fe0d3"),
    "button_primary_text_color": ("#ffffff", "#0c1f1c"),
    "button_secondary_background_fill": ("#ffffff", "#262c31"),
    "button_secondary_text_color": ("#22282f", "#ece9e2"),
    "checkbox_label_background_fill": ("#ffffff", "#1f2428"),
    "checkbox_label_background_fill_selected": ("#d8eeea", "#22363a"),
    "checkbox_label_text_color": ("#22282f", "#ece9e2"),
    "checkbox_label_text_color_selected": ("#22282f", "#ece9e2"),
    "checkbox_background_color_selected": ("#0b6b63", "#138a7d"),
    "slider_color": ("#0b6b63", "#6fd3c3"),
    "link_text_color": ("#0b6b63", "#6fd3c3"),
}
"""Variables of the theme: on light pages, and on dark ones. Text meets WCAG AA on each."""


def theme() -> gr.themes.Base:
    """Return the theme."""
    system = ["ui-sans-serif", "system-ui", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    base = gr.themes.Base(
        primary_hue=TEAL, neutral_hue=gr.themes.colors.stone, font=system, font_mono=mono
    )
    light = {name: colours[0] for name, colours in COLOURS.items()}
    dark = {f"{name}_dark": colours[1] for name, colours in COLOURS.items()}
    shape = {"block_radius": "14px", "button_large_radius": "10px", "block_shadow": "none"}
    shape |= {"input_border_width": "1px", "input_radius": "8px"}
    return base.set(**light, **dark, **shape)


def header(*, can_log_out: bool = False) -> str:
    """Return the head of the page.

    Args:
        can_log_out: True for a page with a login.
    """
    return _HEADER.format(more=_LOG_OUT if can_log_out else "")
