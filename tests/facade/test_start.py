"""What importing costs: proven by names, not by a clock."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.facade.conftest import Run

HEAVY_MODULES = (
    "torch",
    "diffusers",
    "transformers",
    "modal",
    "sqlalchemy",
    "alembic",
    "PIL",
    "av",
    "numpy",
    "httpx",
    "gradio",
    "pydantic",
)
"""What no look at models or refused call may load."""
OURS = ("dependency_injector", "structlog", "typer", "rich", "dotenv", "tiomagic_storage")
"""What importing may not load either."""

LOADED = "import sys, json; print(json.dumps(sorted(m for m in {names!r} if m in sys.modules)))"


def loaded_after(python: Run, code: str, names: tuple[str, ...]) -> list[str]:
    done = python(f"{code}\n{LOADED.format(names=names)}")
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def test_the_import_loads_nothing_heavy_and_writes_nothing(python: Run, folder: Path) -> None:
    """All public names can be imported for next to nothing, and so can each of them."""
    code = "from tiomagic import TioMagic, __version__, errors, tm"
    assert loaded_after(python, code, HEAVY_MODULES + OURS) == []
    assert list(folder.iterdir()) == []


def test_questions_load_nothing_heavy_and_write_nothing(python: Run, folder: Path) -> None:
    """Looking at models loads no engine, no database and no container: what is loaded stays."""
    code = (
        "from tiomagic import tm\n"
        "tm.get_models('text_to_video', 'local')\n"
        "tm.get_schema('text_to_video', 'wan2.1-t2v-14b')\n"
        "tm.list_implementations()"
    )
    assert loaded_after(python, code, (*HEAVY_MODULES, "dependency_injector", "structlog")) == []
    assert list(folder.iterdir()) == []


def test_a_refused_call_loads_no_engine_and_writes_nothing(python: Run, folder: Path) -> None:
    """A validation error costs neither torch nor Modal's client nor a database file."""
    code = (
        "from tiomagic import tm, errors\n"
        "for provider in ('local', 'modal'):\n"
        "    tm.configure(provider=provider)\n"
        "    try: tm.text_to_video('wan2.1-t2v-14b', {'prompt': 'x'}, num_frames=80)\n"
        "    except errors.ValidationError as error: assert error.problems[0].nearest == 81\n"
        "    else: raise SystemExit('not refused')"
    )
    heavy = tuple(
        name for name in HEAVY_MODULES if name != "pydantic"
    )  # dependency-injector's own.
    assert loaded_after(python, code, heavy) == []
    assert list(folder.iterdir()) == []


def test_looking_at_jobs_loads_no_web_framework(python: Run) -> None:
    """The container's library would import FastAPI, where it is installed: half a second."""
    code = "from tiomagic import tm\nassert tm.list_jobs() == []"
    assert loaded_after(python, code, ("fastapi", "starlette", "torch", "modal", "gradio")) == []


def test_help_loads_only_the_command_line(python: Run, folder: Path) -> None:
    """``--help`` loads no domain, no container and no rich, and writes nothing."""
    code = (
        "import sys\nfrom tiomagic.cli.main import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass"
    )
    names = (
        *HEAVY_MODULES,
        "dependency_injector",
        "structlog",
        "rich",
        "tiomagic_domain.catalogue",
        "tiomagic_domain.errors",
    )
    assert loaded_after(python, code, names) == []
    assert list(folder.iterdir()) == []


def test_an_unknown_name_is_an_attribute_error(python: Run) -> None:
    """A misspelt name fails as in any module, and ``dir`` shows the right ones."""
    code = (
        "import tiomagic\nassert 'tm' in dir(tiomagic)\n"
        "assert tiomagic.tm is tiomagic.tm\n"
        "assert tiomagic.errors.TioMagicError\n"
        "try: tiomagic.tmm\nexcept AttributeError as error: assert 'tmm' in str(error)\n"
        "else: raise SystemExit('found')"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", ["text-to-video -m wan2.1-t2v-14b --set ", "convert a.mp4 --to "])
def test_completion_loads_nothing_heavy_and_writes_nothing(
    python: Run, folder: Path, line: str
) -> None:
    """A Tab is answered while somebody types: no engine, no database and no container."""
    code = (
        "import contextlib, io, os\n"
        "from tiomagic.cli.main import app\n"
        f"os.environ['_TYPER_COMPLETE_ARGS'] = 'tiomagic {line}'\n"
        "os.environ['_TYPER_COMPLETE_FISH_ACTION'] = 'get-args'\n"
        "os.environ['_TIOMAGIC_COMPLETE'] = 'complete_fish'\n"
        "told = io.StringIO()\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(told):\n"
        "    app(prog_name='tiomagic')\n"
        "assert 'num_frames=' in told.getvalue() or 'prores' in told.getvalue(), told.getvalue()"
    )
    # Typer itself reads the line with pydantic.
    names = [name for name in HEAVY_MODULES if name != "pydantic"]
    assert loaded_after(python, code, (*names, "dependency_injector", "structlog")) == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("module", ["tiomagic", "tiomagic.cli.main"])
def test_python_m_runs_no_file_of_the_working_folder(folder: Path, module: str) -> None:
    """It would look there first, for the modules of the standard library and of others, too."""
    for name in ("queue", "random", "typing", "copy", "typer", "rich"):
        (folder / f"{name}.py").write_text('open("it-was-run", "w").close()\n')
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:9]) == (0, "tiomagic ")
    assert not (folder / "it-was-run").exists()
