"""One file with a transformer: every number as its maker meant it, every tensor used or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.local.hub_server import Hub, hub_server

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.lora.messages import describe_partial_use
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.quantized.layers import NUMBERS, StoredLayer
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.weights.given_files import find_given_files
from tiomagic_local.weights.locate import Weights, find_weights

__all__ = ["hub_server"]

T2V = find_model("wan2.1-t2v-1.3b")
Tensors = dict[str, torch.Tensor]
E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2

AUTHORS = [
    (r"attn1\.to_out\.0", "self_attn.o"),
    (r"attn2\.to_out\.0", "cross_attn.o"),
    (r"attn1\.to_", "self_attn."),
    (r"attn2\.to_", "cross_attn."),
    (r"attn1\.", "self_attn."),
    (r"attn2\.", "cross_attn."),
    (r"ffn\.net\.0\.proj", "ffn.0"),
    (r"ffn\.net\.2", "ffn.2"),
    (r"norm2", "norm3"),
    (r"condition_embedder\.(text|time)_embedder\.linear_1", r"\1_embedding.0"),
    (r"condition_embedder\.(text|time)_embedder\.linear_2", r"\1_embedding.2"),
    (r"condition_embedder\.time_proj", "time_projection.1"),
    (r"^(blocks\.\d+)\.scale_shift_table", r"\1.modulation"),
    (r"^scale_shift_table", "head.modulation"),
    (r"^proj_out", "head.head"),
]
"""Wan's own names, in the order of the authors' code."""


def authors(name: str) -> str:
    """Return the name that a tensor has in the authors' files."""
    for ours, theirs in AUTHORS:
        name = re.sub(ours, theirs, name)
    return name


@pytest.fixture
def plain(weights_dir: Path) -> Tensors:
    """A transformer in the authors' names and in 16 bits."""
    folder = weights_dir / T2V.name / "transformer"
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    return {authors(name): tensor.bfloat16() for name, tensor in tensors.items()}


def is_scaled(name: str, tensor: torch.Tensor) -> bool:
    """Say whether a tensor is one of those that are stored in eight bits."""
    return tensor.ndim == 2 and "blocks" in name and name.endswith(".weight")


def scaled(
    plain: Tensors,
    *,
    type_: torch.dtype = E4M3,
    factor: str = "scale_weight",
    shape: Callable[[torch.Tensor], torch.Tensor] = lambda w: w.abs().max().reshape(()),
    prefix: str = "",
    extra: str | None = "scaled_fp8",
) -> tuple[Tensors, Tensors]:
    """Return a file in eight bits with factors, and what its weights mean, in the file's names."""
    largest = 127.0 if type_ is torch.int8 else torch.finfo(type_).max
    file: Tensors = {}
    meant: Tensors = {}
    for name, tensor in plain.items():
        if not is_scaled(name, tensor):
            file[prefix + name] = meant[name] = tensor.clone()
            continue
        whole = tensor.float()
        by = shape(whole) / largest
        blocks = by.dim() == 2 and 1 not in by.shape
        spread = by.repeat_interleave(8, 0).repeat_interleave(8, 1) if blocks else by
        spread = spread[: whole.shape[0], : whole.shape[1]] if blocks else spread
        column = spread[:, None] if spread.dim() == 1 and spread.numel() > 1 else spread
        number = whole / column
        stored = (number.round() if type_ is torch.int8 else number).to(type_)
        file[prefix + name] = stored
        file[f"{prefix}{name.removesuffix('weight')}{factor}"] = by.contiguous()
        meant[name] = stored.float() * column
    if extra is not None:
        file[prefix + extra] = torch.empty(0, dtype=type_ if type_ is not torch.int8 else E4M3)
    return file, meant


def load(path: Path, weights_dir: Path, dtype: torch.dtype = torch.float32) -> Tensors:
    """Return the transformer's weights as they are loaded from a file, in the authors' names."""
    found = find(path, weights_dir)
    pipeline = load_pipeline(
        found,
        pipeline="WanPipeline",
        fp32=("vae",),
        dtype=dtype,
        device=torch.device("cpu"),
        plan=MemoryPlan.RESIDENT,
    )
    return {authors(name): t for name, t in full_weights(pipeline.transformer).items()}


def full_weights(part: torch.nn.Module) -> Tensors:
    """Return the values that the layers of a model multiply with, by the names of full weights."""
    found: Tensors = {}
    for name, tensor in part.state_dict().items():
        layer, _, last = name.rpartition(".")
        owner = part.get_submodule(layer)
        if not isinstance(owner, StoredLayer) or last == "bias":
            found[name] = tensor
        elif last == NUMBERS:
            found[f"{layer}.weight"] = owner.weight
    return found


def find(path: Path, weights_dir: Path) -> Weights:
    """Return the weights with a file in the transformer's place."""
    options = LocalOptions(model_path=path, weights_dir=weights_dir)
    return find_with_files(T2V, options, "WanPipeline")


def find_with_files(card: ModelCard, options: LocalOptions, pipeline: str) -> Weights:
    """Return a model's weights with the file of the options."""
    files = find_given_files(card, {}, options, progress=ignore_progress)
    return find_weights(card, options, pipeline=pipeline, progress=ignore_progress, files=files)


def rows(whole: torch.Tensor) -> torch.Tensor:
    """Return the largest of each row, as a column."""
    return whole.abs().amax(dim=1, keepdim=True)


def blocks(whole: torch.Tensor) -> torch.Tensor:
    """Return the largest of each block of eight by eight."""
    height, width = (-(-side // 8) * 8 for side in whole.shape)
    padded = torch.zeros(height, width)
    padded[: whole.shape[0], : whole.shape[1]] = whole.abs()
    largest = padded.view(height // 8, 8, width // 8, 8).amax(dim=(1, 3))
    return largest.clamp(min=1e-6)


FORMS = {
    "ComfyUI": {},
    "ComfyUI, e5m2": {"type_": E5M2},
    "ComfyUI, newer": {"factor": "weight_scale", "extra": None},
    "one number in a list": {"shape": lambda w: w.abs().max().reshape(1)},
    "a checkpoint's prefix": {"prefix": "model.diffusion_model."},
    "a short prefix": {"prefix": "diffusion_model."},
    "by rows": {"factor": "weight_scale", "shape": rows, "extra": None},
    "by rows, flat": {"shape": lambda w: rows(w).flatten()},
    "by columns": {"shape": lambda w: w.abs().amax(dim=0, keepdim=True)},
    "by blocks": {"factor": "weight_scale_inv", "shape": blocks, "extra": None},
    "whole numbers": {"type_": torch.int8, "factor": "weight_scale", "shape": rows, "extra": None},
}


class TestFactors:
    @pytest.mark.parametrize("form", FORMS)
    def test_the_factors_are_applied(
        self, plain: Tensors, weights_dir: Path, tmp_path: Path, form: str
    ) -> None:
        """Each weight is its stored number times its factor, however both are written."""
        file, meant = scaled(plain, **FORMS[form])  # type: ignore[arg-type]
        save_file(file, tmp_path / "scaled.safetensors")
        loaded = load(tmp_path / "scaled.safetensors", weights_dir)
        assert loaded.keys() == meant.keys()
        for name, tensor in meant.items():
            assert torch.allclose(loaded[name].float(), tensor.float(), atol=1e-6), name

    def test_what_rounds_the_inputs_is_no_part_of_the_weights(
        self, plain: Tensors, weights_dir: Path, tmp_path: Path
    ) -> None:
        """``scale_input`` and the note of the form change nothing."""
        file, meant = scaled(plain, factor="weight_scale", extra=None)
        note = json.dumps({"format": "float8_e4m3fn"}).encode()
        for name in [name for name in file if name.endswith(".weight_scale")]:
            layer = name.removesuffix(".weight_scale")
            file[f"{layer}.input_scale"] = torch.tensor(3.0)
            file[f"{layer}.comfy_quant"] = torch.frombuffer(bytearray(note), dtype=torch.uint8)
        save_file(file, tmp_path / "scaled.safetensors")
        loaded = load(tmp_path / "scaled.safetensors", weights_dir)
        assert all(
            torch.allclose(loaded[n].float(), t.float(), atol=1e-6) for n, t in meant.items()
        )

    def test_eight_bits_without_factors_are_what_they_say(
        self, plain: Tensors, weights_dir: Path, tmp_path: Path
    ) -> None:
        """A file that was only rounded, as ``fp8_e4m3fn`` files are, needs none."""
        file = {n: t.to(E4M3) if is_scaled(n, t) else t for n, t in plain.items()}
        save_file(file, tmp_path / "rounded.safetensors")
        loaded = load(tmp_path / "rounded.safetensors", weights_dir)
        assert all(torch.equal(loaded[n].float(), t.float()) for n, t in file.items())

    def test_the_types_are_those_of_a_folder(
        self, plain: Tensors, weights_dir: Path, tmp_path: Path
    ) -> None:
        """In 16 bits, what diffusers keeps in fp32 is in fp32, as from the folder."""
        save_file(plain, tmp_path / "mine.safetensors")
        mine = load(tmp_path / "mine.safetensors", weights_dir, torch.bfloat16)
        options = LocalOptions(weights_dir=weights_dir)
        found = find_weights(T2V, options, pipeline="WanPipeline", progress=ignore_progress)
        folder = load_pipeline(
            found,
            pipeline="WanPipeline",
            fp32=("vae",),
            dtype=torch.bfloat16,
            device=torch.device("cpu"),
            plan=MemoryPlan.RESIDENT,
        )
        theirs = {authors(n): t.dtype for n, t in folder.transformer.state_dict().items()}
        assert {name: tensor.dtype for name, tensor in mine.items()} == theirs
        assert {torch.float32, torch.bfloat16} == set(theirs.values())


def without_a_factor(file: Tensors) -> None:
    del file["blocks.0.self_attn.q.scale_weight"]


def factor_of_nothing(file: Tensors) -> None:
    file["blocks.9.self_attn.q.scale_weight"] = torch.tensor(1.0)


def factor_of_another_size(file: Tensors) -> None:
    file["blocks.0.self_attn.q.scale_weight"] = torch.ones(5)


def packed(file: Tensors) -> None:
    file["blocks.0.self_attn.q.weight"] = torch.zeros(24, 12, dtype=torch.uint8)


def two_scales(file: Tensors) -> None:
    file["blocks.0.self_attn.q.weight_scale_2"] = torch.tensor(1.0)


def nf4(file: Tensors) -> None:
    file["blocks.0.self_attn.q.weight.quant_state.bitsandbytes__nf4"] = torch.zeros(
        3, dtype=torch.uint8
    )


def rotated(file: Tensors) -> None:
    note = bytearray(json.dumps({"format": "int8_tensorwise", "convrot": True}).encode())
    file["blocks.0.self_attn.q.comfy_quant"] = torch.frombuffer(note, dtype=torch.uint8)


def unknown_tensor(file: Tensors) -> None:
    file["blocks.0.self_attn.q.mystery"] = torch.ones(3)


def one_block_more(file: Tensors) -> None:
    file |= {
        n.replace("blocks.0", "blocks.7"): t.clone() for n, t in file.items() if "blocks.0" in n
    }


def one_tensor_less(file: Tensors) -> None:
    del file["blocks.1.ffn.2.bias"]


TROUBLES = {
    without_a_factor: r"none for 1 of them, such as 'blocks\.0\.self_attn\.q\.weight'",
    factor_of_nothing: r"1 factors are of no weight, such as 'blocks\.9",
    factor_of_another_size: r"a factor of \(5,\) does not go with \(24, 24\)",
    packed: r"whole numbers \(U8\)",
    two_scales: "NVFP4",
    nf4: "bitsandbytes",
    rotated: "convrot",
    unknown_tensor: r"1 of its tensors are not the model's, such as '.*mystery'",
    one_block_more: r"are not the model's, such as 'blocks\.7",
    one_tensor_less: r"lacks 1 tensors, such as 'blocks\.1\.ffn\.net\.2\.bias'",
}


@pytest.mark.parametrize("harm", TROUBLES, ids=lambda harm: harm.__name__)
def test_what_is_not_read_is_refused(
    plain: Tensors, weights_dir: Path, tmp_path: Path, harm: Callable[[Tensors], None]
) -> None:
    """A tensor too many, too few, or in another form: the error names it, and nothing is loaded."""
    file, _meant = scaled(plain)
    harm(file)
    save_file({name: tensor.clone() for name, tensor in file.items()}, tmp_path / "odd.safetensors")
    with pytest.raises(ConfigurationError, match=TROUBLES[harm]) as caught:
        find(tmp_path / "odd.safetensors", weights_dir)
    assert "odd.safetensors" in caught.value.message


def test_what_is_of_other_components_is_named(
    plain: Tensors, weights_dir: Path, tmp_path: Path
) -> None:
    """Of a file with everything the transformer is used, and the record counts the rest."""
    file = {f"model.diffusion_model.{name}": tensor for name, tensor in plain.items()}
    file |= {"vae.decoder.x": torch.ones(1), "text_encoders.t5.y": torch.ones(1)}
    save_file(file, tmp_path / "all.safetensors")
    found = find(tmp_path / "all.safetensors", weights_dir)
    facts = {"weights": found.facts()}
    assert found.given["transformer"].known.unused == {"VAE": 1, "text encoder": 1}
    (said,) = describe_partial_use(facts, {})
    assert said == "all.safetensors: tensors that are not used: 1 of the VAE, 1 of the text encoder"


def test_what_the_model_computes_is_not_missed(
    plain: Tensors, weights_dir: Path, tmp_path: Path
) -> None:
    """Authors' files have the frequencies of positions, which are no weights."""
    save_file(plain | {"freqs": torch.ones(4)}, tmp_path / "mine.safetensors")
    found = find(tmp_path / "mine.safetensors", weights_dir)
    assert found.given["transformer"].known.unused == {}


def test_a_file_that_was_cut_short(plain: Tensors, weights_dir: Path, tmp_path: Path) -> None:
    """A download that stopped is told by its length, without reading what is there."""
    path = tmp_path / "cut.safetensors"
    save_file(plain, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ConfigurationError, match=r"cut short: 10 bytes"):
        find(path, weights_dir)


def test_nothing_large_is_fetched_for_a_file_that_does_not_fit(
    hub_server: Hub, weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header is compared with the configuration; no weights are asked for."""
    from dataclasses import replace

    hub_server.publish("some/model", weights_dir / T2V.name)
    card = replace(T2V, repository="some/model", revision=None)
    path = tmp_path / "foreign.safetensors"
    save_file({"blocks.0.self_attn.q.weight": torch.zeros(3, 3)}, path)
    options = LocalOptions(model_path=path)
    with pytest.raises(ConfigurationError, match="another shape"):
        find_with_files(card, options, "WanPipeline")
    assert hub_server.downloaded_files("some/model") == {
        "model_index.json",
        "transformer/config.json",
    }
