"""Upload widgets for pictures and videos; Gradio shows the files, but never opens or converts them.

Gradio's own widgets would pass uploads to Pillow, ffprobe and FFmpeg without limits, fetch web
addresses, and serve copies. These pass on ids; only tiomagic's media reader opens the uploaded
bytes.

No subclasses: Gradio writes a stub file beside the module of each class that comes from its own.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from tiomagic.ui.web.messages import is_file
from tiomagic.ui.web.uploads import FormFile


def picture(value: FormFile | None, **common: Any) -> Any:
    """Return the upload widget for a picture.

    Args:
        value: The initial file.
        common: Further arguments of the component.
    """
    empty = gr.Image(value=None, sources=["upload", "clipboard"], buttons=[], **common)
    return _by_id(empty, value)


def video(value: FormFile | None, **common: Any) -> Any:
    """Return the upload widget for a video; arguments as for :func:`make_picture`."""
    empty = gr.Video(value=None, sources=["upload"], buttons=[], **common)
    return _by_id(empty, value)


def _by_id(component: Any, value: FormFile | None) -> Any:
    """Make a component whose value is ``{"path": id}``, and nothing else.

    A value of None is passed explicitly. Without it nothing is sent, and the browser would keep
    showing the file of the previous form.
    """
    # Gradio copies the files that it finds in data of its own classes; plain data has none.
    component.data_model = None
    component.preprocess = _received
    component.postprocess = _shown
    component.api_info = dict
    # Gradio's own examples have addresses of other machines.
    component.example_payload = component.example_value = _none
    component.value = _shown(value)
    return component


def _received(payload: Any) -> dict[str, Any] | None:
    """Return the uploaded file's id for ``browser_input.read_entries``; None for none."""
    return payload if is_file(payload) else None


def _shown(value: Any) -> dict[str, Any] | None:
    """Return what the browser shows."""
    return value.as_entry() if isinstance(value, FormFile) else None


def _none() -> None:
    """Return no example."""
