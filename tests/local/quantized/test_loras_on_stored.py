"""LoRAs on weights that stay as they are stored: each kind acts, and leaves without a trace."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanPipeline, WanVACETransformer3DModel
from safetensors.torch import save_file
from tests.local.quantized.weight_files import (
    DOODLE,
    Write,
    transformer,
    write_fp8,
    write_gguf,
    write_int8,
)

from tiomagic_domain.catalogue.lora import Lora
from tiomagic_local.component_files.single_file import load_file
from tiomagic_local.quantized.layers import StoredLinear
from tiomagic_local.runtime.call_loras import CallLoras
from tiomagic_local.runtime.lora_adapters import LoraAdapters
from tiomagic_local.weights.lora_files import FoundLora, check_header

QUERY, WIDE, NORM = "blocks.0.attn1.to_q", "blocks.1.ffn.net.0.proj", "blocks.0.norm2"
FORMS: dict[str, tuple[str, Write]] = {
    "GGUF": ("q8.gguf", partial(write_gguf, kind="Q8_0")),
    "fp8": ("fp8.safetensors", partial(write_fp8, scaled=True)),
    "int8": ("int8.safetensors", write_int8),
}


@pytest.fixture(scope="module", params=FORMS)
def pipeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A pipeline whose transformer keeps its weights as a file stores them."""
    name, write = FORMS[request.param]
    path = tmp_path_factory.mktemp("file") / name
    write(path, transformer())
    part = load_file(path, WanVACETransformer3DModel, DOODLE / "transformer", torch.float32)
    nothing = dict.fromkeys(("tokenizer", "text_encoder", "vae", "scheduler"))
    return WanPipeline(transformer=part, **nothing)


def effect(layer: Any, columns: int) -> torch.Tensor:
    """Return the matrix that a layer multiplies with."""
    with torch.no_grad():
        made: torch.Tensor = (layer(torch.eye(columns)) - layer(torch.zeros(1, columns))).T
    return made


def drawn(*shape: int) -> torch.Tensor:
    """Return small random numbers."""
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


LOW_RANK = {
    f"{QUERY}.lora_A.weight": drawn(4, 256),
    f"{QUERY}.lora_B.weight": drawn(256, 4),
    f"{WIDE}.lora_A.weight": drawn(4, 256),
    f"{WIDE}.lora_B.weight": drawn(640, 4),
}
DIFFERENCES = {f"{QUERY}.diff": drawn(256, 256), f"{NORM}.diff": drawn(256)}
KRONECKER = {f"{QUERY}.lokr_w1": drawn(16, 16), f"{QUERY}.lokr_w2": drawn(16, 16)}
DECOMPOSED = {
    f"{QUERY}.lora_down.weight": drawn(4, 256),
    f"{QUERY}.lora_up.weight": drawn(256, 4),
    f"{QUERY}.dora_scale": drawn(256, 1).abs() + 1,
}
KINDS = {"LoRA": LOW_RANK, "difference": DIFFERENCES, "LoKr": KRONECKER, "DoRA": DECOMPOSED}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lora_acts_and_leaves_without_a_trace(pipeline: Any, tmp_path: Path, kind: str) -> None:
    """The layer multiplies with its weight and the change; afterwards with its weight alone."""
    part = pipeline.transformer
    layer = part.get_submodule(QUERY)
    assert isinstance(layer, StoredLinear)
    before = effect(layer, 256)
    state = {name: tensor.clone() for name, tensor in part.state_dict().items()}
    path = tmp_path / "style.safetensors"
    save_file(KINDS[kind], path)
    check_header(path)
    lora = Lora(source=str(path), scale=0.5)
    adapters = LoraAdapters(pipeline)
    with adapters.apply_loras(
        CallLoras(asked=[FoundLora(lora=lora, path=path, pinned=lora)])
    ) as worn:
        assert "left_out" not in worn.call[0]
        with_it = effect(part.get_submodule(QUERY), 256)
    wanted = {
        "LoRA": lambda: LOW_RANK[f"{QUERY}.lora_B.weight"] @ LOW_RANK[f"{QUERY}.lora_A.weight"],
        "difference": lambda: DIFFERENCES[f"{QUERY}.diff"],
        "LoKr": lambda: torch.kron(*KRONECKER.values()),
    }
    if kind in wanted:
        assert torch.allclose(with_it - before, 0.5 * wanted[kind](), atol=1e-4)
    assert not torch.allclose(with_it, before, atol=1e-3)
    assert torch.equal(effect(part.get_submodule(QUERY), 256), before)
    after = part.state_dict()
    assert after.keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in after.items())
