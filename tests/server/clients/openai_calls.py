"""OpenAI's client makes, polls, lists, fetches, remixes and deletes a video."""

from __future__ import annotations

import warnings
from typing import Any

import openai
from tests.server.clients.common import MODEL, PROMPT, attempt, is_video, read_place, require


def main() -> None:
    """Make the calls."""
    warnings.simplefilter("ignore", DeprecationWarning)
    address, key = read_place()
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=key)
    size: Any = "64x64"
    video = attempt("create", lambda: client.videos.create(model=MODEL, prompt=PROMPT, size=size))
    done = attempt("poll", lambda: client.videos.poll(video.id))
    require(done.status == "completed", done.status)

    def find() -> None:
        listed = [one.id for one in client.videos.list(limit=5)]
        require(video.id in listed, f"{listed}")

    def fetch() -> None:
        content = client.videos.download_content(video.id).read()
        require(is_video(content), "no mp4")
        thumbnail = client.videos.download_content(video.id, variant="thumbnail").read()
        require(thumbnail.startswith(b"\x89PNG"), "no PNG")

    def remix() -> None:
        again = client.videos.remix(video.id, prompt="a blue circle moves right")
        require(again.remixed_from_video_id == video.id, f"{again}")
        client.videos.delete(again.id)

    def delete() -> None:
        require(client.videos.delete(video.id).deleted, "not deleted")

    def refuse() -> None:
        try:
            client.videos.create(model="doodel", prompt=PROMPT)
        except openai.BadRequestError as error:
            require(error.code == "unknown_model", f"{error}")
        else:
            raise AssertionError("no error")

    for name, call in (("list", find), ("fetch", fetch), ("remix", remix), ("delete", delete)):
        attempt(name, call)
    attempt("error", refuse)


if __name__ == "__main__":
    main()
