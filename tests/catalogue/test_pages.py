"""The reference pages say what the catalogue says, and name tests that exist."""

import re
import subprocess
import sys

import pytest
from docs import generate
from tests.catalogue.extremes import CASES


@pytest.fixture(scope="module")
def index():
    """The page of all models."""
    return generate.pages()[generate.INDEX]


def test_every_model_feature_and_provider_is_reached_by_a_test_that_exists(index):
    """Pytest knows each test that a cell of the table names, and no combination lacks its cell."""
    named = re.findall(r"`(tests/\S+::\S+\[\S+\])`", index)
    assert len(named) == len(set(named)) == sum(len(card.providers) for card, _ in CASES)
    files = sorted({name.partition("::")[0] for name in named})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-cov", *files],
        cwd=generate.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(named) <= set(done.stdout.splitlines()), done.stdout + done.stderr


def test_a_page_says_every_parameter_with_its_default_limits_and_source():
    """Nothing that the schema knows is left out."""
    pages = generate.pages()
    for card, feature in CASES:
        page = pages[generate.PAGES / f"{card.name}.md"]
        assert card.licence in page
        assert card.homepage in page
        for parameter in card.schema(feature).parameters:
            assert f"| `{parameter.name}`" in page
            assert parameter.description in page
            assert (parameter.source or "") in page
        for name in card.schema(feature).objects:
            assert f"`{name}`" in page


def test_the_check_names_what_is_stale_and_the_command_that_helps(tmp_path, monkeypatch, capsys):
    """A page that is wrong, missing or left over fails; writing them mends all three."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"# T\n{generate.BEGIN}old\n{generate.END}end\n")
    generate.write()
    assert generate.stale() == []
    (tmp_path / generate.PAGES / "doodle.md").write_text("wrong")
    (tmp_path / generate.PAGES / "gone.md").write_text("of a model that is gone")
    (tmp_path / generate.INDEX).unlink()
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    said = capsys.readouterr().out
    for name in ("doodle.md", "gone.md", "README.md", generate.COMMAND):
        assert name in said
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 0
    assert not (tmp_path / generate.PAGES / "gone.md").exists()
    assert (tmp_path / "README.md").read_text().endswith("end\n")
