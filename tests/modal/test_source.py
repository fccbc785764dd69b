"""The image is the lock file's, the shipped files are source, and imports stay light."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tiomagic_modal.constants import TAG_SOURCE, TAG_VERSION
from tiomagic_modal.deploy.deployment import DeploymentState, compare_tags
from tiomagic_modal.deploy.source import is_excluded, local_tags, shipped_files, version_key
from tiomagic_modal.image_pins import PINS

ROOT = Path(__file__).parents[2]


def test_the_pins_are_what_uv_lock_says():
    """After `uv lock`, run packages/adapters-modal/scripts/pin_image.py."""
    path = ROOT / "packages/adapters-modal/scripts/pin_image.py"
    spec = importlib.util.spec_from_file_location("pin_image", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.TARGET.read_text() == script.render()


def test_the_pins_are_versions_of_the_lock_file():
    """The same without uv: each pin is a locked version, and the engines' own needs are there."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {f"{p['name']}=={p['version']}" for p in lock["package"] if "version" in p}
    assert set(PINS) <= locked
    names = {pin.split("==")[0] for pin in PINS}
    assert {"torch", "diffusers", "transformers", "av", "ftfy", "onnxruntime"} <= names


def test_only_source_and_packaged_tables_are_shipped():
    names = [name for name, _ in shipped_files()]
    assert "tiomagic_modal/container/worker.py" in names
    assert "tiomagic_domain/jobs/job.py" in names
    assert any(name.startswith("tiomagic_local/engines/") for name in names)
    assert not [name for name in names if "__pycache__" in name or "/." in name]


@pytest.mark.parametrize("name", [".env", "a/.env", ".git/x.py", "a/b.pem", "__pycache__/a.py"])
def test_what_may_be_private_stays_here(name):
    assert is_excluded(Path(name))


def test_the_tags_are_what_modal_takes():
    from modal._utils.name_utils import check_tag_dict

    check_tag_dict(local_tags())
    assert local_tags()[TAG_VERSION] == "2.0.0"


def test_versions_sort_as_people_expect():
    ordered = ["nonsense", "1.9", "2.0.0.dev1", "2.0.0a1", "2.0.0rc1", "2.0.0rc2", "2.0.0"]
    ordered += ["2.0.0-local.1", "2.0.1", "2.1", "2.10.0"]
    backwards = ordered[::-1]
    assert sorted(backwards, key=version_key) == ordered
    assert version_key("2.0") == version_key("2.0.0")


@pytest.mark.parametrize(
    ("version", "source", "expected"),
    [
        ("2.0.0", "aa", DeploymentState.CURRENT),
        ("2.0.0", "bb", DeploymentState.CHANGED),
        ("1.9.9", "aa", DeploymentState.OLDER),
        ("2.0.1", "bb", DeploymentState.NEWER),
        ("", "", DeploymentState.OLDER),
    ],
)
def test_a_deployment_is_compared_by_its_tags(version, source, expected):
    local = {TAG_VERSION: "2.0.0", TAG_SOURCE: "aa"}
    assert compare_tags({TAG_VERSION: version, TAG_SOURCE: source}, local) is expected


def test_only_what_brings_the_app_forward_is_deployed():
    assert compare_tags(None, local_tags()) is DeploymentState.MISSING
    forward = {standing for standing in DeploymentState if standing.needs_deployment}
    assert forward == {DeploymentState.MISSING, DeploymentState.OLDER, DeploymentState.CHANGED}


def test_importing_the_provider_is_light():
    code = (
        "import sys, tiomagic_modal, tiomagic_modal.provider, tiomagic_modal.options\n"
        "heavy = {'modal', 'torch', 'tiomagic_local', 'PIL', 'numpy', 'aiohttp'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_deploying_needs_the_engines_source_and_not_their_libraries():
    """A machine without torch can deploy."""
    code = (
        "import sys, tiomagic_modal.container.worker\n"
        "print(sorted({'torch', 'diffusers', 'tiomagic_local', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
