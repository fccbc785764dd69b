"""Every card against what the models' authors say: the next audit is a diff of one file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.every import for_each

from tiomagic.wiring.registry import providers_of
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.parameter import UNSET
from tiomagic_local.engines import find_engine
from tiomagic_local.torch_env.devices import choose_dtype

TABLE = tomllib.loads((Path(__file__).parent / "conformance.toml").read_text(encoding="utf-8"))
CARDS = [card for card in models().values() if card.repository is not None]
TRACKED = frozenset(
    {
        *("num_inference_steps", "guidance_scale", "guidance_scale_2", "flow_shift"),
        *("negative_prompt", "true_cfg_scale", "use_dynamic_cfg", "guidance_rescale"),
        *("audio_guidance_scale", "modality_scale", "stg_scale", "image_cond_noise_scale"),
        *("decode_timestep", "decode_noise_scale", "lora_alpha", "noise_multiplier"),
        "last_noise_multiplier",
    }
)
"""Defaults that decide what a video looks like: each has to stand in the table."""
FACTS = frozenset(
    {
        *("source", "repository", "pipeline", "dtype", "frames", "size", "pixels", "fps"),
        *("prompt_tokens", "licence", "use", "settings"),
    }
)
"""What the table has to say of every model."""
OWN = frozenset({"like", "deviations", "smallest_gpu"})
"""What an entry does not take over from another one."""


def entry_of(name: str) -> dict[str, Any]:
    """Return what the table says of a model, with what it takes over."""
    said = TABLE["models"][name]
    entry = {key: value for key, value in said.items() if key != "like"}
    if "like" not in said:
        return entry
    base = {key: value for key, value in entry_of(said["like"]).items() if key not in OWN}
    if "smallest_gpu" not in said and "smallest_gpu" in entry.get("deviations", {}):
        base["smallest_gpu"] = entry_of(said["like"])["smallest_gpu"]
    entry["settings"] = base["settings"] | entry.get("settings", {})
    return base | entry


def defaults_of(card: ModelCard, feature: Feature, name: str) -> Any:
    """Return a default of a card; None where there is none."""
    schema = card.schema(feature)
    if name not in schema or schema[name].default is UNSET:
        return None
    return schema[name].default


def expected_of(entry: Mapping[str, Any], card: ModelCard) -> dict[str, Any]:
    """Return the authors' values by the names of what they are compared with."""
    plain = ("repository", "pipeline", "pixels", "fps", "prompt_tokens", "licence", "use")
    expected = {name: entry[name] for name in plain}
    expected |= {f"dtype.{part}": kind for part, kind in entry["dtype"].items()}
    expected |= {f"options.{name}": value for name, value in entry.get("options", {}).items()}
    expected["turbo"] = entry.get("turbo", {})
    expected["skeletons"] = entry.get("skeletons")
    if Feature.POSE_GUIDANCE not in card.features:
        expected["skeletons"] = None if "fusionx" not in card.name else entry.get("skeletons")
    interpolates = Feature.INTERPOLATE in card.features
    expected["keyframes"] = entry.get("keyframes") if interpolates else None
    if "smallest_gpu" in entry:
        expected["smallest_gpu"] = entry["smallest_gpu"]
    if entry["size"]:
        expected["size"] = entry["size"]
    for feature in card.features:
        settings = entry["settings"] | entry.get(feature.value, {})
        for name, value in settings.items():
            text = TABLE["texts"][value[1:]] if str(value).startswith("@") else value
            expected[f"{feature.value}.{name}"] = text
        expected[f"{feature.value}.frames"] = entry["frames"]
        expected[f"{feature.value}.fps"] = entry["fps"]
    return expected


def keyframes_of(card: ModelCard) -> dict[str, Any] | None:
    """Return where a model takes pictures between the ends; None where it takes none."""
    schema = card.features.get(Feature.INTERPOLATE)
    if schema is None or schema.keyframes is None:
        return None
    return {"every": schema.keyframes.step, "last_alone": schema.has_free_ends}


def found_of(card: ModelCard) -> dict[str, Any]:
    """Return the same values of a card and its engine."""
    engine = find_engine(card.engine)
    cuda = str(choose_dtype(card, torch.device("cuda"))).removeprefix("torch.")
    found: dict[str, Any] = {
        "repository": card.repository,
        "pipeline": engine.pipeline,
        "pixels": card.pixels,
        "fps": card.fps,
        "prompt_tokens": card.prompt_tokens,
        "licence": card.licence,
        "use": card.terms.use.value,
        "smallest_gpu": card.gpu_memory_gib,
        "skeletons": card.skeletons.value if card.skeletons is not None else None,
        "turbo": dict(card.turbo.settings) if card.turbo is not None else {},
        "keyframes": keyframes_of(card),
    }
    parts = ("transformer", "text_encoder", "text_encoder_2", "vae", "image_encoder")
    found |= {f"dtype.{part}": "float32" if part in engine.fp32 else cuda for part in parts}
    for name, value in card.options.items():
        found[f"options.{name}"] = list(value) if isinstance(value, tuple) else value
    if Feature.TEXT_TO_VIDEO in card.features:
        sides = ("width", "height")
        found["size"] = [defaults_of(card, Feature.TEXT_TO_VIDEO, side) for side in sides]
    elif defaults_of(card, next(iter(card.features)), "width") is not None:
        only = next(iter(card.features))
        found["size"] = [defaults_of(card, only, side) for side in ("width", "height")]
    for feature, schema in card.features.items():
        for parameter in schema.parameters:
            found[f"{feature.value}.{parameter.name}"] = parameter.default
        length = schema["num_frames"]
        found[f"{feature.value}.frames"] = [length.default, length.multiple_of, length.offset]
    return found


def deviation_of(entry: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return what the table says of a value of ours that is another one; None for nothing."""
    allowed: Mapping[str, Any] = entry.get("deviations", {})
    feature, _, setting = name.partition(".")
    common = f"settings.{setting}" if feature in {f.value for f in Feature} else name
    found: Mapping[str, Any] | None = allowed.get(name, allowed.get(common))
    return found


def alike(ours: object, theirs: object) -> bool:
    """Say whether two values are the same, numbers to seven digits."""
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return ours == pytest.approx(theirs, rel=1e-6)
    return ours == theirs


@for_each(CARDS)
def test_a_card_is_as_its_authors_have_it(card: ModelCard) -> None:
    """Each value is theirs, or the table says which is ours and why."""
    entry = entry_of(card.name)
    found = found_of(card)
    for name, theirs in expected_of(entry, card).items():
        deviation = deviation_of(entry, name)
        if deviation is None:
            assert alike(found.get(name), theirs), f"{name}: {found.get(name)!r}, not {theirs!r}"
            continue
        assert len(deviation["reason"]) > 5, name
        # A figure that is computed may change, and the reason stays.
        if name != "smallest_gpu":
            assert alike(found.get(name), deviation["ours"]), f"{name}: {found.get(name)!r}"
            assert not alike(found.get(name), theirs), f"{name}: it is no deviation any more"


@for_each(CARDS)
def test_the_table_says_all_that_decides_a_video(card: ModelCard) -> None:
    """No default of a card is without the authors' word, and no reason is for nothing."""
    entry = entry_of(card.name)
    assert set(entry) >= FACTS
    for source in (entry["source"], *entry.get("places", {}).values()):
        assert source.partition(":")[0] in TABLE["sources"], source
    expected = expected_of(entry, card)
    for feature, schema in card.features.items():
        tracked = {p.name for p in schema.parameters if p.name in TRACKED}
        said = {name.partition(".")[2] for name in expected if name.startswith(f"{feature.value}.")}
        assert tracked <= said, f"{feature.value}: {sorted(tracked - said)}"
        assert {name for name in said if name not in schema} <= {"frames"}
    used = {name for name in expected if deviation_of(entry, name) is not None}
    assert len(entry.get("deviations", {})) <= len(used)


def test_every_model_of_the_table_is_there() -> None:
    """A model that is gone takes its entry with it, and every other one has one."""
    ours = {card.name for card in CARDS if "local" in providers_of(card)}
    assert set(TABLE["models"]) == ours


def test_a_source_has_its_commit() -> None:
    """A value can be looked up where it was read."""
    for source in TABLE["sources"].values():
        assert source["repository"].startswith("github.com/")
        assert source["commit"]
