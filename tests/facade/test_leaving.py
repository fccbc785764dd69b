"""The end of a command's process: quick where much was loaded, and nothing that is due is left."""

import subprocess
import sys

import pytest
from tests.facade.conftest import Run

CODE = """
import atexit, sys, threading, types
go = threading.Event()
class Loaded:
    def __del__(self):
        sys.stdout.write("taken apart;")
{before}
kept = Loaded()
atexit.register(sys.stdout.write, "handler;")
from tiomagic.cli._fast_exit import exit_fast
sys.stdout.write("said;")
exit_fast({code})
sys.stdout.write("back;")
go.set()
"""
HEAVY = 'sys.modules["torch"] = types.ModuleType("torch")'
THREAD = "threading.Thread(target=lambda: (go.wait(), sys.stdout.write('finished;'))).start()"


@pytest.mark.parametrize(("given", "status"), [("None", 0), ("0", 0), ("3", 3)])
def test_what_is_loaded_is_not_taken_apart(python: Run, given: str, status: int) -> None:
    """The status, the output and the handlers are those of a usual end."""
    done = python(CODE.format(before=HEAVY, code=given))
    assert (done.stdout, done.stderr) == ("said;handler;", "")
    assert done.returncode == status


@pytest.mark.parametrize(
    ("before", "code", "said"),
    [
        ("", "0", "said;back;handler;taken apart;"),
        (HEAVY, "'words'", "said;back;handler;taken apart;"),
        (f"{HEAVY}\n{THREAD}", "0", "said;back;finished;handler;taken apart;"),
    ],
    ids=["nothing heavy", "words to print", "a thread at work"],
)
def test_the_usual_end(python: Run, before: str, code: str, said: str) -> None:
    """Where little is gained, or something would be lost, the process ends as any other."""
    done = python(CODE.format(before=before, code=code))
    assert (done.stdout, done.returncode) == (said, 0)


def test_a_reader_that_has_gone_is_no_error(python: Run) -> None:
    """As `head` goes: what the command still wants to say is dropped without a word."""
    code = (
        "import sys, types\n"
        "from tiomagic.cli import main\n"
        f"{HEAVY}\n"
        "def app():\n"
        "    sys.stdin.read()\n"
        "    sys.stdout.write('late')\n"
        "    raise SystemExit(0)\n"
        "main.app = app\n"
        "main.run()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.close()
    process.stdin.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(60) == 0
