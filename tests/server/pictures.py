"""Pictures for requests."""

from __future__ import annotations

import io

from PIL import Image


def picture(colour: str = "red") -> bytes:
    """Return a small PNG of one colour."""
    kept = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(kept, "PNG")
    return kept.getvalue()
