"""CONTRIBUTING's example is a model that runs, and a package of somebody else can bring it."""

import importlib
import re
import sys
import tomllib
from pathlib import Path

import av
import pytest

from tiomagic import TioMagic
from tiomagic.wiring.provider_names import BUILT_IN_PROVIDERS
from tiomagic_domain.catalogue import models
from tiomagic_local.torch_env.quiet import silence_libraries

ROOT = Path(__file__).parents[2]
PACKAGE = "tiomagic_mochi"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks():
    """Return the code of CONTRIBUTING: each by the path in its first line, or by its language."""
    found = {}
    for language, code in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        first = code.partition("\n")[0]
        found[first.removeprefix("# ") if first.startswith("# ") else language] = code
    return found


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package that has the example's files and a provider; gone after the test.

    What stands in ``pyproject.toml`` becomes what an installer makes of it.
    """
    code = blocks()
    project = tomllib.loads(code["toml"])["project"]
    site = tmp_path / "site"
    folder = site / PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "card.py").write_text(code["catalogue/families/mochi.py"])
    (folder / "engine.py").write_text(code["engines/mochi.py"])
    (folder / "tiny.py").write_text(code["tests/tiny/mochi.py"])
    (folder / "studio.py").write_text(Path(__file__).with_name("studio.py").read_text())
    info = site / f"{PACKAGE}-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    models.cache_clear()
    yield importlib.import_module(f"{PACKAGE}.tiny")
    models.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def tm(package, tmp_path):
    """The real thing, with the package installed and tiny weights for its model."""
    weights = tmp_path / "weights"
    weights.mkdir()
    with silence_libraries():
        for name, build in package.TINY.items():
            build(weights / name)
    tm = TioMagic(
        working_dir=tmp_path / "work", provider="local", device="cpu", weights_dir=weights
    )
    yield tm
    tm.close()


def shape_of(video):
    """Return frames, height, width and rate of an mp4."""
    with av.open(video) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        return frames, stream.height, stream.width, stream.average_rate


# On a CPU diffusers asks Mochi's pipeline for a precision that autocast does not have.
@pytest.mark.filterwarnings("ignore:In CPU autocast")
def test_the_example_model_runs(tm):
    """It is listed, its limits hold, and it makes the video that was asked for."""
    assert "mochi-1-preview" in tm.get_models("text_to_video", "local")
    small = {"width": 32, "height": 48, "num_frames": 13, "num_inference_steps": 2}
    with pytest.raises(ValueError, match="nearest: 7"):
        tm.text_to_video(model="mochi-1-preview", prompt="a fox", **{**small, "num_frames": 8})
    job = tm.text_to_video(model="mochi-1-preview", prompt="a fox", seed=1, **small)
    assert job.status == "completed", job.error
    assert shape_of(job.result_video) == (13, 48, 32, 30)
    assert tm.inspect(job.result_video)["model"] == "mochi-1-preview"


def test_the_package_adds_a_provider(tm):
    """It is found by its entry point and runs its own model, in its own time."""
    assert tm.get_providers() == [*BUILT_IN_PROVIDERS, "studio"]
    tm.configure(provider="studio")
    job = tm.text_to_video(prompt="a fox", width=32, height=32, num_frames=5)
    assert (job.status, job.model) == ("queued", "noise")
    assert tm.check_generation_status(job.job_id).status == "running"
    job = tm.check_generation_status(job.job_id)
    assert job.status == "completed"
    assert shape_of(job.result_video) == (5, 32, 32, 16)
