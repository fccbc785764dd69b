"""Providers of other distributions that are broken: named, left out, and nobody else's trouble."""

import json
from pathlib import Path

import pytest
from tests.facade.commands import CommandServers, as_text
from tests.facade.conftest import MODEL, clean_environment

from tiomagic import TioMagic
from tiomagic.errors import ConfigurationError
from tiomagic.wiring.registry import broken_providers
from tiomagic_local.engines import find_engine


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution whose providers cannot be used, one way each."""
    info = tmp_path / "broken" / "tiomagic_broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiomagic-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tiomagic.providers]\nabsent = nowhere_at_all:build\nlocal = os:getcwd\n"
        "number = math:pi\nraises = json:loads\n"
        "[tiomagic.models]\nabsent = nowhere_at_all:MODELS\n"
    )
    monkeypatch.syspath_prepend(str(info.parent))
    return info.parent


@pytest.mark.usefixtures("broken")
def test_each_is_named_with_its_reason() -> None:
    """By the entry point, the distribution, and what is wrong."""
    found = sorted(str(problem) for problem in broken_providers())
    assert len(found) == 3
    assert "'absent' (nowhere_at_all:build) of tiomagic-broken" in found[0]
    assert "there is a provider 'local' already" in found[1]
    assert "'number' (math:pi)" in found[2]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("name", ["absent", "number", "raises"])
def test_one_that_is_asked_for_is_an_error_of_ours(name: str) -> None:
    """Whoever configures it hears why; unloading passes it by."""
    with TioMagic().override():
        tm = TioMagic(provider=name)
    with pytest.raises(ConfigurationError, match="is left out: it cannot be") as caught:
        tm.text_to_video(MODEL, prompt="a fox")
    assert caught.value.code == "broken_plugin"
    tm.unload()
    tm.close()


def test_the_doctor_shows_them(commands: CommandServers, folder: Path, broken: Path) -> None:
    """And everything else works: the models are listed, and doodle is among them."""

    def run(command: str) -> str:
        environment = clean_environment(PYTHONPATH=str(broken))
        done = as_text(commands.run(command, folder=folder, environment=environment))
        assert done.returncode == 0, done.stderr
        return done.stdout

    lines = [line for line in run("doctor").splitlines() if line.startswith("plugin")]
    assert len(lines) == 4
    assert all("warning" in line for line in lines)
    assert "doodle" in run("models")


LOUD = {
    "exit": "raise SystemExit(3)",
    "no_exception": "import asyncio\nraise asyncio.CancelledError",
    "no_words": "class Silent(Exception):\n    def __str__(self): raise RuntimeError\nraise Silent",
    "exit_later": "def cards():\n    raise SystemExit(3)\n    yield\nMODELS = cards()",
    "prints": "print('chatter')\nMODELS = [3]",
}
"""Sources of plugins that do what no plugin should."""


def test_whatever_plugins_do_the_data_stay_whole(
    commands: CommandServers, folder: Path, tmp_path: Path
) -> None:
    """The doctor's JSON is read as JSON and names each of them; a call is not disturbed."""
    for name, source in LOUD.items():
        info = tmp_path / "loud" / f"tiomagic_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info.parent / f"loud_{name}.py").write_text(source)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tiomagic-{name}\nVersion: 1\n"
        )
        (info / "entry_points.txt").write_text(f"[tiomagic.models]\n{name} = loud_{name}:MODELS\n")
    call = ("text-to-video", "a red circle", "--model", "doodle", "--dry-run", "-p", "local")
    for words in (("doctor",), call):
        environment = clean_environment(PYTHONPATH=str(tmp_path / "loud"))
        run = as_text(commands.run(*words, "--json", folder=folder, environment=environment))
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)
        assert "Traceback" not in run.stderr
        if words == ("doctor",):
            missing = [name for name in LOUD if f"'{name}' (loud_{name}:MODELS)" not in run.stdout]
            assert missing == []


def test_an_engine_that_cannot_be_imported_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker fails that job with the reason, and goes on."""
    info = tmp_path / "engines" / "tiomagic_motor-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "motor_that_exits.py").write_text("raise SystemExit(3)")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiomagic-motor\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tiomagic.engines]\nmotor = motor_that_exits:ENGINE\n")
    monkeypatch.syspath_prepend(str(info.parent))
    with pytest.raises(ConfigurationError, match=r"'motor'.*SystemExit: 3") as caught:
        find_engine("motor")
    assert caught.value.code == "broken_plugin"
