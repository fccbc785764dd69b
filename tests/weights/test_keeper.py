"""Weights are downloaded ahead, listed with what they share, removed and verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain import catalogue
from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.catalogue.pose_parameters import ControlWeights
from tiomagic_domain.errors import APIError, ConfigurationError
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.upkeep import keeper as keeper_module
from tiomagic_local.upkeep.keeper import LocalWeightsKeeper

__all__ = ["hub_server"]

ENCODER, TRANSFORMER = "text_encoder/model.safetensors", "transformer/model.safetensors"
SAME = b"the encoder of all" * 1000
BASE = replace(
    find_model("wan2.1-t2v-1.3b"), name="base", repository="some/base", revision=None, loras=()
)
STYLE = replace(BASE, name="style", loras=(Lora(source="some/lora", weight_name="x.safetensors"),))
OTHER = replace(BASE, name="other", repository="some/other")


@pytest.fixture
def keeper(hub_server: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalWeightsKeeper]:
    """The keeper of three models: two of one repository, and one with the same text encoder."""
    hub_server.publish(
        "some/base", {"model_index.json": b"{}", ENCODER: SAME, TRANSFORMER: b"b" * 5000}
    )
    hub_server.publish("some/lora", {"x.safetensors": b"l" * 300})
    hub_server.publish(
        "some/other", {"model_index.json": b"[]", ENCODER: SAME, TRANSFORMER: b"o" * 700}
    )
    known = {card.name: card for card in (BASE, STYLE, OTHER)}
    monkeypatch.setattr(keeper_module, "models", lambda: known)
    assert catalogue.models() != known
    return LocalWeightsKeeper(LocalOptions())


def get(keeper: LocalWeightsKeeper, *cards: ModelCard) -> list[Path]:
    """Download models."""
    return [keeper.download(card, ignore_progress, NeverCanceled()) for card in cards]


def test_a_download_ahead(keeper: LocalWeightsKeeper, hub_server: Hub) -> None:
    """It has the LoRAs of a model too, and what is here is not asked for again."""
    missing = {file.name: file.bytes_missing for file in keeper.list_files(STYLE)}
    assert missing == {
        "model_index.json": 2,
        ENCODER: 18_000,
        TRANSFORMER: 5000,
        "x.safetensors": 300,
    }
    assert hub_server.downloaded_files("some/base") == set()
    (folder,) = get(keeper, STYLE)
    assert (folder / ENCODER).read_bytes() == SAME
    assert hub_server.downloaded_files("some/lora") == {"x.safetensors"}
    assert {file.bytes_missing for file in keeper.list_files(STYLE)} == {0}
    hub_server.asked.clear()
    assert get(keeper, STYLE) == [folder]
    assert hub_server.asked == []


def test_a_lora_of_some_calls(
    keeper: LocalWeightsKeeper, hub_server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is downloaded ahead with its model, listed with it, and says what it is for."""
    hub_server.publish("some/control", {"c.safetensors": b"c" * 40, "d.safetensors": b"d"})
    weights = ControlWeights(
        lora=Lora(source="some/control", weight_name="c.safetensors"), downscale=2, source="a test"
    )
    controlled = replace(BASE, name="controlled", controls={"pose": weights, "edges": weights})
    other = replace(OTHER, controls=controlled.controls)
    monkeypatch.setattr(keeper_module, "models", lambda: {c.name: c for c in (controlled, other)})
    (lora,) = (file for file in keeper.list_files(controlled) if file.source == "some/control")
    assert (lora.name, lora.bytes_missing) == ("c.safetensors", 40)
    assert lora.used_for == "control='pose' or 'edges'"
    get(keeper, controlled)
    assert hub_server.downloaded_files("some/control") == {"c.safetensors"}
    # The other model that can use it is not here.
    (found,) = keeper.list_stored().models
    assert (found.bytes_here, found.bytes_missing) == (23_042, 0)
    assert found.sources[-1].startswith("some/control@")
    assert keeper.remove([controlled]).bytes_freed == 23_042


def test_the_list_counts_what_is_shared_once(keeper: LocalWeightsKeeper) -> None:
    """By the same repository, or by the same content in two of them."""
    assert keeper.list_stored().models == ()
    get(keeper, STYLE, OTHER)
    found = keeper.list_stored()
    here = {each.model: (each.bytes_here, each.own_bytes) for each in found.models}
    assert here == {"base": (23_002, 0), "style": (23_302, 300), "other": (18_702, 702)}
    assert found.bytes_total == 18_000 + 5002 + 300 + 702
    shared = {each.model: each.shared_with for each in found.models}
    assert shared["other"] == ("base", "style")
    parts = {each.model: each.shared_parts for each in found.models}
    assert parts["other"] == ("text_encoder",)
    assert parts["base"] == ("text_encoder", "transformer")
    assert found.to_dict()["models"][0]["shared_with"] == ["style", "other"]
    assert found.models[0].sources[0].startswith("some/base@")


def test_what_another_model_needs_stays(keeper: LocalWeightsKeeper, hub_server: Hub) -> None:
    """A model of the same repository keeps it; one with the same content has its own name of it."""
    get(keeper, STYLE)
    (other,) = get(keeper, OTHER)
    removed = keeper.remove([BASE])
    assert (removed.bytes_freed, removed.bytes_kept) == (0, 23_002)
    assert removed.kept_for == ("style",)
    assert keeper.remove([STYLE]).kept_for == ("base",)
    assert not (other.parents[2] / "models--some--lora").exists()
    removed = keeper.remove([BASE])
    # The text encoder is still the other model's.
    assert (removed.bytes_freed, removed.bytes_kept, removed.kept_for) == (5002, 0, ())
    assert not (other.parents[2] / "models--some--base").exists()
    assert (other / ENCODER).read_bytes() == SAME
    hub_server.asked.clear()
    get(keeper, OTHER)
    assert hub_server.asked == []
    assert keeper.remove([OTHER]).bytes_freed == 18_702
    assert keeper.list_stored().models == ()


def test_several_models_are_removed_together(keeper: LocalWeightsKeeper) -> None:
    """None of them keeps the files of another one."""
    get(keeper, STYLE)
    assert keeper.remove([BASE, STYLE]).bytes_freed == 23_302


def test_parts_of_files_go_too(keeper: LocalWeightsKeeper, hub_server: Hub) -> None:
    """What an interrupted download has left is listed, and can be removed."""
    hub_server.breaks_after = [100] * 2 + [0] * 10_000
    with pytest.raises(APIError):
        get(keeper, OTHER)
    (found,) = keeper.list_stored().models
    assert found.model == "other"
    assert found.bytes_here >= 100
    keeper.remove([OTHER])
    assert keeper.list_stored().models == ()


def test_no_link_is_followed_out_of_the_cache(keeper: LocalWeightsKeeper, tmp_path: Path) -> None:
    """Neither one in the place of a repository, nor one in the place of a content."""
    (folder,) = get(keeper, OTHER)
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(SAME)
    blob = (folder / ENCODER).resolve()
    (folder / ENCODER).unlink()
    (folder / ENCODER).symlink_to(mine)
    keeper.remove([OTHER])
    assert mine.read_bytes() == SAME
    assert not folder.exists()
    assert blob.exists()
    (folder,) = get(keeper, BASE)
    repository = folder.parents[1]
    elsewhere = repository.rename(tmp_path / "elsewhere")
    repository.symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="link out of the cache"):
        keeper.remove([BASE])
    assert (elsewhere / "snapshots" / folder.name / TRANSFORMER).read_bytes() == b"b" * 5000


def test_a_folder_of_ones_own_is_not_removed(keeper: LocalWeightsKeeper, tmp_path: Path) -> None:
    """It is listed, and its path is named."""
    folder = tmp_path / "weights" / "base"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_bytes(b"12345")
    own = LocalWeightsKeeper(LocalOptions(weights_dir=tmp_path / "weights"))
    (found,) = own.list_stored().models
    assert (found.place, found.bytes_here, found.bytes_missing) == (folder, 5, 0)
    assert own.list_files(BASE) == []
    with pytest.raises(ConfigurationError, match="folder of yours"):
        own.remove([BASE])
    assert list(own.verify([BASE])) == []


def test_a_damaged_file_is_found_and_fetched_again(
    keeper: LocalWeightsKeeper, hub_server: Hub
) -> None:
    """One byte that is wrong is enough; the size is the same. Both kinds of digests are read."""
    (folder,) = get(keeper, BASE)
    assert [file.is_intact for file in keeper.verify([BASE])] == [True] * 3
    for name, content in ((TRANSFORMER, b"b" * 4999 + b"?"), ("model_index.json", b"{ ")):
        (folder / name).resolve().write_bytes(content)
    found = {file.name: file.is_intact for file in keeper.verify([BASE])}
    assert found == {"model_index.json": False, ENCODER: True, TRANSFORMER: False}
    hub_server.asked.clear()
    get(keeper, BASE)
    assert hub_server.downloaded_files("some/base") == {"model_index.json", TRANSFORMER}
    assert all(file.is_intact for file in keeper.verify([BASE]))
