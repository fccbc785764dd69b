"""What a text of the command line means for a parameter."""

import json
from pathlib import Path

import pytest
import typer

from tiomagic.cli._values import join_keyframes, parse_value
from tiomagic.errors import ProcessingError
from tiomagic.results.saving import copy_video
from tiomagic_domain.schema.parameter import Kind


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.INTEGER, "81", 81),
        (Kind.INTEGER, "1.5", 1.5),
        (Kind.NUMBER, "5", 5),
        (Kind.NUMBER, "many", "many"),
        (Kind.BOOLEAN, "Yes", True),
        (Kind.BOOLEAN, "off", False),
        (Kind.BOOLEAN, "1", "1"),
        (Kind.LIST, "[1, 2]", [1, 2]),
        (Kind.OBJECT, '{"a": 1}', {"a": 1}),
        (Kind.OBJECT, "{", "{"),
        (Kind.STRING, "81", "81"),
        (Kind.IMAGE, "fox.png", "fox.png"),
    ],
)
def test_each_kind_reads_its_own_form(kind: Kind, text: str, value: object) -> None:
    """What has no form of its kind stays text, for the schema to refuse."""
    read = parse_value(kind, text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("hop.png@1.5", {"image": "hop.png", "at": 1.5}),
        ("hop.png@2", {"image": "hop.png", "at": 2}),
        ("hop.png@0.5s", {"image": "hop.png", "at": 0.5}),
        ("hop.png@f24", {"image": "hop.png", "frame": 24}),
        ("a@b/hop.png@F8", {"image": "a@b/hop.png", "frame": 8}),
        ("https://user@example.org/hop.png", {"image": "https://user@example.org/hop.png"}),
        ("hop.png", {"image": "hop.png"}),
        ("hop@home.png", {"image": "hop@home.png"}),
        ("hop.png@-1", {"image": "hop.png", "at": -1}),
        ("hop.png@f-1", {"image": "hop.png", "frame": -1}),
    ],
)
def test_a_keyframe_is_a_picture_and_a_moment(text: str, entry: dict[str, object]) -> None:
    """What has no moment is a picture without one, which the schema refuses by its place."""
    assert json.loads(join_keyframes([text]) or "") == [entry]


@pytest.mark.parametrize("moment", ["soon", "1e400", "0,5", "0:01", "50%", ""])
def test_a_word_that_is_no_moment_is_one_problem(moment: str) -> None:
    """And not a file of that name as well; what is right beside it is not named."""
    with pytest.raises(typer.BadParameter) as caught:
        join_keyframes([f"hop.png@{moment}", "hop.png@1"])
    assert caught.value.param_hint == "--keyframe"
    assert str(caught.value).startswith(f"'hop.png@{moment}': behind the @ stand seconds")


def test_a_file_may_have_the_sign_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there is a picture, whatever stands behind the sign."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hop@home").touch()
    assert json.loads(join_keyframes(["hop@home"]) or "") == [{"image": "hop@home"}]


def test_no_keyframe_is_nothing() -> None:
    """The option left out leaves a recipe's keyframes alone."""
    assert join_keyframes(None) is None
    assert join_keyframes([]) is None


def test_a_copy_that_fails_leaves_nothing(folder, tmp_path) -> None:
    """The error says where the video is, and no part of it lies at the target."""
    with pytest.raises(ProcessingError, match=r"gone\.mp4"):
        copy_video(tmp_path / "gone.mp4", folder / "fox.mp4")
    assert list(folder.iterdir()) == []
