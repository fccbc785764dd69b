"""There is one command that installs what is missing, and the packages of the repository agree."""

import tomllib
from pathlib import Path

import pytest

from tiomagic_domain.errors import MissingDependencyError
from tiomagic_domain.extras import missing_extra_error

ROOT = Path(__file__).parents[2]


def test_the_error_has_the_extra_as_a_fact_and_the_command_as_text() -> None:
    """A program reads the details, a person the sentence."""
    error = missing_extra_error("pose", "finding the poses", module="onnxruntime")
    assert isinstance(error, MissingDependencyError)
    assert error.details["extra"] == "pose"
    assert error.details["module"] == "onnxruntime"
    assert error.message.startswith("finding the poses needs the extra 'pose', which is not")
    assert "(no module 'onnxruntime')" in error.message
    assert error.message.endswith("'./packages/facade[pose]'")


@pytest.mark.parametrize("extra", ["local", "modal", "media", "pose", "ui"])
def test_every_extra_is_one_of_the_facade(extra: str) -> None:
    """The command names folders of this repository, and never the index' old 1.0.0."""
    command = str(missing_extra_error(extra, "this").details["command"])
    assert command.startswith("pip install ./packages/domain ")
    for part in command.replace("'", "").split()[2:]:
        assert (ROOT / part.partition("[")[0] / "pyproject.toml").is_file()
    facade = tomllib.loads((ROOT / "packages/facade/pyproject.toml").read_text())
    assert extra in facade["project"]["optional-dependencies"]


def test_the_command_is_written_once() -> None:
    """Publishing 2.x changes one line."""
    places = [
        path.name
        for path in (ROOT / "packages").rglob("*.py")
        if "pip install ./packages" in path.read_text("utf-8")
    ]
    assert places == ["extras.py"]
