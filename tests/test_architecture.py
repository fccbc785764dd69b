"""The walls of the house: who imports whom, what is light, and what every package has."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.sources import find_sources, nodes_of, read_sources

from tiomagic.wiring.provider_names import HOSTED_PROVIDERS

ROOT = Path(__file__).parent.parent
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = {
    next((folder / "src").iterdir()).name: folder
    for folder in sorted((ROOT / "packages").iterdir())
    if (folder / "pyproject.toml").exists()
}
"""Folder of each distribution by the name of its import package."""


LIGHT = (
    "tiomagic",
    "tiomagic.errors",
    "tiomagic.wiring.settings",
    "tiomagic_domain",
    "tiomagic_domain.catalogue",
    "tiomagic_domain.usecases.generation",
    "tiomagic_hosted",
    *(f"tiomagic_hosted.plugins.{name}" for name in sorted(HOSTED_PROVIDERS)),
    "tiomagic_local",
    "tiomagic_media",
    "tiomagic_local.provider",
    "tiomagic_modal",
    "tiomagic_ray",
    "tiomagic_ray.plugin",
    "tiomagic_ray.provider",
    "tiomagic_storage",
)
"""Modules that are imported before anybody asks for a video."""

HEAVY = {
    *("torch", "diffusers", "transformers", "accelerate", "modal", "sqlalchemy", "alembic"),
    *("numpy", "PIL", "av", "gradio", "onnxruntime", "pytest", "ray"),
    *("fal_client", "google.genai", "httpx", "lumaai", "openrouter", "runwayml"),
}
"""What a light module must not load."""


def path_id(path):
    return str(path.relative_to(ROOT))


def manifest(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


def imports_of(path):
    """Yield the root of every absolute import of a module, also of those inside functions."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield (node.module or "").partition(".")[0]


def run(*command):
    """Run a command at the root; return what it printed, and fail with it."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_domain_is_the_standard_library():
    """The domain imports nothing that has to be installed; only its tests for others use pytest."""
    allowed = {*sys.stdlib_module_names, "tiomagic_domain"}
    domain = PACKAGES["tiomagic_domain"] / "src" / "tiomagic_domain"
    for path in find_sources():
        if not path.is_relative_to(domain):
            continue
        extra = {"pytest"} if path.is_relative_to(domain / "testing") else set()
        assert set(imports_of(path)) <= allowed | extra, path_id(path)
    assert manifest(PACKAGES["tiomagic_domain"])["project"]["dependencies"] == []


def test_the_product_uses_no_testing_module():
    """Fakes and contracts are for tests: nothing that runs for a user imports them."""
    for path in find_sources():
        if "testing" in path.parts:
            continue
        names = [
            node.module
            for node in nodes_of(path)
            if isinstance(node, ast.ImportFrom) and node.module
        ]
        assert not [name for name in names if name.startswith("tiomagic_domain.testing")], path


def test_the_linter_of_imports_knows_every_package():
    """A package that is added to the workspace comes under the contracts, by name."""
    assert set(WORKSPACE["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)
    assert WORKSPACE["tool"]["uv"]["workspace"]["members"] == ["packages/*"]
    named = {manifest(folder)["project"]["name"] for folder in PACKAGES.values()}
    assert set(WORKSPACE["tool"]["uv"]["sources"]) == named


def test_the_contracts_between_packages_hold():
    """Layers, siblings and vendors are as the design draws them."""
    printed = run(
        sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"
    )
    assert re.search(r"Contracts: [5-9] kept, 0 broken", printed)


def test_one_version_for_all():
    """All distributions carry one version, pin each other to it, and the code says the same."""
    (version,) = {manifest(folder)["project"]["version"] for folder in PACKAGES.values()}
    assert WORKSPACE["project"]["version"] == version
    assert importlib.import_module("tiomagic_domain").__version__ == version
    assert importlib.import_module("tiomagic").__version__ == version
    for folder in PACKAGES.values():
        project = manifest(folder)["project"]
        extras = project.get("optional-dependencies", {}).values()
        for requirement in (*project["dependencies"], *(one for extra in extras for one in extra)):
            if requirement.startswith("tiomagic-"):
                assert requirement.partition(";")[0].rstrip().endswith(f"=={version}"), requirement


def test_the_papers_have_this_version():
    """The newest release of the changelog is the packages' version, and readmes pin no other."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\]", text, re.MULTILINE)
    version = WORKSPACE["project"]["version"]
    assert released[0] == version
    readmes = [*ROOT.glob("README.md"), *(folder / "README.md" for folder in PACKAGES.values())]
    for readme in readmes:
        pinned = re.findall(r"tiomagic[\w-]*(?:\[[\w,]*\])?==(\d[\w.]*)", readme.read_text("utf-8"))
        assert set(pinned) <= {version}, readme


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_complete(name):
    """Types are shipped, the licence and the readme are there, and Python is the agreed one."""
    folder = PACKAGES[name]
    project = manifest(folder)["project"]
    assert (folder / "src" / name / "py.typed").exists()
    assert "MIT License" in (folder / "LICENSE").read_text("utf-8")
    assert (folder / project["readme"]).read_text("utf-8").strip()
    assert project["license"] == "MIT"
    assert project["requires-python"] == ">=3.11"


def test_each_module_says_what_it_is():
    """Each module begins with a docstring, keeps to its size, and never prints."""
    faults = [
        f"{path_id(path)}: {fault}" for path in find_sources() for fault in faults_of_module(path)
    ]
    assert not faults, "\n".join(faults)


def faults_of_module(path):
    """Yield what is wrong with a module."""
    tree = find_sources()[path]
    if not ast.get_docstring(tree):
        yield "no docstring"
    lines = len(read_sources()[path].splitlines())
    # What is generated grows with the catalogue, and nobody reads it from top to bottom.
    if lines > 500 and "Generated by" not in (ast.get_docstring(tree) or ""):
        yield f"{lines} lines, and 500 are the most"
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print":
            yield f"line {node.lineno} prints"


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_is_light(module):
    """The module can be imported alone, in a fresh process, and loads nothing heavy."""
    program = (
        f"import sys; import {module}; "
        f"print(sorted({HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    assert run(sys.executable, "-c", program).strip() == "[]"


def test_no_error_is_swallowed():
    """An ``except`` that catches everything does something with what it caught."""
    for path in find_sources():
        for node in nodes_of(path):
            if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
                assert not all(isinstance(step, ast.Pass) for step in node.body), (
                    f"{path_id(path)}:{node.lineno}"
                )


def is_broad(caught):
    return caught is None or (
        isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"}
    )
