"""A provider of another distribution, as docs/adapters.md writes it: installed and used."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.facade.commands import CommandServers, as_text
from tests.facade.conftest import MODEL, Run, clean_environment
from tests.sources import find_sources, nodes_of

from tiomagic import TioMagic
from tiomagic.errors import UnknownModelError, ValidationError
from tiomagic.wiring.provider_names import BUILT_IN_GROUPS
from tiomagic.wiring.registry import broken_providers, find_plugins

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
(MODULE,) = re.findall(
    r"^```python\n# acme_provider\.py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
)
(ENTRY,) = re.findall(r'^acme = "(.*)"$', PAGE, re.MULTILINE)
COMMANDS = re.findall(r"^    ((?:ACME_REGION=\w+ )?tiomagic .*)$", PAGE, re.MULTILINE)


def install(site: Path, entries: str, module: str) -> None:
    """Make a folder look like one in which the distribution is installed."""
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (site / "acme_provider.py").write_text(module, encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the package of the page."""
    site = tmp_path / "site"
    install(site, f"[tiomagic.providers]\nacme = {ENTRY}\n", MODULE)
    return site


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch):
    """The package, for this process."""
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("acme_provider", None)


@pytest.fixture
def acme(commands: CommandServers, folder: Path, site: Path) -> Run:
    """Run a line of a shell with the package installed."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)
        command = words.index("tiomagic")
        given = dict(word.split("=", 1) for word in words[:command])
        environment = clean_environment(PYTHONPATH=str(site), **given)
        done = commands.run(*words[command + 1 :], folder=folder, environment=environment)
        return as_text(done)

    return run


def test_the_commands_of_the_page_work(acme: Run, folder: Path) -> None:
    """Models, a video, the plan, the doctor and a command of its own."""
    listed, made, plan, doctor, regions = [acme(line) for line in COMMANDS]
    assert MODEL in listed.stdout
    assert "wan2.1-t2v-14b" not in listed.stdout
    assert made.returncode == 0, made.stderr
    assert Path(made.stdout.strip()).stat().st_size > 0
    assert "where     acme, A1 in eu" in plan.stdout
    assert "cost      about 0.25 USD" in plan.stdout
    assert re.search(r"^acme +ok +eu *$", doctor.stdout, re.MULTILINE), doctor.stdout
    assert regions.stdout == "us eu\n"
    job = json.loads(acme("tiomagic jobs --json").stdout)[0]
    assert acme(f"tiomagic logs {job['job_id']}").stdout.strip() == "rendered in eu"


def test_its_setting_is_one_like_the_others(acme: Run, folder: Path) -> None:
    """From ``.env``, refused when it is wrong, and missed by its own check."""
    (folder / ".env").write_text("ACME_REGION=us\n")
    assert acme("tiomagic acme regions --json").stdout.split() == ["[", '"us",', '"eu"', "]"]
    wrong = acme("ACME_REGION=mars tiomagic acme regions")
    assert wrong.returncode == 3
    assert "ACME_REGION (from the environment) must be one of eu, us" in wrong.stderr
    (folder / ".env").unlink()
    doctor = acme("tiomagic doctor")
    assert doctor.returncode == 3
    assert "no region: set ACME_REGION" in doctor.stdout
    assert "acme" in acme("tiomagic --help").stdout


@pytest.mark.usefixtures("installed")
def test_configure_takes_it() -> None:
    """And the provider is built anew when it changes, and not when another setting does."""
    tm = TioMagic(provider="acme", acme_region="eu")  # type: ignore[call-arg]
    assert MODEL in tm.get_models("text_to_video", "acme")
    assert tm.settings.acme_region == "eu"
    first = tm.session.provider("acme").provider
    tm.configure(gpu="H100")
    assert tm.session.provider("acme").provider is first
    tm.configure(acme_region="us")  # type: ignore[call-arg]
    assert tm.session.provider("acme").provider is not first
    with pytest.raises(ValidationError, match="must be one of eu, us"):
        tm.configure(acme_region="mars")  # type: ignore[call-arg]
    with pytest.raises(UnknownModelError, match=r"does not run on 'acme'\. Its models for text"):
        tm.text_to_video("wan2.1-t2v-14b", prompt="a fox")
    tm.close()


@pytest.mark.usefixtures("installed")
def test_a_provider_sees_its_own_settings_alone() -> None:
    """No token of another provider reaches a plug-in that has not asked for it."""
    tm = TioMagic(acme_region="eu", hf_token="hf_x")  # type: ignore[call-arg]
    seen = tm.settings.select(["acme_region"])
    assert seen["acme_region"] == "eu"
    with pytest.raises(KeyError):
        seen["hf_token"]


def test_a_setting_that_exists_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in cannot take over the name or the variable of another one."""
    module = MODULE.replace("ACME_REGION", "TIOMAGIC_GPU")
    install(tmp_path / "greedy", "[tiomagic.providers]\nacme = acme_provider:PLUGIN\n", module)
    monkeypatch.syspath_prepend(str(tmp_path / "greedy"))
    (problem,) = broken_providers()
    sys.modules.pop("acme_provider", None)
    assert "there are settings of these names already: acme_region" in str(problem)


def test_models_of_its_own_stay_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card with an engine that one provider knows is offered by that one alone."""
    card = (
        "\nfrom tiomagic_domain.catalogue.families.wan import T2V_14B\n"
        "MODELS = (replace(T2V_14B, name='acme-film', engine='acme', weights_gib=5),)\n"
    )
    module = MODULE.replace('card.engine == "wan_t2v"', 'card.engine == "acme"') + card
    entries = (
        "[tiomagic.providers]\nacme = acme_provider:PLUGIN\n"
        "[tiomagic.models]\nacme = acme_provider:MODELS\n"
    )
    install(tmp_path / "own", entries, module)
    code = (
        "from tiomagic import tm\n"
        "print([p for p in tm.get_providers() if 'acme-film' in tm.get_models('text_to_video', p)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(tmp_path / "own")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['acme']\n"


FACADE = ROOT / "packages" / "facade" / "src"
WIRING = FACADE / "tiomagic" / "wiring"
REGISTRY = {WIRING / "provider_names.py", WIRING / "registry.py"}
"""The names of the built-in providers, and what loads them."""
GENERATED = FACADE / "tiomagic" / "types.py"


@pytest.mark.parametrize("name", ["local", "modal"])
def test_the_facade_names_a_provider_in_its_registry_alone(name: str) -> None:
    """No other module branches on a provider, or imports an adapter."""
    found = {
        path
        for path in find_sources()
        if path.is_relative_to(FACADE)
        for node in nodes_of(path)
        if (isinstance(node, ast.Constant) and str(node.value).rstrip(":") == name)
        or (isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"tiomagic_{name}."))
        or (
            isinstance(node, ast.Import)
            and any(f"{alias.name}.".startswith(f"tiomagic_{name}.") for alias in node.names)
        )
    }
    assert found - REGISTRY == {GENERATED}


def test_the_list_of_commands_has_the_groups_of_the_built_in_providers() -> None:
    """``tiomagic --help`` lists them unloaded; this loads them and compares."""
    plugins = find_plugins()
    lines = {name: plugins[name].commands_help for name in plugins if plugins[name].commands()}
    assert lines == BUILT_IN_GROUPS
