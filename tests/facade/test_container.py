"""The wiring: every part can be built, swapped, and is kept as long as it should be."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.facade.conftest import FakeApp, Run

from tiomagic import TioMagic
from tiomagic.errors import MissingDependencyError, ValidationError
from tiomagic.wiring.clock import SystemClock
from tiomagic.wiring.container import build_container
from tiomagic.wiring.provider_names import BUILT_IN_PROVIDERS
from tiomagic.wiring.settings import resolve
from tiomagic_domain.ports import Provider
from tiomagic_domain.testing import (
    ClockContract,
    FakeClock,
    FakeProvider,
    MemoryJobRepository,
)
from tiomagic_domain.usecases.generation import Generation


class TestSystemClock(ClockContract):
    """The clock of this machine keeps the port's contract."""

    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


def test_every_part_can_be_built(folder: Path) -> None:
    """Misspelt arguments of a builder are found here: the type checker does not see them."""
    settings = resolve({}, environment={}, dotenv={}, working_dir=folder)
    container = build_container(lambda: settings, {})
    for name, provider in vars(container).items():
        assert provider() is not None, name
    assert isinstance(container.generation(), Generation)
    backends: Any = container.backends()
    assert [backends[name].name for name in ("local", "modal")] == ["local", "modal"]
    assert sorted(backends) == sorted(BUILT_IN_PROVIDERS)
    assert len(backends) == len(BUILT_IN_PROVIDERS)
    assert backends["local"].provider is backends["local"].provider
    container.close()
    assert list(folder.iterdir()) == []


def test_settings_reach_the_providers(folder: Path) -> None:
    """What is configured is what the adapters get, under the right names."""
    tm = TioMagic(
        weights_dir="w", device="cpu", hf_token="t", gpu="H100", timeout=60, scaledown_window=70
    )
    options: Any = tm.session.provider("local").provider._options  # type: ignore[attr-defined]
    assert (options.weights_dir, options.device, options.hf_token) == (folder / "w", "cpu", "t")
    options = tm.session.provider("modal").provider._options  # type: ignore[attr-defined]
    assert (options.gpu, options.timeout_s, options.scaledown_window_s) == ("H100", 60, 70)


def test_a_loaded_model_survives_other_settings() -> None:
    """Only the parts whose settings changed are built anew."""
    tm = TioMagic(provider="local")

    def built(name: str) -> object:
        return tm.session.provider(name).provider

    local, modal = built("local"), built("modal")
    tm.configure(provider="modal", gpu="H100")
    assert built("local") is local
    assert built("modal") is not modal
    tm.configure(device="cpu")
    assert built("local") is not local
    generation = tm.session.generation
    tm.configure(output_dir="elsewhere")
    assert tm.session.generation is not generation


def test_parts_can_be_swapped_for_a_block(fake_app: FakeApp, tmp_path: Path) -> None:
    """Inside the block the new parts work, after it the old ones do."""
    fake_app.tm.configure(provider="local")
    fake_app.tm.text_to_video(prompt="outside")
    other = FakeProvider(tmp_path / "other", name="local", blocking=True)
    repository, clock = MemoryJobRepository(), FakeClock()
    clock.advance(3600)
    with fake_app.tm.override(repository=repository, clock=clock, providers={"local": other}) as tm:
        inside = tm.text_to_video(prompt="inside")
        assert [job.job_id for job in tm.list_jobs()] == [inside.job_id]
        assert inside.creation_time == clock.now().isoformat()
    assert [request.inputs.prompt for request in other.submitted] == ["inside"]
    assert [request.inputs.prompt for request in fake_app.local.submitted] == ["outside"]
    assert len(fake_app.tm.list_jobs()) == 1


def test_a_misspelt_part_is_refused() -> None:
    """A part that does not exist is an error and not a swap without effect."""
    with pytest.raises(ValidationError, match="Did you mean 'clock'"):
        TioMagic(overrides={"clok": FakeClock()})
    with pytest.raises(ValidationError, match="Parts: 'clock'"), TioMagic().override(xyz=1):
        pass


@pytest.mark.parametrize(
    ("package", "extra"),
    [("tiomagic_local.provider", "local"), ("tiomagic_modal.provider", "modal")],
)
def test_a_missing_package_is_an_error_with_the_command(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    """The command installs from the repository: the index still has the old version."""
    monkeypatch.setitem(sys.modules, package, None)
    tm = TioMagic(provider=extra)
    with pytest.raises(MissingDependencyError) as caught:
        tm.text_to_video("wan2.1-t2v-14b", prompt="a fox")
    assert f"./packages/facade[{extra}]" in str(caught.value.details["command"])
    assert "pip install tiomagic" not in caught.value.message
    assert isinstance(caught.value, ImportError)
    tm.unload()  # Nothing is loaded where nothing is installed.


def test_without_media_packages_words_still_work(
    fake_app: FakeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Text to video needs no picture library; a picture asks for it."""
    monkeypatch.setitem(sys.modules, "tiomagic_media", None)
    provider = FakeProvider(tmp_path, name="local", blocking=True)
    tm = TioMagic(provider="local", overrides={"providers": {"local": provider}})
    job = tm.text_to_video(prompt="a fox")
    assert job.status == "completed"
    with pytest.raises(MissingDependencyError, match="reading pictures"):
        tm.image_to_video(prompt="a fox", image="fox.png")
    changed = {"image": {"sha256": "0" * 64, "kind": "image"}}
    with pytest.raises(MissingDependencyError):
        tm.image_to_video(prompt="a fox", **changed)
    tm.close()


def test_another_distribution_adds_a_provider(python: Run, plugin_path: Path) -> None:
    """An entry point is enough: the provider is listed, configured and runs its own model."""
    code = (
        "from tiomagic import tm\n"
        f"assert tm.get_providers() == {[*BUILT_IN_PROVIDERS, 'fake']}\n"
        "tm.configure(provider='fake', gpu='H100')\n"
        "job = tm.text_to_video(prompt='a fox')\n"
        "assert (job.status, job.model) == ('completed', 'fake-wan2.1-t2v-1.3b'), job\n"
        "first = tm.session.provider('fake').provider\n"
        "assert tm.session.provider('fake').provider is first\n"
        "tm.configure(gpu='A100')\n"
        "assert tm.session.provider('fake').provider is not first\n"
    )
    done = python(code, PYTHONPATH=str(plugin_path))
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_the_fakes_are_providers(fake_app: FakeApp) -> None:
    """Only type-checked: what the tests swap in is what the port asks for."""
    _: Provider = fake_app.local
