"""What a person sees of a run, and what a pipe does not."""

import base64
import os
import pty
import re
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from tests.facade.conftest import FakeApp

from tiomagic.display.notebook import is_notebook
from tiomagic.display.progress_bar import is_animated, show_item_count, show_progress
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.progress import DownloadState, Phase, Progress, ignore_progress

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


def read_screen(screen: int) -> str:
    """Read what was drawn, up to the cursor's return: a read may give only a part of it."""
    drawn = b""
    while b"\x1b[?25h" not in drawn:
        drawn += os.read(screen, 1 << 16)
    return drawn.decode()


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: one line a phase and one each quarter of it."""
    with show_progress(True, "fox") as sink:
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


def test_what_a_run_waits_for_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the line of a log, and below the bar of a terminal."""
    moment = Progress(phase=Phase.WAITING, note="the device cpu is busy: process 7 uses it")
    assert Progress.from_dict(moment.to_dict()) == moment
    with show_progress(True, "fox") as sink:
        sink(moment)
        sink(moment)
    assert capsys.readouterr().err.splitlines() == [
        "fox: waiting: the device cpu is busy: process 7 uses it"
    ]
    with terminal(monkeypatch) as looks:
        with show_progress(True, "fox") as sink:
            sink(moment)
        assert "the device cpu is busy: process 7 uses it" in read_screen(looks)


@pytest.mark.parametrize("closed", [False, True])
def test_a_reader_that_leaves_ends_the_display_and_no_more(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """A pipe that nobody reads, and a stream that is closed; the callable still gets all."""
    reads, writes = os.pipe()
    os.close(reads)
    heard: list[Progress] = []
    stream = os.fdopen(writes, "w")
    if closed:
        with suppress(BrokenPipeError):
            stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    with show_progress(True, "fox", heard.append) as sink:
        for moment in MOMENTS:
            sink(moment)
    assert heard == MOMENTS
    with suppress(BrokenPipeError, ValueError):
        stream.close()


@pytest.mark.parametrize("choice", [None, False])
def test_nothing_is_shown_on_a_pipe_unless_asked(choice: bool | None) -> None:
    """A library prints nothing into somebody's log file."""
    with show_progress(choice, "fox") as sink:
        assert sink is ignore_progress


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar moves on stderr and says the phase; NO_COLOR is honoured."""
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(monkeypatch) as screen:
        assert is_animated()
        with show_progress(None, "fox") as sink:
            for moment in MOMENTS:
                sink(moment)
        drawn = read_screen(screen)
    assert "fox" in drawn
    assert "\x1b[3" not in drawn  # A colour.


def test_a_download_has_its_facts_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, speed and time left stand in one line of 80 columns, and the file in the next."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    state = DownloadState(
        file="transformer/diffusion_pytorch_model-00001-of-00007.safetensors",
        number=3,
        files=12,
        bytes_done=3 * 2**29,
        bytes_total=17 * 2**30,
        bytes_per_s=45e6,
    )
    moment = Progress(phase=Phase.DOWNLOADING, step=1536, steps=17408, download=state)
    with terminal(monkeypatch) as screen:
        with show_progress(None, "wan2.1-vace-1.3b") as sink:
            sink(moment)
        text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", read_screen(screen))
    lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines()]
    (bar, *_) = [line for line in lines if "1.5 of 17.0 GiB, 45 MB/s, 6 min left" in line]
    assert bar.startswith("wan2.1-vace-1.3b ")
    assert len(bar) <= 80
    assert "  file 3 of 12: transformer/diffusion_pytorch_model-00001-of-00007.safetensors" in lines


@pytest.mark.parametrize(("variable", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_no_bar_where_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Continuous integration and dumb terminals get no animation."""
    with terminal(monkeypatch):
        monkeypatch.setenv(variable, value)
        assert not is_animated()


def test_a_callable_takes_each_moment(fake_app: FakeApp) -> None:
    """An application draws its own bar."""
    fake_app.tm.configure(provider="local")
    seen: list[Progress] = []
    fake_app.tm.text_to_video(prompt="a fox", progress=seen.append)
    assert [moment.step for moment in seen] == [0, 1, 2, 3]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Make this process look like the kernel of a notebook, and give all that is shown."""
    seen: list[dict[str, str]] = []

    class Place:
        def update(self, data: dict[str, str], *, raw: bool) -> None:
            assert raw
            seen.append(data)

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Place:
        assert display_id
        assert not seen, "one bar, which moves"
        Place().update(data, raw=raw)
        return Place()

    ipython, shown_by = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    shown_by.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown_by)
    return seen


def test_a_notebook_gets_one_bar_that_moves(kernel: list[dict[str, str]]) -> None:
    """It says the phase, moves with the steps, and stays full with the time."""
    with show_progress(None, "a <fox>") as sink:
        for moment in MOMENTS:
            sink(moment)
    assert [data["text/plain"] for data in kernel][:3] == [
        "a <fox>: loading",
        "a <fox>: denoising 0/8",
        "a <fox>: denoising 1/8",
    ]
    assert 'value="0.500"' in kernel[5]["text/html"]
    assert "value" not in kernel[0]["text/html"]
    assert re.search(r"done in \d+ s", kernel[-1]["text/html"])
    assert "&lt;fox&gt;" in kernel[-1]["text/html"]


def test_a_notebook_gets_no_bar_when_nothing_ran(kernel: list[dict[str, str]]) -> None:
    """A call that is refused, or that goes on elsewhere, leaves none."""
    with show_progress(None, "fox"):
        pass
    assert kernel == []


def test_a_bar_in_a_notebook_says_where_it_stopped(kernel: list[dict[str, str]]) -> None:
    """An error leaves the bar where it was."""
    with suppress(KeyboardInterrupt), show_progress(True, "fox") as sink:
        sink(MOMENTS[4])
        raise KeyboardInterrupt
    assert "at: denoising 3/8" in kernel[-1]["text/plain"]
    assert 'value="0.375"' in kernel[-1]["text/html"]


def test_a_notebook_shows_previews_below_the_bar(kernel: list[dict[str, str]]) -> None:
    """The newest stays until the next one, and makes room for the player at the end."""
    with show_progress(None, "fox") as sink:
        sink(MOMENTS[2])
        sink(replace(MOMENTS[3], preview=b"first"))
        sink(MOMENTS[4])
        sink(replace(MOMENTS[4], preview=b"second"))
    shown = [re.findall(r"base64,([^\"]*)", data["text/html"]) for data in kernel]
    first, second = (base64.b64encode(one).decode() for one in (b"first", b"second"))
    assert shown == [[], [first], [first], [second], []]


def test_a_notebook_counts_the_videos_of_a_batch(kernel: list[dict[str, str]]) -> None:
    """One bar for all of them, and none when it is not wanted."""
    with show_item_count("grid", 2, choice=False) as advance:
        advance("fox")
    assert kernel == []
    with show_item_count("grid", 2, choice=None) as advance:
        advance("fox")
        advance("owl")
    assert [data["text/plain"] for data in kernel][:-1] == [
        "grid: 0/2",
        "grid: 1/2 fox",
        "grid: 2/2 owl",
    ]


def test_plain_ipython_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without a kernel behind it draws on its terminal."""
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = types.SimpleNamespace
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not is_notebook()


def test_a_job_shows_its_video(
    fake_app: FakeApp, kernel: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the cell of a notebook; elsewhere in a player, or the error names the file."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(prompt="a fox", progress=False)
    assert kernel == []
    job.show()
    assert "<video" in kernel[0]["text/html"]
    monkeypatch.delitem(sys.modules, "IPython")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProcessingError, match="the file is"):
        job.show()
