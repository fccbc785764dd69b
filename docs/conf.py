"""How the documentation site is made: ``uv run sphinx-build -W docs docs/_site``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tiomagic import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "tiomagic"
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["*.py", "_site", "_static"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False

pygments_dark_style = "monokai"
html_theme = "furo"
html_title = "tiomagic"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
# The pages say what they are; nobody asks for the generator.
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#b3261e", "color-brand-content": "#a3221b"},
    "dark_css_variables": {"color-brand-primary": "#ff8a80", "color-brand-content": "#ff9e95"},
}

ALL_MODELS = "\n```{toctree}\n:hidden:\n:glob:\n*\n```\n"
"""Puts the page of each model below their index, which is also read where nobody knows this."""


TABS = re.compile(r"^<!-- tabs -->\n(.*?)^<!-- /tabs -->$", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^\*\*([^*\n]+)\*\*$", re.MULTILINE)


def make_tabs(_: Sphinx, __: str, text: list[str]) -> None:
    """Make tabs of labelled parts between two comments, which also read well without a site."""
    text[0] = TABS.sub(lambda found: _tab_set(found[1]), text[0])


def _tab_set(text: str) -> str:
    _, *parts = LABEL.split(text)
    items = [
        f"````{{tab-item}} {name}\n:sync: {name}\n\n{part.strip()}\n````"
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    ]
    # One choice counts for all tabs with the same labels.
    group = "-".join(sorted(parts[::2])).lower()
    return "\n\n".join([f"`````{{tab-set}}\n:sync-group: {group}", *items, "`````"])


def list_models(_: Sphinx, name: str, text: list[str]) -> None:
    """Add what the site needs, and a reader of the file does not, to the index of the models."""
    if name == "models/README":
        text[0] += ALL_MODELS


def reach_all(_: Sphinx, __: str, ___: str, context: dict[str, object], ____: object) -> None:
    """Mend what a keyboard or a screen reader would miss: long lines, wide tables, captions."""
    for part, found, mended in (
        ("body", "<pre>", '<pre tabindex="0">'),
        ("body", '<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
        ("furo_navigation_tree", 'role="heading"', 'role="heading" aria-level="2"'),
    ):
        text = context.get(part)
        if isinstance(text, str):
            context[part] = text.replace(found, mended)


def setup(app: Sphinx) -> None:
    """Join in when a page is read, and after the theme when one is written."""
    app.connect("source-read", make_tabs)
    app.connect("source-read", list_models)
    app.connect("html-page-context", reach_all, priority=900)
