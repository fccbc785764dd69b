"""What a text of the command line means for a parameter."""

import pytest

from tiomagic.cli._values import parse_value
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


def test_a_copy_that_fails_leaves_nothing(folder, tmp_path) -> None:
    """The error says where the video is, and no part of it lies at the target."""
    with pytest.raises(ProcessingError, match=r"gone\.mp4"):
        copy_video(tmp_path / "gone.mp4", folder / "fox.mp4")
    assert list(folder.iterdir()) == []
