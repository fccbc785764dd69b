"""Recipes that somebody else may have written: what is used of them, and what is not."""

import base64
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.facade.conftest import MODEL, VACE, FakeApp, Run, clean_environment

from tiomagic.errors import TioMagicError, ValidationError
from tiomagic_domain.catalogue import find_model

HASH = hashlib.sha256(b"x").hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def recipe(**changed: Any) -> dict[str, Any]:
    return {
        "tiomagic_recipe": 1,
        "feature": "text_to_video",
        "model": MODEL,
        "provider": "local",
        "required_args": {"prompt": "a fox"},
        "optional_args": {"seed": 5},
        **changed,
    }


def with_picture(picture: object) -> dict[str, Any]:
    arguments = {"prompt": "a fox", "image": picture}
    return recipe(feature="image_to_video", model=VACE, required_args=arguments)


def with_loras(*loras: dict[str, Any]) -> dict[str, Any]:
    return recipe(optional_args={"seed": 5, "loras": list(loras)})


@pytest.fixture
def receive(fake_app: FakeApp, folder: Path) -> Callable[[dict[str, Any]], str]:
    """Write a recipe as somebody might send it; a local provider is configured."""
    fake_app.tm.configure(provider="local")

    def write(content: dict[str, Any]) -> str:
        path = folder / "received.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    return write


Receive = Callable[[dict[str, Any]], str]


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        ("/home/me/diary.png", "a path"),
        ("diary.png", "a path"),
        ("~/diary.png", "a path"),
        ("https://example.org/who-is-it.png", "an address"),
        ("file:///etc/passwd", "an address"),
        ({"path": "/home/me/diary.png"}, "neither"),
        ({"sha256": "../../diary", "kind": "image"}, "neither"),
        (["/home/me/diary.png"], "neither"),
    ],
)
def test_an_input_that_is_no_hash_is_refused_with_the_reason(
    fake_app: FakeApp, receive: Receive, picture: object, what: str
) -> None:
    """Nothing is read, nothing is fetched, nothing is stored; one's own picture is taken."""
    source = receive(with_picture(picture))
    for use in (fake_app.tm.rerun, fake_app.tm.get_recipe):
        with pytest.raises(ValidationError, match=f"image: .*this one has {what}"):
            use(source)
    assert fake_app.tm.list_jobs() == []
    assert fake_app.tm.inspect(source)["required_args"]["image"] == picture
    fake_app.media.add("mine.png")
    assert fake_app.tm.rerun(source, image="mine.png").status == "completed"


def test_an_input_in_the_recipe_itself_is_taken(fake_app: FakeApp, receive: Receive) -> None:
    """A data URL holds its bytes: there is nothing to find or to fetch."""
    url = f"data:image/png;base64,{base64.b64encode(b'picture').decode()}"
    fake_app.media.add(url)
    assert fake_app.tm.rerun(receive(with_picture(url))).status == "completed"


@pytest.mark.parametrize(
    "lora",
    [
        {"source": "/home/me/style.safetensors", "sha256": HASH},
        {"source": "..\\style.safetensors", "sha256": HASH},
        {"source": "folder/style.safetensors", "sha256": HASH},
        {"source": "style.safetensors"},
        {"source": "https://example.org/style.safetensors", "sha256": HASH},
        {"source": "https://example.org/repository"},
        {"source": "/home/me/repository"},
        {"source": "owner/name", "weight_name": "../../style.safetensors"},
        {"source": "owner/name", "weight_name": "..\\..\\style.safetensors"},
        {"source": "owner/name", "weight_name": "C:\\style.safetensors"},
        {"source": "C:\\style"},
        {"source": "folder/in/folder"},
        {"source": "owner/.."},
        {"source": ""},
        {"path": "/home/me/style.safetensors"},
    ],
    ids=lambda lora: " ".join(lora.values()),
)
def test_a_lora_is_a_bare_name_with_its_hash(
    fake_app: FakeApp, receive: Receive, lora: dict[str, Any]
) -> None:
    """A path is refused, and a yes does not change that."""
    with pytest.raises(ValidationError, match="loras: a recipe names a LoRA file by its bare name"):
        fake_app.tm.rerun(receive(with_loras(lora)), trust=True)
    assert fake_app.tm.list_jobs() == []


def test_a_lora_file_by_its_hash_is_taken(fake_app: FakeApp, receive: Receive) -> None:
    """It is looked for here, and is what it was or not used."""
    lora = {"source": "style.safetensors", "sha256": HASH}
    assert fake_app.tm.rerun(receive(with_loras(lora))).status == "completed"


def test_weights_that_nobody_named_need_a_yes(fake_app: FakeApp, receive: Receive) -> None:
    """Each is listed; with the yes, or with one's own LoRAs, it runs."""
    (own, *_) = find_model(MODEL).repositories
    source = receive(
        recipe(
            optional_args={
                "seed": 5,
                "loras": [{"source": "stranger/lora", "revision": COMMIT}],
                "revisions": {own: COMMIT},
            }
        )
    )
    with pytest.raises(ValidationError, match=r"trust them \[trust=True\]") as caught:
        fake_app.tm.rerun(source)
    assert caught.value.code == "untrusted_weights"
    first, second = caught.value.details["weights"]
    assert first == f"a LoRA from stranger/lora at {COMMIT}"
    assert second.startswith(f"{own} at {COMMIT}, where the model has ")
    assert fake_app.tm.list_jobs() == []
    assert fake_app.tm.rerun(source, loras=[], revisions=None).status == "completed"
    assert fake_app.tm.rerun(source, trust=True).status == "completed"


@pytest.mark.parametrize("commit", [[COMMIT], {"at": COMMIT}, 3], ids=["list", "dict", "number"])
def test_a_commit_that_is_no_text_is_an_error_of_ours(
    fake_app: FakeApp, receive: Receive, commit: object
) -> None:
    """With a yes as without: a commit is a text."""
    (own, *_) = find_model(MODEL).repositories
    source = receive(recipe(optional_args={"revisions": {own: commit}}))
    for trust in (False, True):
        with pytest.raises(ValidationError):
            fake_app.tm.rerun(source, trust=trust)
    assert fake_app.tm.list_jobs() == []


def test_what_a_question_lists_is_short(fake_app: FakeApp, receive: Receive) -> None:
    """Many LoRAs are refused by their number; long words are cut, repetitions named once."""
    many = [{"source": "stranger/lora"}] * 100_000
    with pytest.raises(ValidationError, match="has 100000 entries"):
        fake_app.tm.rerun(receive(with_loras(*many)))
    long = {"source": "stranger/" + "x" * 100_000, "revision": "y" * 100_000}
    with pytest.raises(ValidationError, match="stranger/x") as caught:
        fake_app.tm.rerun(receive(with_loras(long, long)))
    assert len(caught.value.details["weights"]) == 1
    assert len(str(caught.value)) < 1000


def test_a_recipe_of_ones_own_job_needs_no_yes(fake_app: FakeApp) -> None:
    """The user has named the repository when the job was made."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(MODEL, prompt="a fox", loras=[{"source": "owner/lora"}])
    beside = Path(job.result_video or "").with_suffix(".json")
    assert fake_app.tm.rerun(beside).status == "completed"
    assert fake_app.tm.rerun(job.job_id).status == "completed"
    # The same recipe with another repository in it is not what the user has named.
    changed = json.loads(beside.read_text())
    changed["optional_args"]["loras"][0]["source"] = "stranger/lora"
    beside.write_text(json.dumps(changed))
    with pytest.raises(ValidationError, match="stranger/lora"):
        fake_app.tm.rerun(beside)


@pytest.mark.parametrize(
    "text",
    [
        '{"tiomagic_recipe": 1, "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps(recipe())[:-1] + ', "facts": {"x": ' + "9" * 6000 + "}}",
        json.dumps(recipe())[:-1] + ', "facts": {"x": NaN}}',
        json.dumps(recipe(versions=["torch"])),
        json.dumps(recipe(tiomagic_recipe=True)),
        json.dumps(recipe(facts={"x": "y" * 5_000_000})),
    ],
    ids=["deep", "long number", "no number", "another type", "no format", "large"],
)
@pytest.mark.parametrize("kind", ["json", "mp4"])
def test_a_bomb_is_an_error_of_ours(
    fake_app: FakeApp, tmp_path: Path, text: str, kind: str
) -> None:
    """In the file beside a video and inside of one, for every way to use it."""
    path = tmp_path / f"sent.{kind}"
    if kind == "json":
        path.write_text(text, encoding="utf-8")
    else:
        write_video(path, text)
    fake_app.tm.configure(provider="local")
    for use in (fake_app.tm.rerun, fake_app.tm.inspect, fake_app.tm.get_recipe):
        with pytest.raises(TioMagicError):
            use(path)


def write_video(path: Path, text: str) -> None:
    """Write a real video with a text in the place of its recipe."""
    import av

    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["tiomagic"] = text
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


THREE_TIMES = """
from tiomagic.cli.main import app
for _ in range(3):
    try:
        app(["rerun", "r.json", "-p", "fake", "-q"], prog_name="tiomagic")
    except SystemExit as ended:
        print("status", ended.code or 0)
"""


def test_a_terminal_is_asked(folder: Path, plugin_path: Path) -> None:
    """The weights are shown, and only a yes is one."""
    sent = with_loras({"source": "stranger/lora", "revision": "main\x1b[2J"})
    (folder / "r.json").write_text(json.dumps({**sent, "model": "fake-wan2.1-vace-14b"}))
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", THREE_TIMES],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(plugin_path), TERM="dumb"),
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    for answer in (b"y\n", b"\n", b"n\n"):
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(mine, 1000)
        assert b"stranger/lora at main\\x1b[2J" in shown
        os.write(mine, answer)
    out, _ = process.communicate(timeout=280)
    os.close(mine)
    assert re.findall(r"^status (\d)$", out, re.MULTILINE) == ["0", "3", "3"]


def test_without_a_terminal_the_flag_is_the_yes(shell: Run, folder: Path) -> None:
    """Both commands that begin with a recipe have it."""
    model = "fake-wan2.1-vace-14b"
    sent = {**with_loras({"source": "stranger/lora"}), "model": model}
    (folder / "r.json").write_text(json.dumps(sent))
    for words in (("rerun", "r.json"), ("text-to-video", "--from", "r.json")):
        refused = shell(*words, "-p", "fake", "-q")
        assert refused.returncode == 3
        assert "stranger/lora" in refused.stderr
        assert shell(*words, "-p", "fake", "-q", "--trust").returncode == 0


def test_another_model_takes_what_was_chosen(fake_app: FakeApp) -> None:
    """Inputs, the seed and what was chosen; the first model's defaults are not kept."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(MODEL, prompt="a fox", seed=5, num_frames=17)
    again = fake_app.tm.rerun(job.job_id, model="ltx-video", guidance_scale=2.0)
    fresh = fake_app.tm.text_to_video("ltx-video", prompt="a fox", seed=5, num_frames=17)
    assert again.model == "ltx-video"
    assert again.generation
    assert fresh.generation
    expected = {**fresh.generation["optional_args"], "guidance_scale": 2.0}
    assert again.generation["optional_args"] == expected
    assert (
        fake_app.tm.rerun(job.job_id, model=MODEL).generation["optional_args"]
        == (job.generation or {})["optional_args"]
    )
