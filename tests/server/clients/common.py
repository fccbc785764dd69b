"""What the scripts of the clients share: each call is tried, and its outcome printed."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

PROMPT = "a red circle moves right"
MODEL = "doodle"


def read_place() -> tuple[str, str]:
    """Return the address and the key of the server."""
    return sys.argv[1], sys.argv[2]


def attempt(call: str, function: Callable[[], Any]) -> Any:
    """Make a call, print whether it works, and return what it gives; None when it fails."""
    try:
        found = function()
    except Exception as error:
        traceback.print_exc()
        say(call, f"{type(error).__name__}: {error}")
        return None
    say(call, "works")
    return found


def say(call: str, outcome: str) -> None:
    """Print the outcome of a call as a line of JSON."""
    sys.stdout.write(json.dumps({"call": call, "outcome": outcome[:300]}) + "\n")
    sys.stdout.flush()


def require(condition: object, message: str) -> None:
    """Raise if an answer is not what it should be."""
    if not condition:
        raise AssertionError(message)


def is_video(content: bytes) -> bool:
    """Return whether bytes are an mp4."""
    return content[4:8] == b"ftyp"
