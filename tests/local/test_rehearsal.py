"""A rehearsal against a hub on this machine, with tiny models: what is wrong is found before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.local.hub_server import Hub, hub_server
from tests.tiny.wan import build_t2v

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.pose_parameters import ControlWeights
from tiomagic_domain.errors import UnknownModelError
from tiomagic_domain.ports.rehearsal import CheckOutcome, Rehearsal
from tiomagic_local.options import LocalOptions
from tiomagic_local.rehearsal import file_checks
from tiomagic_local.rehearsal import rehearse as module
from tiomagic_local.rehearsal.rehearse import rehearse

__all__ = ["hub_server"]

CARD = replace(find_model("wan2.1-t2v-1.3b"), repository="some/model", revision=None)
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
ENCODER = "text_encoder/model.safetensors"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a tiny model."""
    folder = build_t2v(tmp_path_factory.mktemp("tiny"))
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rehearsal]:
    """Rehearse the model of the hub on this machine."""

    def call(card: Any = CARD, **options: Any) -> Rehearsal:
        monkeypatch.setattr(module, "find_model", lambda _name: card)
        return rehearse(card.name, LocalOptions(device="cpu", **options))

    return call


def problems(found: Rehearsal, part: str) -> list[str]:
    """Return what is wrong with a part."""
    return [
        check.message
        for check in found.checks
        if check.part == part and check.outcome is CheckOutcome.PROBLEM
    ]


def outcome(found: Rehearsal, part: str) -> CheckOutcome:
    """Return how a part is."""
    (check,) = (check for check in found.checks if check.part == part)
    return check.outcome


def test_a_whole_model_runs_and_downloads_no_weights(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal]
) -> None:
    """The pipeline is the real one with random weights, and says what it made."""
    commit = hub_server.publish("some/model", files)
    found = rehearsed()
    assert problems(found, "files") == []
    (run,) = (check for check in found.checks if check.part == "run")
    assert run.outcome is CheckOutcome.OK, run.message
    assert "5 frames of 64x64 in 2 steps" in run.message
    (whole,) = (check for check in found.checks if check.part == "files")
    assert commit[:12] in whole.message
    assert found.needs["download_gib"] == pytest.approx(
        sum(len(data) for name, data in files.items() if name.endswith(".safetensors")) / 2**30,
        abs=0.01,
    )
    from huggingface_hub import constants

    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.safetensors"))


def test_the_loras_of_a_model_are_found(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal]
) -> None:
    """Those of some calls with their sizes and what asks for them; they count for no other run."""
    hub_server.publish("some/model", files)
    size = 10 * 2**20
    hub_server.publish("some/lora", {"x.safetensors": bytes(size)})
    hub_server.publish("some/control", {"c.safetensors": bytes(3 * size)})
    lora = Lora(source="some/lora", weight_name="x.safetensors")
    control = Lora(source="some/control", weight_name="c.safetensors")
    weights = ControlWeights(lora=control, downscale=2, source="a test")
    without = rehearsed()
    found = rehearsed(replace(CARD, loras=(lora,), controls={"depth": weights}))
    said = [check.message for check in found.checks if check.part == "loras"]
    assert any("c.safetensors is there, 30 MiB (only for control='depth')" in one for one in said)
    assert any(one.endswith("x.safetensors is there, 10 MiB") for one in said)
    more = found.needs["download_gib"] - without.needs["download_gib"]
    assert more == pytest.approx(size / 2**30, abs=0.006)


@pytest.mark.parametrize("name", [WEIGHTS, ENCODER])
def test_a_file_that_is_cut_off(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal], name: str
) -> None:
    """Its own header says how long it has to be."""
    hub_server.publish("some/model", {**files, name: files[name][:-100]})
    (text,) = problems(rehearsed(), "files")
    assert name in text
    assert (
        f"has {len(files[name]) - 100} bytes, and its own header speaks of {len(files[name])}"
        in text
    )


@pytest.mark.parametrize(
    "name", [WEIGHTS, "vae/config.json", "scheduler/scheduler_config.json", "model_index.json"]
)
def test_a_file_that_is_missing(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal], name: str
) -> None:
    """It is named."""
    hub_server.publish("some/model", {key: data for key, data in files.items() if key != name})
    found = rehearsed()
    (text,) = problems(found, "files")
    assert f"{name} is not there" in text
    assert not found.ok


def test_a_file_of_another_name(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal]
) -> None:
    """The one that is like it is named too."""
    renamed = WEIGHTS.replace("diffusion_pytorch_model", "diffusion_pytorch_model.fp16")
    moved = {renamed if key == WEIGHTS else key: data for key, data in files.items()}
    hub_server.publish("some/model", moved)
    (text,) = problems(rehearsed(), "files")
    assert text.endswith(f"{WEIGHTS} is not there; there is {renamed}")


def test_a_shard_that_an_index_names(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal]
) -> None:
    """Each one is looked for."""
    shard = "diffusion_pytorch_model-00002-of-00002.safetensors"
    index = json.dumps({"weight_map": {"a": Path(WEIGHTS).name, "b": shard}}).encode()
    hub_server.publish("some/model", {**files, f"{WEIGHTS}.index.json": index})
    texts = problems(rehearsed(), "files")
    assert any(f"transformer/{shard} is not there" in text for text in texts)


def test_a_revision_that_the_hub_does_not_have(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal]
) -> None:
    """The commit on the card is gone."""
    hub_server.publish("some/model", files)
    (text,) = problems(rehearsed(replace(CARD, revision="0" * 40)), "files")
    assert "no longer has these weights" in text


@pytest.mark.parametrize("status", [401, 403])
def test_a_licence_that_was_not_accepted(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal], status: int
) -> None:
    """The hub shows the list and not the files; without a token there is a word on that as well."""
    hub_server.publish("some/model", files)
    hub_server.trouble += [status] * 9
    found = rehearsed()
    (text,) = problems(found, "licence")
    assert "token" in text
    assert outcome(found, "token") is CheckOutcome.NOTE


def test_a_disk_that_is_too_small(
    hub_server: Hub,
    files: dict[str, bytes],
    rehearsed: Callable[..., Rehearsal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is to be downloaded is weighed against what is free."""
    hub_server.publish("some/model", files)
    monkeypatch.setattr(file_checks, "free_gib", lambda _cache: 1000 / 2**30)
    (text,) = problems(rehearsed(), "disk")
    assert "0.0 GiB free" in text
    assert "HF_HOME" in text


def test_weights_of_another_pipeline(
    hub_server: Hub, files: dict[str, bytes], rehearsed: Callable[..., Rehearsal]
) -> None:
    """The loader would refuse them too."""
    index = json.loads(files["model_index.json"]) | {"_class_name": "LTXPipeline"}
    hub_server.publish("some/model", {**files, "model_index.json": json.dumps(index).encode()})
    (text,) = problems(rehearsed(), "files")
    assert "'LTXPipeline'" in text
    assert "'WanPipeline'" in text


def test_a_hub_that_is_not_there(
    hub_server: Hub, rehearsed: Callable[..., Rehearsal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory is still weighed, and the published shapes are run without values."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = rehearsed()
    (text,) = problems(found, "files")
    assert "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it" in text
    (run,) = (check for check in found.checks if check.part == "run")
    assert run.outcome is CheckOutcome.NOTE
    assert "meta device" in run.message
    assert found.needs["memory_gib"] > 10


def test_a_model_that_comes_along_runs() -> None:
    """Doodle needs no hub."""
    found = rehearse("doodle", LocalOptions(device="cpu"))
    assert found.ok, [check.to_dict() for check in found.checks]
    assert outcome(found, "run") is CheckOutcome.OK
    assert Rehearsal.from_dict(found.to_dict(), provider="local") == found


def test_a_model_that_is_not_known() -> None:
    """As everywhere."""
    with pytest.raises(UnknownModelError):
        rehearse("no-such-model", LocalOptions(device="cpu"))
