"""A working directory of its own for each test, and ``tm`` with fakes behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.facade import plugin
from tests.facade.commands import CommandServers, as_text
from typer.testing import CliRunner

from tiomagic import TioMagic
from tiomagic import tm as shared
from tiomagic.cli.main import app
from tiomagic.wiring.settings import known_settings
from tiomagic_domain.catalogue import models
from tiomagic_domain.testing import FakeClock, FakeMediaReader, FakeProvider

MODEL = "wan2.1-t2v-1.3b"
VACE = "wan2.1-vace-14b"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no setting in the environment."""
    for option in known_settings().values():
        monkeypatch.delenv(option.variable, raising=False)
    for variable in ("CI", "NO_COLOR", "TERM"):
        monkeypatch.delenv(variable, raising=False)
    working = tmp_path / "work"
    working.mkdir()
    monkeypatch.chdir(working)
    return working


@dataclass
class FakeApp:
    """``tm`` and the fakes behind it."""

    tm: TioMagic
    local: FakeProvider
    modal: FakeProvider
    media: FakeMediaReader
    clock: FakeClock
    made: list[TioMagic] = field(default_factory=list)


@pytest.fixture
def fake_app(tmp_path: Path) -> Iterator[FakeApp]:
    """``tm`` over fake providers, with the real database, output folder and log."""
    spool = tmp_path / "spool"
    local = FakeProvider(spool, name="local", blocking=True, default_model=MODEL)
    modal = FakeProvider(spool, name="modal", default_model=VACE)
    media = FakeMediaReader(tmp_path / "media")
    clock = FakeClock()
    parts: dict[str, Any] = {
        "providers": {"local": local, "modal": modal},
        "media": media,
        "clock": clock,
    }
    tm = TioMagic(overrides=parts)
    yield FakeApp(tm=tm, local=local, modal=modal, media=media, clock=clock)
    tm.close()


@pytest.fixture
def plugin_path(tmp_path: Path) -> Path:
    """A folder that looks like an installed distribution with the provider ``fake``."""
    site = tmp_path / "site"
    info = site / "tiomagic_fake-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiomagic-fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tiomagic.providers]\nfake = tiomagic_fake:PLUGIN\n"
        "[tiomagic.models]\nfake = tiomagic_fake:MODELS\n"
    )
    source = Path(plugin.__file__).read_text(encoding="utf-8")
    (site / "tiomagic_fake.py").write_text(source, encoding="utf-8")
    return site


Run = Callable[..., subprocess.CompletedProcess[str]]


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without settings of tiomagic."""
    ours = {option.variable for option in known_settings().values()}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, **more}


@pytest.fixture
def python(folder: Path) -> Run:
    """Run code in a fresh interpreter in the working directory."""

    def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    return run


@pytest.fixture(scope="session")
def commands() -> Iterator[CommandServers]:
    """Run commands as processes of their own, from one that has imported the command line."""
    servers = CommandServers()
    yield servers
    servers.close()


@pytest.fixture
def cli(commands: CommandServers, folder: Path, plugin_path: Path) -> Run:
    """Run the command line as a process of its own, with the provider ``fake`` installed."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = clean_environment(PYTHONPATH=str(plugin_path), **environment)
        return as_text(commands.run(*words, folder=folder, environment=given))

    return run


@pytest.fixture
def shell(folder: Path, plugin_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command line in this process: the same as ``cli``, faster."""
    monkeypatch.syspath_prepend(str(plugin_path))
    models.cache_clear()

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(app, list(words), prog_name="tiomagic")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    yield run
    shared.reset()  # Commands that make no video use the shared instance, which knows its folder.
    models.cache_clear()
    sys.modules.pop("tiomagic_fake", None)
