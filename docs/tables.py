"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator


def render_table_head(*names: str) -> Iterator[str]:
    """Give the first two lines of a table."""
    yield render_table_row(*names)
    yield render_table_row(*("---" for _ in names))


def render_table_row(*cells: str) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
