"""Where pictures and videos are dropped; Gradio shows them, and opens or converts none.

Gradio's own would give what was dropped to Pillow, ffprobe and FFmpeg without any bound, fetch what
has a web address, and serve copies of what it has made. These hand on ids; tiomagic's own reader is
the one that looks inside, at the very bytes that were sent.

No subclasses: Gradio writes a stub file beside the module of each class that comes from its own.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from tiomagic.ui.web.messages import is_file
from tiomagic.ui.web.uploads import FormFile


def picture(value: FormFile | None, **common: Any) -> Any:
    """Return where a picture is dropped.

    Args:
        value: What it shows at first.
        common: Further arguments of the component.
    """
    empty = gr.Image(value=None, sources=["upload", "clipboard"], buttons=[], **common)
    return _by_id(empty, value)


def video(value: FormFile | None, **common: Any) -> Any:
    """Return where a video is dropped; the arguments are those of :func:`make_picture`."""
    empty = gr.Video(value=None, sources=["upload"], buttons=[], **common)
    return _by_id(empty, value)


def _by_id(component: Any, value: FormFile | None) -> Any:
    """Make a component whose entry is ``{"path": id}``, and nothing else.

    It was made with a value of None in so many words. What is not said is not sent, and a browser
    would go on to show what stood there in the form before.
    """
    # Gradio looks for the files in data of its own kinds, to copy them; plain data has none.
    component.data_model = None
    component.preprocess = _received
    component.postprocess = _shown
    component.api_info = dict
    # Its own are addresses of other machines.
    component.example_payload = component.example_value = _none
    component.value = _shown(value)
    return component


def _received(payload: Any) -> dict[str, Any] | None:
    """Return what was dropped, for ``entering.read_entries`` to find; None for nothing."""
    return payload if is_file(payload) else None


def _shown(value: Any) -> dict[str, Any] | None:
    """Return what the browser shows."""
    return value.as_entry() if isinstance(value, FormFile) else None


def _none() -> None:
    """Return no example."""
