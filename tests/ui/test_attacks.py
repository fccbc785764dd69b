"""Visitors who are no browser, against the page as it is served."""

import json
import random
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.ui.serving import PageProcess

import tiomagic.demo
from tiomagic.ui.browser_input import FILL_ACTIONS

PICTURE = Path(tiomagic.demo.__file__).with_name("inputs") / "square.png"
PLAY_LIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CHOICE = {"provider": "local", "feature": "pose_guidance", "model": "doodle"}

pytestmark = pytest.mark.timeout(900)


class Visitor:
    """Calls the functions of a page, as a program does."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=240, trust_env=False)
        self._session = uuid.uuid4().hex
        functions = self.http.get("/config").json()["dependencies"]
        self.functions = {one["api_name"]: one["id"] for one in functions}

    def call(self, name: str, data: object, **more: Any) -> str:
        """Return everything that is answered."""
        asked = {"data": data, "fn_index": self.functions[name], "session_hash": self._session}
        # As text of ASCII: half a character travels as an escape.
        sent = self.http.post(
            "/gradio_api/queue/join",
            content=json.dumps({**asked, **more}),
            headers={"Content-Type": "application/json"},
        )
        if sent.status_code != 200:
            return f"{sent.status_code} {sent.text}"
        answer = ""
        query = {"session_hash": self._session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=query) as stream:
            for line in stream.iter_lines():
                answer += f"{line}\n"
                if "process_completed" in line:
                    break
        return answer

    def form(self, values: object, choice: object = CHOICE) -> str:
        """Return the form that a draft makes."""
        draft = json.dumps({"choice": choice, "values": values})
        opened = self.call("_open", [draft, *[None] * 10])
        assert '"success":true' in opened, opened[-2000:]
        made = self.call("apply", [None, None])
        assert '"success":true' in made, made[-2000:]
        return made


@pytest.fixture
def visitor(page_process: PageProcess) -> Iterator[Visitor]:
    """A visitor of the page of all tests."""
    found = Visitor(page_process.address)
    yield found
    found.http.close()


def paths_of(form: str) -> list[str]:
    """What a form says of files."""
    return re.findall(r'"path": ?"([^"]+)"', form)


def test_no_draft_makes_a_file_of_this_machine_public(
    visitor: Visitor, page_process: PageProcess
) -> None:
    """Neither as text nor as an object, in no field and in no spelling."""
    secret = page_process.folder / "contract.png"
    secret.write_bytes(PICTURE.read_bytes())
    odd: list[Any] = [
        *(str(secret), f"file://{secret}", secret.as_uri(), secret.name, f"./{secret.name}"),
        *({"path": str(secret)}, {"path": secret.name}, [str(secret)], [{"path": str(secret)}]),
        {"path": str(secret), "meta": {"_type": "gradio.FileData"}},
        {"path": "x", "url": secret.as_uri(), "meta": {"_type": "gradio.FileData"}},
        {"video": {"path": str(secret)}, "path": str(secret)},
        {"path": f"upload/../../{secret.name}"},
        {"path": f"upload/{'0' * 32}/../../../{secret.name}"},
    ]
    for value in odd:
        form = visitor.form({"image": value, "pose_video": value, "guiding_video": value})
        assert paths_of(form) == [], value
        for path in (value if isinstance(value, str) else "", secret.name):
            assert visitor.http.get(f"/gradio_api/file={path}").status_code in {403, 404}


def test_an_empty_place_of_a_file_says_that_it_is(visitor: Visitor) -> None:
    """A browser goes on to show what stood there in the form before, unless nothing is said to."""
    form = visitor.form({"prompt": "a fox"})
    for name in ("image", "guiding_video", "pose_video"):
        props = form[: form.index(f'"elem_id":"field-{name}"')].rsplit('"props":', 1)[1]
        assert '"value":null' in props, name


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.avi", "clip.m3u8", "clip.ffconcat"])
def test_a_play_list_is_not_opened(name: str, visitor: Visitor) -> None:
    """A form that holds it gives back the very bytes, and no other file comes to be."""
    sent = visitor.http.post("/gradio_api/upload", files={"files": (name, PLAY_LIST)})
    file_id = sent.json()[0]
    form = visitor.form({"pose_video": {"path": file_id}})
    assert paths_of(form) == [file_id]
    assert visitor.http.get(f"/gradio_api/file={file_id}").content == PLAY_LIST


def test_any_draft_opens_the_page(visitor: Visitor) -> None:
    """A browser may keep anything: the form starts anew, and says nothing of errors."""
    odd: list[Any] = [
        *(None, 7, "x", [], {}, "\ud83d", {"a": "\ud83d"}, [1] * 200, {"prompt": {"a": 1}}),
        *({"prompt": "half \ud83d\0\x1b[2J"}, {"seed": 10**300}, {"num_inference_steps": -1e308}),
        *({"num_inference_steps": True}, {"image_url": {"a": 1}}, {"loras": [[[[[[1]]]]]]}),
    ]
    for value in odd:
        form = visitor.form(value)
        assert "field-prompt" in form
        form = visitor.form({"prompt": "a fox"}, value)
        assert "field-prompt" in form
    for draft in ("{", "null", "[" * 50_000, '{"values": NaN}', 7, ["a"], None):
        opened = visitor.call("_open", [draft, *[None] * 10])
        assert '"success":true' in opened, draft


@pytest.mark.parametrize(
    "odd",
    [
        7,
        True,
        -1e308,
        "x" * 5000,
        "\ud83d",
        "<img src=x>",
        "/etc/passwd",
        ["a"],
        {"path": "x"},
        None,
    ],
    ids=lambda value: repr(value)[:12],
)
def test_every_function_takes_what_no_page_sends(odd: object, visitor: Visitor) -> None:
    """At every place, and for every button: nothing fails, and nothing of it is markup."""
    visitor.form({"prompt": "a fox"})
    count = {"_choose": 4, "_fill": 2, "_open": 11, "_changes": 9, "_act": 9, "_refresh_page": 9}
    event = odd if isinstance(odd, str) else "show"
    called = set()
    for name in visitor.functions:
        plain = re.sub(r"_\d+$", "", name)
        if plain not in count:
            continue
        called.add(plain)
        action = random.choice(sorted(FILL_ACTIONS)) if plain == "_fill" else event
        told = {"action": action, "job": odd, "tags": odd, "note": odd}
        answer = visitor.call(name, [odd] * count[plain], event_data=told)
        assert '"success":true' in answer, (name, answer[-500:])
        assert "<img src=x>" not in answer
    assert called == set(count)
    assert "field-prompt" in visitor.form({"prompt": "a fox"})


def test_no_function_is_called_without_the_queue(visitor: Visitor) -> None:
    """The framework's interface for programs is shut."""
    for path in ("run/_open", "api/_open", "call/_open", "call/v2/_open", "component_server"):
        answer = visitor.http.post(f"/gradio_api/{path}", json={"data": [None] * 11})
        assert answer.status_code == 404, path
