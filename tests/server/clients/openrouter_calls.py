"""OpenRouter's client makes, polls and fetches a video; it has no call to list or to delete."""

from __future__ import annotations

import time

from openrouter import OpenRouter
from openrouter.errors import BadRequestResponseError
from tests.server.clients.common import MODEL, PROMPT, attempt, is_video, read_place, require, say

POLL_S = 1


def main() -> None:
    """Make the calls."""
    address, key = read_place()
    with OpenRouter(server_url=f"{address}/api/v1", api_key=key) as client:
        videos = client.video_generation
        made = attempt("create", lambda: videos.generate(model=MODEL, prompt=PROMPT, seed=1))

        def poll() -> None:
            while (seen := videos.get_generation(job_id=made.id)).status != "completed":
                require(seen.status in {"pending", "in_progress"}, f"{seen}")
                time.sleep(POLL_S)

        def fetch() -> None:
            content = videos.get_video_content(job_id=made.id).read()  # type: ignore[attr-defined]
            require(is_video(content), "no mp4")

        def refuse() -> None:
            try:
                videos.generate(model="doodel", prompt=PROMPT)
            except BadRequestResponseError as error:
                require("doodel" in error.data.error.message, f"{error}")
            else:
                raise AssertionError("no error")

        def describe() -> None:
            names = {model.id for model in videos.list_videos_models().data}
            require(MODEL in names, f"{names}")

        attempt("poll", poll)
        attempt("fetch", fetch)
        attempt("models", describe)
        attempt("error", refuse)
        for name in ("list", "delete"):
            say(name, "none: the client has no such call")


if __name__ == "__main__":
    main()
