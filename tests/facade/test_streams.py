"""Stdout and stderr of every kind: none breaks a run, none gets a control code."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.facade.commands import CommandServers
from tests.facade.conftest import MODEL, FakeApp, clean_environment

from tiomagic.display import streams

CONTROL_CODES = "a \x1b[31mred\x1b[0m \x9b2J circle \a \u202e\N{LARGE RED CIRCLE} 右"


class WriteOnly:
    """A host's console: it has ``write`` and nothing else."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


class Broken:
    """Raises whatever it is asked."""

    def write(self, _text: str) -> int:
        raise RuntimeError("the panel is closed")

    def flush(self) -> None:
        raise RuntimeError("the panel is closed")

    def isatty(self) -> bool:
        raise ValueError("I/O operation on closed file")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "make",
    [lambda: None, WriteOnly, Broken, closed],
    ids=["none", "write-only", "broken", "closed"],
)
@pytest.mark.parametrize("choice", [None, True])
def test_a_run_needs_no_stream(
    fake_app: FakeApp,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], object],
    choice: bool | None,
) -> None:
    """The video is made and the listing is given, whatever stands for the console."""
    fake_app.tm.configure(provider="local")
    monkeypatch.setattr(sys, "stdout", make())
    monkeypatch.setattr(sys, "stderr", make())
    job = fake_app.tm.text_to_video(MODEL, prompt="a fox", progress=choice)
    assert fake_app.tm.list_implementations()["local"]
    made = fake_app.tm.batch(
        [{"feature": "text_to_video", "model": MODEL, "prompt": "a fox"}], progress=choice
    )
    assert (job.status, len(made.jobs)) == ("completed", 1)


def test_lines_of_progress_reach_a_console_that_only_writes(
    fake_app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be shown is shown."""
    fake_app.tm.configure(provider="local")
    console = WriteOnly()
    monkeypatch.setattr(sys, "stderr", console)
    fake_app.tm.text_to_video(MODEL, prompt="a fox", progress=True)
    assert "denoising 3/3" in console.text


Raw = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def raw(commands: CommandServers, folder: Path) -> Raw:
    """Run the command line and return the bytes that it wrote."""

    def run(
        *words: str, given: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        cleaned = clean_environment(**environment)
        return commands.run(*words, folder=folder, environment=cleaned, given=given)

    return run


@pytest.mark.parametrize("encoding", ["utf-8:strict", "cp1252", "ascii", "latin-1", "shift-jis"])
def test_every_encoding_and_no_control_code(fake_app: FakeApp, raw: Raw, encoding: str) -> None:
    """All listings end well on a narrow stream; JSON stays JSON; codes are shown as escapes."""
    fake_app.tm.configure(provider="local")
    job = (
        fake_app.tm.text_to_video(MODEL, prompt=CONTROL_CODES, seed=5)
        .tag("röt")
        .set_note(CONTROL_CODES)
    )
    recipe = str(Path(job.result_video or "").with_suffix(".json"))
    lines = [
        *(("jobs",), ("status", job.job_id), ("inspect", recipe), ("export", "-", "--format=csv")),
        *(
            ("text-to-video", CONTROL_CODES, "--dry-run", "-m", "doodle"),
            ("schema", MODEL, CONTROL_CODES),
        ),
        *(
            ("jobs", CONTROL_CODES),
            ("open", CONTROL_CODES),
            ("batch", CONTROL_CODES),
            (CONTROL_CODES,),
            ("jobs", f"--{CONTROL_CODES}"),
        ),
    ]
    for command in lines:
        done = raw(*command, PYTHONIOENCODING=encoding)
        printed = done.stdout + done.stderr
        assert b"Traceback" not in printed, printed
        text = printed.decode(encoding.partition(":")[0])
        assert text, command
        assert not set(text) & set("\x1b\x9b\a\u202e"), command
    as_json = raw("jobs", "--json", PYTHONIOENCODING=encoding)
    (stored,) = json.loads(as_json.stdout.decode(encoding.partition(":")[0]))
    assert stored["generation"]["required_args"]["prompt"] == CONTROL_CODES


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", "> /dev/full"])
def test_a_descriptor_that_is_not_there_is_no_traceback(
    fake_app: FakeApp, folder: Path, redirection: str
) -> None:
    """Closed ones, all at once too; a full disk is an error of ours."""
    fake_app.tm.configure(provider="local")
    fake_app.tm.text_to_video(MODEL, prompt="a fox")
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m tiomagic jobs {redirection}', sys.executable],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        check=False,
        timeout=280,
    )
    assert b"Traceback" not in done.stderr + done.stdout
    full = "full" in redirection
    assert done.returncode == (5 if full else 0)
    assert (b"cannot be written" in done.stderr) is full
    # The database is whole: its file did not become what was printed to.
    assert len(fake_app.tm.list_jobs()) == 1


def test_stdout_counts_when_nobody_reads_stderr(folder: Path) -> None:
    """A pipe that its reader has left takes no notice, and the result is there."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "tiomagic", "jobs", "--limit", "-1"],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
        timeout=280,
    )
    os.close(writing)
    assert done.returncode == 3


def test_a_pipe_that_does_not_wait_gets_everything() -> None:
    """More than the pipe holds: the writer waits for its reader, and nothing is lost."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = "".join(f"line {number} \N{LARGE RED CIRCLE}\n" for number in range(50_000))
    got: list[bytes] = []

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            got.append(pipe.read())

    reader = threading.Thread(target=read)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        stream.write("first\n")
        reader.start()
        streams.write_data(stream, text)
    reader.join()
    assert got[0].decode() == f"first\n{text}"


def test_text_on_stdin_and_in_files_may_have_a_mark(
    raw: Raw, folder: Path, plugin_path: Path
) -> None:
    """UTF-8 with a mark, and UTF-16, as the editors and shells of Windows write it."""
    for encoding in ("utf-8-sig", "utf-16"):
        content = "a röd circle\r\n".encode(encoding)
        (folder / "words.txt").write_bytes(content)
        for word, given in (("@words.txt", b""), ("-", content)):
            words = ("text-to-video", word, "-p", "fake", "--dry-run", "--json")
            done = raw(*words, given=given, PYTHONPATH=str(plugin_path))
            assert json.loads(done.stdout)["arguments"]["prompt"] == "a röd circle", done.stderr


@pytest.mark.parametrize("word", ["@words.txt", "-"])
def test_bytes_of_another_encoding_are_a_refusal(raw: Raw, folder: Path, word: str) -> None:
    """Exit 3, with what to do; never a traceback."""
    (folder / "words.txt").write_bytes(b"caf\xe9")
    done = raw("text-to-video", word, "--dry-run", given=b"caf\xe9")
    assert done.returncode == 3
    assert b"save it as UTF-8" in done.stderr


def test_arguments_that_are_no_utf8_are_refused_or_found_nowhere(raw: Raw) -> None:
    """A prompt, a filter, a job's id, a file: bytes of a terminal that is set to Latin-1."""
    latin = os.fsdecode(b"caf\xe9")
    cases = (
        *(("text-to-video", latin, "--dry-run"), ("jobs", "--text", latin)),
        *(("status", latin), ("jobs", "--after", latin), ("inspect", f"{latin}.json")),
        *(("text-to-video", f"@{latin}"), ("batch", latin), ("rerun", f"{latin}.mp4")),
    )
    for words in cases:
        done = raw(*words)
        assert done.returncode == 3, (words, done.stderr)
        assert b"Traceback" not in done.stderr
        done.stderr.decode("utf-8")


def test_settings_may_have_a_mark_too(fake_app: FakeApp, folder: Path) -> None:
    """A ``.env`` of an editor of Windows: the first variable counts."""
    (folder / ".env").write_text("TIOMAGIC_GPU=H100\nHF_TOKEN=hf_x\n", encoding="utf-16")
    assert fake_app.tm.settings.gpu == "H100"


@pytest.mark.parametrize("words", ["--version", "--help", "jobs --help"])
def test_help_for_a_full_disk_is_an_error_of_ours(folder: Path, words: str) -> None:
    """What click prints by itself goes the same way as a command's own words."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m tiomagic {words} > /dev/full', sys.executable],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        check=False,
        timeout=280,
    )
    assert (done.returncode, done.stderr.count(b"cannot be written")) == (5, 1)
    assert b"Traceback" not in done.stderr
