"""Text encoders of each class from files: the same numbers as from a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.local.quantized.encoder_files import (
    GEMMA_NAMES,
    LLAMA_NAMES,
    T5_NAMES,
    Names,
    write_encoder_gguf,
)
from tests.tiny.hunyuan15 import qwen_text_config, qwen_tokenizer
from tests.tiny.kandinsky import reader
from tests.tiny.ltx2 import _text_encoder as gemma

from tiomagic_domain.errors import ConfigurationError
from tiomagic_local.component_files.single_file import check_file, load_file

SIGHT = re.compile(r"vision_tower|projector|visual")
WORDS = torch.tensor([[3, 5, 7, 9, 11]])


def t5() -> Any:
    """Return an encoder of LTX-Video's kind."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=32,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def llama() -> Any:
    """Return an encoder of FramePack's kind, with fewer heads for keys."""
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        vocab_size=32,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return LlamaModel(config)


def qwen() -> Any:
    """Return an encoder of HunyuanVideo 1.5's kind."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        Qwen2_5_VLTextConfig,
        Qwen2_5_VLTextModel,
    )

    return Qwen2_5_VLTextModel(Qwen2_5_VLTextConfig(**qwen_text_config(32)))


KINDS: dict[str, tuple[Callable[[], Any], Names, str]] = {
    "T5": (t5, T5_NAMES, "t5encoder"),
    "Llama": (llama, LLAMA_NAMES, "llama"),
    "Qwen": (qwen, LLAMA_NAMES, "qwen2vl"),
    "Qwen with eyes": (lambda: reader(qwen_tokenizer()), LLAMA_NAMES, "qwen2vl"),
    "Gemma": (lambda: gemma(300), GEMMA_NAMES, "gemma3"),
}
"""An encoder, its names in llama.cpp, and its name there."""


def draw(build: Callable[[], Any]) -> Any:
    """Return an encoder with weights that are all different, norms too."""
    torch.manual_seed(0)
    model = build().eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(torch.randn_like(tensor) * 0.2)
    return model


def read(model: Any) -> torch.Tensor:
    """Return what an encoder makes of some words."""
    with torch.no_grad():
        found: torch.Tensor = model(WORDS, output_hidden_states=True).hidden_states[-1]
    return found


def text_alone(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights that a file without the part for pictures has, each once."""
    tied = dict(getattr(model, "_tied_weights_keys", None) or {})
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name not in tied and not SIGHT.search(name)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_gguf_is_read_by_the_names_of_llama_cpp(tmp_path: Path, kind: str) -> None:
    """Every value, also those that the converter changes; in fp32, so nothing is rounded."""
    build, names, architecture = KINDS[kind]
    model = draw(build)
    model.config.save_pretrained(tmp_path)
    config = model.config.get_text_config()
    heads = (config.num_attention_heads, getattr(config, "num_key_value_heads", 1))
    tensors = text_alone(model)
    file = tmp_path / "encoder.gguf"
    write_encoder_gguf(file, tensors, "F32", names=names, architecture=architecture, heads=heads)
    check_file(file, type(model), tmp_path)
    loaded = load_file(file, type(model), tmp_path, torch.float32)
    assert torch.allclose(read(loaded), read(model), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "front", "theirs"),
    [
        ("T5", "", ""),
        ("Qwen", "", "model."),
        ("Gemma", "", ""),
        ("Gemma", "model.language_model.", "model."),
        ("Gemma", "model.language_model.", "language_model.model."),
    ],
)
def test_safetensors_have_older_and_newer_names(
    tmp_path: Path, kind: str, front: str, theirs: str
) -> None:
    """What ComfyUI keeps beside the weights is no trouble."""
    model = draw(KINDS[kind][0])
    model.config.save_pretrained(tmp_path)
    file = {
        f"{theirs}{name.removeprefix(front)}" if name.startswith(front) else name: tensor.clone()
        for name, tensor in text_alone(model).items()
    }
    file |= {"spiece_model": torch.arange(9, dtype=torch.uint8)}
    if kind == "T5":
        file |= {"decoder.block.0.layer.0.SelfAttention.q.weight": torch.ones(3, 3)}
    save_file(file, tmp_path / "encoder.safetensors")
    facts = check_file(tmp_path / "encoder.safetensors", type(model), tmp_path)
    assert sum(facts.unused.values()) == (1 if kind == "T5" else 0)
    loaded = load_file(tmp_path / "encoder.safetensors", type(model), tmp_path, torch.float32)
    assert torch.allclose(read(loaded), read(model), atol=1e-6)


def test_the_part_for_pictures_is_read_where_a_file_has_it(tmp_path: Path) -> None:
    """A file with half of it is refused; one without it has an encoder of words alone."""
    model = draw(KINDS["Gemma"][0])
    model.config.save_pretrained(tmp_path)
    file = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    del file["lm_head.weight"]
    save_file(file, tmp_path / "whole.safetensors")
    whole = load_file(tmp_path / "whole.safetensors", type(model), tmp_path, torch.float32)
    assert whole.model.vision_tower is not None
    del file[next(name for name in file if "vision_tower" in name)]
    save_file(file, tmp_path / "half.safetensors")
    with pytest.raises(ConfigurationError, match=r"lacks 1 tensors, such as .model\.vision_tower"):
        check_file(tmp_path / "half.safetensors", type(model), tmp_path)
    save_file(text_alone(model), tmp_path / "words.safetensors")
    words = load_file(tmp_path / "words.safetensors", type(model), tmp_path, torch.float32)
    assert words.model.vision_tower is None
