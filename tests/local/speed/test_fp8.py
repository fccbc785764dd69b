"""Products in eight bits: really so, bounded, repeatable, and gone after the run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig
from tests.local.speed.desk import StopsAt
from torch._dynamo.testing import CompileCounter
from torch.utils._python_dispatch import TorchDispatchMode

from tiomagic_domain.errors import GenerationCanceledError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_local.acceleration import fp8
from tiomagic_local.acceleration.compilation import compile_blocks
from tiomagic_local.acceleration.fp8 import Fp8Linear, enable_fp8

CPU = torch.device("cpu")
WANTED = {"fp8": True, "batch_guidance": "off"}
EXACT = {"batch_guidance": "off"}
FAMILIES = [
    ("doodle", Feature.TEXT_TO_VIDEO),
    ("doodle", Feature.POSE_GUIDANCE),
    ("cogvideox-2b", Feature.TEXT_TO_VIDEO),
    ("ltx-video", Feature.TEXT_TO_VIDEO),
]


@pytest.mark.parametrize(("model", "feature"), FAMILIES)
def test_a_run_is_close_and_leaves_nothing(desk, shipped, model, feature):
    """Products are in eight bits, the frames nearly the exact ones, and the next run is exact."""
    desk = shipped if model == "doodle" else desk
    exact = desk.make(model, feature, acceleration=EXACT)
    with Products() as products:
        few = desk.make(model, feature, acceleration=WANTED)
    layers = desk.facts["fp8_layers"]
    assert layers > 0
    assert products.count >= layers
    assert not np.array_equal(few, exact)
    assert np.abs(few.astype(int) - exact).mean() < 8
    assert np.array_equal(desk.make(model, feature, acceleration=WANTED), few)
    with Products() as products:
        assert np.array_equal(desk.make(model, feature, acceleration=EXACT), exact)
    assert products.count == 0
    assert not any(isinstance(part, Fp8Linear) for part in desk.pipeline.transformer.modules())


def test_a_stopped_run_leaves_nothing(shipped):
    """Every layer is what it was."""
    exact = shipped.make("doodle", acceleration=EXACT)
    stop = StopsAt(1)
    with pytest.raises(GenerationCanceledError):
        shipped.make("doodle", acceleration=WANTED, progress=stop, cancel=stop)
    assert not any(isinstance(part, Fp8Linear) for part in shipped.pipeline.transformer.modules())
    assert np.array_equal(shipped.make("doodle", acceleration=EXACT), exact)


def test_a_layer_is_off_by_its_rounding():
    """Eight bits have four of mantissa: some percent of a product of random numbers."""
    torch.manual_seed(0)
    layer, given = torch.nn.Linear(256, 128), torch.randn(3, 50, 256)
    with torch.no_grad():
        exact = layer(given)
        layer.__class__ = Fp8Linear
        few = layer(given)
    assert few.shape == exact.shape
    assert few.dtype == exact.dtype
    assert 0.005 < float((few - exact).norm() / exact.norm()) < 0.06


def test_a_row_of_zeros_stays_one():
    """Its scale is not zero."""
    layer = torch.nn.Linear(16, 16, bias=False)
    layer.__class__ = Fp8Linear
    with torch.no_grad():
        assert torch.equal(layer(torch.zeros(2, 16)), torch.zeros(2, 16))


def test_layers_of_the_words_stay_exact():
    """Those of attention to the text, and whatever has no shape for it."""
    pipeline = Deep(transformer())
    with enable_fp8(pipeline, CPU) as count:
        names = {
            name
            for name, part in pipeline.components["transformer"].named_modules()
            if isinstance(part, Fp8Linear)
        }
    assert count == len(names)
    assert "blocks.0.attn1.to_q" in names
    assert "blocks.1.ffn.net.2" in names
    assert not [name for name in names if "attn2.to_k" in name or "attn2.to_v" in name]
    assert all(name.startswith("blocks.") for name in names)


def test_the_layers_of_a_lora_stay_exact():
    """The one that it is put on multiplies in eight bits; what it adds is narrow, and does not."""
    model = transformer()
    model.add_adapter(LoraConfig(r=16, target_modules=["to_q"]))
    with enable_fp8(Deep(model), CPU):
        few = {name for name, part in model.named_modules() if isinstance(part, Fp8Linear)}
    assert "blocks.0.attn1.to_q.base_layer" in few
    assert not [name for name in few if "lora" in name]


def test_it_is_compiled_into_the_blocks():
    """As one graph with them, and another one than without it."""
    torch._dynamo.reset()
    counter, model = CompileCounter(), transformer()
    given = {
        "hidden_states": torch.ones(1, 4, 2, 4, 4),
        "timestep": torch.ones(1),
        "encoder_hidden_states": torch.ones(1, 4, 16),
    }
    with torch.no_grad(), compile_blocks(Deep(model), backend=counter):
        exact = model(**given)[0]
        with enable_fp8(Deep(model), CPU):
            few = model(**given)[0]
        assert torch.equal(model(**given)[0], exact)
    assert counter.frame_count == 2
    assert not torch.equal(few, exact)


def test_where_it_does_not_work_the_error_says_why(shipped, monkeypatch):
    """Before a step is made."""
    shipped.make("doodle")
    shipped.pipeline.transformer.blocks[0].ffn.net[2].forward = print
    try:
        with pytest.raises(ValidationError, match=r"acceleration: fp8 .*group_offload"):
            shipped.make("doodle", acceleration=WANTED)
    finally:
        del shipped.pipeline.transformer.blocks[0].ffn.net[2].forward
    # A build without it; none can be had beside the one that is installed.
    monkeypatch.setattr(fp8, "scaled_mm", _refuses)
    with pytest.raises(ValidationError, match="RuntimeError: no such product"):
        shipped.make("doodle", acceleration=WANTED)
    monkeypatch.setattr(
        fp8, "scaled_mm", lambda few, weight, *_rest, **_named: few.float() @ weight.float()
    )
    with pytest.raises(ValidationError, match="its result differs by"):
        shipped.make("doodle", acceleration=WANTED)


def _refuses(*_given: object, **_named: object) -> torch.Tensor:
    raise RuntimeError("no such product")


class Products(TorchDispatchMode):
    """Counts the products in eight bits."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Look at one operation and run it."""
        self.count += "scaled_mm" in str(func)
        return func(*args, **(kwargs or {}))


class Deep:
    """A pipeline of one transformer."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.components = {"transformer": model}


def transformer() -> WanTransformer3DModel:
    """Return a small one whose layers have the shape for it."""
    torch.manual_seed(0)
    small = {"num_attention_heads": 2, "attention_head_dim": 16, "ffn_dim": 64, "num_layers": 2}
    widths = {"text_dim": 16, "freq_dim": 16, "in_channels": 4, "out_channels": 4}
    return WanTransformer3DModel(**small, **widths).eval()
