"""A job as HTML for a notebook: one document without scripts, which also shows offline."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tiomagic_domain.jobs import Job

INLINE_BYTES: Final = 8 * 2**20
"""A video up to this size is put into the notebook; a larger one is named, since every saved copy
of the notebook would hold it."""
VALUE_CHARACTERS: Final = 200
"""What a cell of the table shows of a value."""


def card(job: Job) -> str:
    """Return the player of a job's video with its settings; its state when there is none."""
    return (
        '<div style="max-width:640px;font-family:sans-serif">'
        f"{_player(job)}"
        f"<p><strong>{escape(job.model)}</strong> · {escape(job.feature.label)} · "
        f"{escape(job.provider)} · {escape(job.status.value)}</p>"
        f"<details><summary>Settings</summary><table>{_rows(job)}</table></details></div>"
    )


def _player(job: Job) -> str:
    if job.result_video is None:
        told = job.error or job.progress or job.message or job.status
        return f"<p>{escape(str(told))}</p>"
    path = Path(job.result_video)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= INLINE_BYTES else None
    except OSError:
        return f"<p>The video is gone: <code>{escape(str(path))}</code></p>"
    if data is None:
        mib = size / 2**20
        return f"<p>The video is at <code>{escape(str(path))}</code> ({mib:.0f} MiB).</p>"
    source = base64.b64encode(data).decode("ascii")
    about = escape(str(job.arguments.get("prompt", "")), quote=True)
    return (
        '<video controls loop muted playsinline style="width:100%;min-width:256px" '
        f'aria-label="{about}" src="data:video/mp4;base64,{source}"></video>'
    )


def _rows(job: Job) -> str:
    return "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(_short(value))}</td></tr>'
        for name, value in {"job": job.job_id, **job.arguments}.items()
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"
