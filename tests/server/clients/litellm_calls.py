"""LiteLLM makes, polls, lists, fetches and remixes a video, as a client of OpenAI's and vLLM's API.

It runs without tiomagic's packages, in the environment of ``litellm.txt``.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import litellm
from common import MODEL, PROMPT, attempt, is_video, read_place, require, say

POLL_S = 1


def call_provider(provider: str, place: dict[str, Any], *, remixes: bool) -> None:
    """Make the calls with one of LiteLLM's providers, whose API the server speaks."""
    create = partial(
        litellm.video_generation, model=f"{provider}/{MODEL}", prompt=PROMPT, size="64x64", **place
    )
    made = attempt(f"{provider} create", create)

    def poll() -> None:
        while (seen := litellm.video_status(made.id, **place)).status != "completed":
            require(seen.status in {"queued", "in_progress"}, f"{seen}")
            time.sleep(POLL_S)

    def find() -> None:
        listed = litellm.video_list(custom_llm_provider=provider, limit=5, **place)
        require(made.id in {one["id"] for one in listed["data"]}, f"{listed}")

    def fetch() -> None:
        require(is_video(litellm.video_content(made.id, **place)), "no mp4")
        thumbnail = litellm.video_content(made.id, variant="thumbnail", **place)
        require(thumbnail.startswith(b"\x89PNG"), "no PNG")

    def remix() -> None:
        again = litellm.video_remix(made.id, prompt="a blue circle moves right", **place)
        require(again.remixed_from_video_id, f"{again}")

    refuse = partial(_refuse, provider, place)
    calls = [("poll", poll), ("list", find), ("fetch", fetch), ("error", refuse)]
    for name, call in [*calls, ("remix", remix)] if remixes else calls:
        attempt(f"{provider} {name}", call)
    if hasattr(litellm, "video_delete"):
        attempt(f"{provider} delete", lambda: litellm.video_delete(made.id, **place))
    else:
        say(f"{provider} delete", "none: the client has no such call")


def _refuse(provider: str, place: dict[str, Any]) -> None:
    try:
        litellm.video_generation(model=f"{provider}/doodel", prompt=PROMPT, **place)
    except litellm.BadRequestError as error:
        require("doodel" in str(error), f"{error}")
    else:
        raise AssertionError("no error")


def main() -> None:
    """Make the calls."""
    litellm.suppress_debug_info = True
    address, key = read_place()
    place = {"api_base": f"{address}/v1", "api_key": key}
    call_provider("openai", place, remixes=True)
    call_provider("hosted_vllm", place, remixes=False)


if __name__ == "__main__":
    main()
