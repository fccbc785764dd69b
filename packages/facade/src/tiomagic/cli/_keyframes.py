"""The texts of ``--keyframe``: a picture and its moment, such as ``hop.png@1.5``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

_MOMENT: Final = re.compile(r"(?P<frame>f)?(?P<number>\d{1,9}(?:\.\d{1,9})?)s?", re.IGNORECASE)


def join_keyframes(texts: Iterable[str] | None) -> str | None:
    """Return the argument ``keyframes`` as JSON, as ``--set`` takes it; None without any.

    What has no moment is a picture without one, which the model's schema refuses with its place.

    Args:
        texts: Each ``FILE@1.5`` in seconds, or ``FILE@f24`` for a frame.
    """
    entries = [_read_keyframe(text) for text in texts or ()]
    return json.dumps(entries) if entries else None


def _read_keyframe(text: str) -> dict[str, object]:
    # From the right: a name or an address may have the sign, too.
    image, sign, moment = text.rpartition("@")
    found = _MOMENT.fullmatch(moment.strip()) if sign else None
    if found is None:
        return {"image": text}
    digits = found["number"]
    number = float(digits) if "." in digits else int(digits)
    return {"image": image, "frame" if found["frame"] else "at": number}
