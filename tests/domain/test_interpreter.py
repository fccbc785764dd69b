"""No process of ours imports from the folder that it works in."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sources import nodes_of, read_sources

from tiomagic_domain import interpreter
from tiomagic_domain.interpreter import import_path, module_command, safe_environment

SHOW = "import json, sys; print(json.dumps(sys.path))"


@pytest.fixture
def trap(tmp_path):
    """A folder whose files bear the names of modules of the standard library."""
    for name in ("queue", "random", "tabnanny", "tokenize"):
        (tmp_path / f"{name}.py").write_text('open("it-was-run", "w").close()\n')
    return tmp_path


def start(folder, environment, path=None):
    command = module_command("tabnanny", os.devnull)
    own = safe_environment(environment, path=path)
    return subprocess.run(command, cwd=folder, env=own, check=False, capture_output=True)


@pytest.mark.parametrize("pythonpath", [None, "", ".", f"{os.pathsep}/nowhere", "here"])
def test_a_file_of_the_working_folder_is_no_module(trap, pythonpath):
    """Also where a variable names the folder by an empty or relative entry."""
    (trap / "here").mkdir()
    (trap / "here" / "tokenize.py").write_text('open("it-was-run", "w").close()\n')
    given = {} if pythonpath is None else {"PYTHONPATH": pythonpath}
    assert start(trap, given).returncode == 0
    assert not (trap / "it-was-run").exists()


def test_a_folder_that_was_named_in_full_is_used(trap):
    """Who sets PYTHONPATH to a whole path wants it."""
    assert start(trap.parent, {"PYTHONPATH": str(trap)}).returncode == 0
    assert (trap.parent / "it-was-run").exists()


def test_what_a_process_starts_is_safe_as_well(trap):
    """The variable is inherited: a compiler's helpers, too."""
    own = safe_environment({})
    code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'tabnanny', sys.argv[1]])"
    subprocess.run([sys.executable, "-c", code, os.devnull], cwd=trap, env=own, check=True)
    assert not (trap / "it-was-run").exists()


def test_the_folder_of_a_script_is_not_handed_on(tmp_path):
    """Python puts it first for the script; the processes that we start do without."""
    script = tmp_path / "make.py"
    code = "from tiomagic_domain.interpreter import import_path\nprint(*import_path(), sep='\\n')\n"
    script.write_text(code)
    shown = subprocess.check_output([sys.executable, str(script)], text=True).split("\n")
    assert str(tmp_path) not in shown
    assert any(folder.endswith("site-packages") for folder in shown)
    assert all(Path(folder).is_absolute() for folder in import_path())


def test_a_folder_that_we_lie_in_ourselves_stays(tmp_path):
    """As in a container whose working folder has the packages, and nothing else brings them."""
    shutil.copytree(Path(interpreter.__file__).parent, tmp_path / "tiomagic_domain")
    code = "from tiomagic_domain.interpreter import import_path; print(*import_path(), sep='\\n')"
    script = tmp_path / "make.py"
    script.write_text(code)
    shown = subprocess.check_output([sys.executable, script], cwd=tmp_path, text=True).split("\n")
    assert str(tmp_path) in shown


def test_each_start_of_a_process_goes_through_here():
    """A module that starts this interpreter anew says so by ``module_command``."""
    ways = {"subprocess.run", "subprocess.Popen", "os.execv", "os.spawnv"}
    last_words = {way.rpartition(".")[2] for way in ways}
    starters = []
    for file, text in read_sources().items():
        attributes = (node for node in nodes_of(file) if isinstance(node, ast.Attribute))
        if ways & {ast.unparse(node) for node in attributes if node.attr in last_words}:
            starters.append(file)
            assert "module_command" in text, file
    assert len(starters) >= 2
