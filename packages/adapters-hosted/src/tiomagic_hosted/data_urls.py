"""Pictures inside a request, for vendors without a store for them."""

from __future__ import annotations

import base64

from tiomagic_domain.media import Media


def write_data_url(media: Media) -> str:
    """Return a picture or a video as a data URL."""
    return f"data:{media.media_type};base64,{base64.b64encode(media.read_bytes()).decode()}"
