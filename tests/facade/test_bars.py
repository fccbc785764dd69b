"""What a person sees of a run, and what a pipe does not."""

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.facade.conftest import Stage

from tiomagic.bars import is_animated, shown
from tiomagic_domain.progress import Phase, Progress, ignore_progress

MOMENTS = [
    Progress(phase=Phase.LOADING),
    *(Progress(phase=Phase.DENOISING, step=step, steps=8) for step in range(9)),
    Progress(phase=Phase.WRITING),
]


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make stderr a terminal, and give the end that a person looks at."""
    looks, writes = pty.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    with os.fdopen(writes, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        yield looks
        stream.flush()
    os.close(looks)


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: one line a phase and one each quarter of it."""
    with shown(True, "fox") as sink:
        for moment in MOMENTS:
            sink(moment)
    assert capsys.readouterr().err.splitlines() == [
        "fox: loading",
        "fox: denoising 0/8",
        "fox: denoising 2/8",
        "fox: denoising 4/8",
        "fox: denoising 6/8",
        "fox: denoising 8/8",
        "fox: writing",
    ]


@pytest.mark.parametrize("choice", [None, False])
def test_nothing_is_shown_on_a_pipe_unless_asked(choice: bool | None) -> None:
    """A library prints nothing into somebody's log file."""
    with shown(choice, "fox") as sink:
        assert sink is ignore_progress


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar moves on stderr and says the phase; NO_COLOR is honoured."""
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(monkeypatch) as screen:
        assert is_animated()
        with shown(None, "fox") as sink:
            for moment in MOMENTS:
                sink(moment)
        drawn = os.read(screen, 1 << 16).decode()
    assert "fox" in drawn
    assert "\x1b[3" not in drawn  # A colour.


@pytest.mark.parametrize(("variable", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_no_bar_where_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Continuous integration and dumb terminals get no animation."""
    with terminal(monkeypatch):
        monkeypatch.setenv(variable, value)
        assert not is_animated()


def test_a_callable_takes_each_moment(stage: Stage) -> None:
    """An application draws its own bar."""
    stage.tm.configure(provider="local")
    seen: list[Progress] = []
    stage.tm.text_to_video(prompt="a fox", progress=seen.append)
    assert [moment.step for moment in seen] == [0, 1, 2, 3]
