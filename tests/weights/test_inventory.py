"""What of a model's weights is on this machine is known without the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.pose_parameters import ControlWeights
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.weights import hub
from tiomagic_local.weights.hub_cache import PART_SUFFIX, HubCache, select_names
from tiomagic_local.weights.hub_files import PIPELINE_FILES
from tiomagic_local.weights.inventory import (
    UNLISTED_LORA_BYTES,
    WeightsInventory,
    list_run_files,
    take_inventory,
)
from tiomagic_local.weights.locate import Origin

__all__ = ["hub_server"]

CARD = replace(
    find_model("wan2.1-t2v-1.3b"), repository="some/model", revision=None, weights_gib=2.0
)
ENCODER, TRANSFORMER = "text_encoder/model.safetensors", "transformer/model.safetensors"
FILES = {
    "model_index.json": b"{}",
    "README.md": b"not wanted, and of no size that counts",
    "all_in_one.safetensors": bytes(900),
    ENCODER: bytes(1000),
    TRANSFORMER: b"\1" * 500,
}


def fetch(repository: str, *without: str) -> Path:
    """Download a repository as the runtime does."""
    return hub.download_repository(
        repository,
        None,
        model="m",
        token=None,
        progress=ignore_progress,
        names=PIPELINE_FILES,
        without=without,
    )


def look(**change: object) -> WeightsInventory:
    """Take the inventory of the model, with changes to its card."""
    return take_inventory(replace(CARD, **change), LocalOptions())  # type: ignore[arg-type]


def test_a_model_of_which_nothing_is_here(hub_server: Hub, tmp_path: Path) -> None:
    """The catalogue knows about how much there is to fetch; the hub is not asked."""
    hub_server.publish("some/model", FILES)
    found = look()
    assert (found.bytes_here, found.bytes_to_fetch) == (0, 2 * 2**30)
    assert not found.is_complete
    assert not found.is_exact
    assert (found.origin, found.location) == (Origin.HUB, tmp_path / "cache")
    assert hub_server.asked == []


def test_a_model_that_is_here(hub_server: Hub) -> None:
    """Files that a run does not read do not count."""
    hub_server.publish("some/model", FILES)
    fetch("some/model")
    found = look()
    assert (found.bytes_here, found.bytes_to_fetch) == (1502, 0)
    assert found.is_complete
    assert found.is_exact


def test_a_part_of_a_model(hub_server: Hub, tmp_path: Path) -> None:
    """What an interrupted download has left is not fetched again."""
    hub_server.publish("some/model", FILES)
    fetch("some/model", TRANSFORMER)
    assert (look().bytes_here, look().bytes_to_fetch) == (1002, 500)
    cache = HubCache(tmp_path / "cache")
    listing = cache.listing("some/model", _commit(tmp_path))
    assert listing is not None
    name = listing[TRANSFORMER].sha256
    (cache.folder("some/model") / "blobs" / f"{name}{PART_SUFFIX}").write_bytes(bytes(123))
    found = look()
    assert (found.bytes_here, found.bytes_to_fetch, found.is_complete) == (1125, 377, False)


def test_a_file_of_another_model(hub_server: Hub) -> None:
    """What two repositories have is fetched once, and a model's own twins count once."""
    hub_server.publish("some/other", {"model_index.json": b"[]", ENCODER: FILES[ENCODER]})
    hub_server.publish("some/model", {**FILES, "twin/model.safetensors": FILES[TRANSFORMER]})
    fetch("some/other")
    fetch("some/model", ENCODER, TRANSFORMER, "twin/*")
    assert (look().bytes_here, look().bytes_to_fetch) == (1002, 500)


def test_a_file_of_another_size_is_not_the_file(hub_server: Hub, tmp_path: Path) -> None:
    """A file that was cut off is fetched again."""
    hub_server.publish("some/model", FILES)
    folder = fetch("some/model")
    (folder / TRANSFORMER).resolve().write_bytes(b"cut")
    assert (look().bytes_here, look().bytes_to_fetch) == (1002, 500)


def test_weights_that_an_older_client_fetched(hub_server: Hub, tmp_path: Path) -> None:
    """Without the hub's list, sizes are compared to the catalogue's, which is rounded."""
    hub_server.publish("some/model", FILES)
    fetch("some/model")
    (tree,) = (tmp_path / "cache").glob("*/trees/*.json")
    tree.unlink()
    found = look(weights_gib=1550 / 2**30)
    assert (found.bytes_here, found.bytes_to_fetch) == (1502, 0)
    assert found.is_complete
    assert not found.is_exact
    assert look(weights_gib=4000 / 2**30).bytes_to_fetch == 2498


def test_a_lora_of_the_model_is_missing(hub_server: Hub) -> None:
    """A model that is made of two repositories is not here when one is."""
    hub_server.publish("some/model", FILES)
    fetch("some/model")
    lora = Lora(source="some/lora", weight_name="x.safetensors")
    found = look(loras=(lora,), weights_gib=3000 / 2**30)
    assert (found.bytes_to_fetch, found.is_complete) == (1498, False)


CONTROL = Lora(source="some/control", weight_name="c.safetensors")
CONTROLLED = replace(
    CARD, controls={"edges": ControlWeights(lora=CONTROL, downscale=2, source="a test")}
)
"""A model with a LoRA that only calls with ``control="edges"`` use."""


def test_a_lora_of_some_calls_counts_for_those(hub_server: Hub, tmp_path: Path) -> None:
    """By its listed size, or by a usual one; and beside a given folder of weights as well."""
    hub_server.publish("some/model", FILES)
    hub_server.publish("some/control", {"c.safetensors": bytes(300), "d.safetensors": bytes(7)})
    fetch("some/model")

    def count(options: LocalOptions, settings: dict[str, object]) -> tuple[int, bool, bool]:
        found = take_inventory(CONTROLLED, options, settings=settings)
        return found.bytes_to_fetch, found.is_complete, found.is_exact

    wants, hub_alone = {"control": "edges"}, LocalOptions()
    assert count(hub_alone, {}) == (0, True, True)
    assert count(hub_alone, wants) == (UNLISTED_LORA_BYTES, False, False)
    wanted = list_run_files(CONTROLLED, hub_alone, wants)
    hub.ask_for_lists(wanted, model="m", token=None)
    assert count(hub_alone, wants) == (300, False, True)
    folder = tmp_path / CARD.name
    folder.mkdir()
    in_folder = LocalOptions(weights_dir=tmp_path)
    assert count(in_folder, wants) == (300, False, True)
    assert [files.repository for files in list_run_files(CONTROLLED, in_folder, wants)] == [
        "some/control"
    ]
    (folder / "loras").mkdir()
    (folder / "loras" / "c.safetensors").write_bytes(bytes(300))
    assert count(in_folder, wants) == (0, True, True)
    hub.download_all(wanted, model="m", token=None, progress=ignore_progress)
    assert count(hub_alone, wants) == (0, True, True)


def test_a_folder_of_weights_and_a_model_of_the_package(tmp_path: Path) -> None:
    """There is nothing to fetch."""
    folder = tmp_path / CARD.name
    folder.mkdir()
    (folder / "model_index.json").write_bytes(b"123")
    found = take_inventory(CARD, LocalOptions(weights_dir=tmp_path))
    assert (found.bytes_here, found.bytes_to_fetch, found.location) == (3, 0, folder)
    own = take_inventory(find_model("doodle"), LocalOptions())
    assert (own.origin, own.bytes_to_fetch, own.is_complete) == (Origin.PACKAGE, 0, True)
    assert own.bytes_here > 10**7


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [(("*.json",), ["a.json", "b/c.json"]), (("b/",), ["b/c.json", "b/d.txt"])],
)
def test_names_are_selected_as_the_client_does(
    patterns: tuple[str, ...], selected: list[str]
) -> None:
    """A star goes through folders, and a folder means all that is in it."""
    from huggingface_hub.utils import filter_repo_objects

    names = ["a.json", "b/c.json", "b/d.txt"]
    assert select_names(names, patterns) == selected
    assert list(filter_repo_objects(names, allow_patterns=list(patterns))) == selected


def _commit(tmp_path: Path) -> str:
    (snapshot,) = (tmp_path / "cache" / "models--some--model" / "snapshots").iterdir()
    return snapshot.name
