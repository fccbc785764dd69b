"""A folder as a reader of the pages has it, and a shell and an interpreter in it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modal.cli.entry_point import entrypoint_cli
from tests.documentation.blocks import Block, Command, commands
from tests.documentation.players import LocalWithPlayedModels, PlayableProvider
from typer.main import get_command
from typer.testing import CliRunner

import tiomagic
from tiomagic import TioMagic
from tiomagic.cli.main import app
from tiomagic.demo import DEMO_INPUTS, copy_inputs
from tiomagic.wiring.settings import known_settings
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_local.provider import LocalOptions, LocalProvider
from tiomagic_media.encode.mp4 import write_mp4

RECIPE = {
    "tiomagic_recipe": 1,
    "feature": "text_to_video",
    "model": "doodle",
    "provider": "local",
    "required_args": {"prompt": "a red circle moves right"},
    "optional_args": {"seed": 7},
}
TEXTS = {"words.txt": "a red circle moves right\n", "recipe.json": json.dumps(RECIPE)}
"""Files of a reader that pages name, beside pictures and videos."""


@pytest.fixture(scope="session")
def doodle(tmp_path_factory: pytest.TempPathFactory) -> LocalProvider:
    """The real provider, which keeps its model loaded from page to page."""
    return LocalProvider(LocalOptions(device="cpu"), tmp_path_factory.mktemp("spool"))


@pytest.fixture
def page_runner(
    tmp_path: Path, doodle: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Somebody who types what the pages say, in a folder of their own."""
    for option in known_settings().values():
        monkeypatch.delenv(option.variable, raising=False)
    monkeypatch.setenv("TIOMAGIC_WORKER_IDLE_S", "1")
    monkeypatch.setenv("TIOMAGIC_DEVICE", "cpu")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    wanted: set[Feature] = set()
    own = LocalWithPlayedModels(doodle, tmp_path / "own", wanted)
    far = PlayableProvider(
        tmp_path / "far",
        name="modal",
        default_model="wan2.1-vace-14b",
        script=(JobStatus.COMPLETED,),
    )
    monkeypatch.setattr("tiomagic_local.provider.LocalProvider", lambda *_: own)
    monkeypatch.setattr("tiomagic_modal.provider.ModalProvider", lambda *_, **__: far)
    monkeypatch.setattr(
        "tiomagic_hosted.building.build_provider",
        lambda service, catalogue, *_, **__: PlayableProvider(
            tmp_path / "vendor",
            name=service.name,
            default_model=catalogue.default_model,
            script=(JobStatus.COMPLETED,),
        ),
    )
    tm = TioMagic()
    monkeypatch.setattr(tiomagic, "tm", tm, raising=False)
    before = set(sys.modules)
    yield PageRunner(folder, wanted)
    tm.close()
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder):
            del sys.modules[name]


class PageRunner:
    """Types the blocks of one page, from top to bottom."""

    def __init__(self, folder: Path, wanted: set[Feature]) -> None:
        self.folder = folder
        self.wanted = wanted
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.environment: dict[str, str] = {}

    def prepare(self, text: str) -> None:
        """Put the files there that a page names."""
        copy_inputs(self.folder / "tiomagic-demo" / DEMO_INPUTS.name)
        for name, content in TEXTS.items():
            (self.folder / name).write_text(content, encoding="utf-8")
        for name in set(re.findall(r"(?<![\w/])[\w-]+\.(?:png|mp4)(?!\w)", text)):
            sample = "square.png" if name.endswith(".png") else "skeletons.mp4"
            shutil.copyfile(DEMO_INPUTS / sample, self.folder / name)
        write_mp4(
            self.folder / "clip.mp4", np.zeros((5, 64, 64, 3), np.uint8), fps=16, recipe=RECIPE
        )

    def type(self, block: Block) -> None:
        """Run one block."""
        if block.language == "python":
            self._python(block)
        elif block.language == "bash":
            for command in commands(block.code):
                if block.is_run(command.words[0]):
                    self._command(command, block)

    def _python(self, block: Block) -> None:
        named = re.match(r"# (\w+\.py)\n", block.code)
        if named:
            (self.folder / named[1]).write_text(block.code, encoding="utf-8")
            return
        padded = "\n" * (block.line - 1) + block.code
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(padded, block.page, "exec", flags=flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            made: Callable[[], Any] = eval(code, self.names)
            asyncio.run(made)
        else:
            exec(code, self.names)

    def _command(self, command: Command, block: Block) -> None:
        match command.words:
            case ["export", *assignments]:
                self.environment |= dict(word.split("=", 1) for word in assignments)
            case ["source", ".venv/bin/activate"]:
                pass  # The programs of this environment are at hand already.
            case ["tiomagic", *words] if block.mark == "parsed":
                parse(get_command(app), words)
            case ["modal", *words] if block.mark == "parsed":
                parse(entrypoint_cli, words)
            case ["tiomagic", *words]:
                self._tiomagic(words, command, block)
            case ["pytest", *words]:
                done = subprocess.run(
                    [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"
            case _:
                pytest.fail(f"{block.where}: no way to run {command.words}")

    def _tiomagic(self, words: list[str], command: Command, block: Block) -> None:
        if "JOB" in words:
            tm = TioMagic()
            newest = tm.list_jobs(limit=1)[0].job_id
            tm.close()
            words = [newest if word == "JOB" else word for word in words]
        text = None if command.source is None else Path(command.source).read_text(encoding="utf-8")
        environment = {**self.environment, **command.environment}
        done = CliRunner(env=environment).invoke(app, words, input=text, prog_name="tiomagic")
        said = f"{block.where}: {words}\n{done.output}"
        assert done.exit_code == 0, said
        assert done.exception is None, said


def parse(command: Any, words: list[str]) -> None:
    """Let a command line read a command as it does, and stop before it acts."""
    context = command.make_context(command.name, list(words))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
