"""Files of quantized weights, as people have them: through `tm`, and what they lose."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.local.hub_server import Hub, hub_server
from tests.local.quantized.weight_files import (
    DOODLE,
    Studio,
    Write,
    frames_of,
    is_matrix,
    psnr,
    transformer,
    write_fp8,
    write_gguf,
    write_int8,
)
from tests.local.test_single_files import find_with_files

from tiomagic import errors
from tiomagic_domain.catalogue import find_model
from tiomagic_local.checkpoint.gguf_files import PACKED
from tiomagic_local.options import LocalOptions
from tiomagic_local.quantized.tensors import read_stored

__all__ = ["hub_server"]

FORMS: dict[str, tuple[str, Write, float, str]] = {
    "GGUF Q8_0": ("q8.gguf", partial(write_gguf, kind="Q8_0"), 35, "Q8_0"),
    "GGUF Q5_1": ("q5.gguf", partial(write_gguf, kind="Q5_1"), 22, "Q5_1"),
    "GGUF Q4_0": ("q4.gguf", partial(write_gguf, kind="Q4_0"), 18, "Q4_0"),
    "fp8": ("fp8_e4m3fn.safetensors", partial(write_fp8, scaled=False), 20, "F8_E4M3"),
    "fp8 scaled": ("fp8_scaled.safetensors", partial(write_fp8, scaled=True), 20, "F8_E4M3"),
    "int8": ("int8.safetensors", write_int8, 35, "I8"),
}
"""A file's name, what writes it, the least likeness to the exact video in dB, and its type."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def exact(studio: Studio) -> Any:
    """The frames with the model's own weights."""
    return studio.make()[1]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_makes_nearly_the_same_video(
    studio: Studio, exact: Any, tmp_path: Path, form: str
) -> None:
    """Its loss is what was measured, the record names its types, and a rerun is the same video."""
    name, write, least, type_ = FORMS[form]
    write(tmp_path / name, transformer())
    job, frames = studio.make(model_path=tmp_path / name)
    likeness = psnr(frames, exact)
    print(form, likeness)
    assert least <= likeness < float("inf")
    recipe = json.loads(Path(job.result_video).with_suffix(".json").read_text())
    recorded = recipe["facts"]["weights"]["transformer"]
    assert recorded["file"] == name
    assert recorded["stored_as"][type_] == sum(is_matrix(n, t) for n, t in transformer().items())
    tm = studio.open(model_path=tmp_path / name)
    try:
        again = tm.rerun(job.result_video)
    finally:
        tm.close()
    assert (frames_of(again) == frames).all()


@pytest.mark.parametrize("form", ["GGUF Q4_0", "fp8 scaled", "int8"])
def test_the_numbers_are_those_of_the_file(studio: Studio, tmp_path: Path, form: str) -> None:
    """Bit for bit the video of a file that has the same values in full."""
    name, write, _least, _type = FORMS[form]
    meant = write(tmp_path / name, transformer())
    save_file({n: t.contiguous() for n, t in meant.items()}, tmp_path / "full.safetensors")
    frames = studio.make(model_path=tmp_path / name)[1]
    assert (frames == studio.make(model_path=tmp_path / "full.safetensors")[1]).all()


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_packed_blocks_are_read_as_the_format_says(kind: str) -> None:
    """The unpacking on the device gives the numbers of the format's own library."""
    values, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    draw = np.random.default_rng(0)
    blocks = draw.integers(0, 256, (6, 2 * size), dtype=np.uint8)
    # Scales are 16-bit floats anywhere in a block: no exponent of ones, so no infinity.
    blocks &= 0xBB
    wanted = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[kind])
    found = read_stored(torch.from_numpy(blocks), kind, None)
    assert found.shape == (6, 2 * values)
    assert np.allclose(found.numpy(), wanted, rtol=1e-6, atol=0)


def q8(path: Path, **options: Any) -> None:
    """Write doodle's transformer as GGUF."""
    write_gguf(path, transformer(), "Q8_0", **options)


def cut_in_the_data(path: Path) -> None:
    q8(path)
    path.write_bytes(path.read_bytes()[:-1000])


def cut_in_the_header(path: Path) -> None:
    q8(path)
    path.write_bytes(path.read_bytes()[:700])


def another_file(path: Path) -> None:
    path.write_bytes(b"<html>404</html>")


def another_model(path: Path) -> None:
    tensors = {"double_blocks.0.img_attn.qkv.weight": torch.ones(96, 32)}
    write_gguf(path, tensors, "Q8_0", architecture="flux")


def another_size(path: Path) -> None:
    wide = {n: t.repeat(2, 1) if is_matrix(n, t) else t for n, t in transformer().items()}
    write_gguf(path, wide, "Q8_0")


def one_less(path: Path) -> None:
    tensors = transformer()
    del tensors["blocks.1.ffn.2.weight"]
    write_gguf(path, tensors, "Q8_0")


def another_type(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "wan")
    packed = np.zeros((4, 54), dtype=np.uint8)
    writer.add_tensor("x.weight", packed, raw_dtype=gguf.GGMLQuantizationType.TQ1_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


TROUBLES: dict[Callable[[Path], None], str] = {
    cut_in_the_data: "cut short",
    cut_in_the_header: "cut short",
    another_file: "not a GGUF file",
    another_model: r"lacks .* tensors.*the file says that it is for 'flux'",
    another_size: "another shape",
    one_less: r"lacks 1 tensors, such as 'blocks\.1\.ffn\.net\.2\.weight'",
    another_type: "1 of its tensors are stored as TQ1_0",
}


@pytest.mark.parametrize("harm", TROUBLES, ids=lambda harm: harm.__name__)
def test_what_does_not_fit_is_refused_before_a_byte_of_the_rest(
    hub_server: Hub, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """The header is compared with the configuration, and the error says what the file is."""
    hub_server.publish("some/model", DOODLE)
    card = replace(find_model("doodle"), repository="some/model", revision=None)
    path = tmp_path / "odd.gguf"
    harm(path)
    options = LocalOptions(model_path=path)
    with pytest.raises(errors.ConfigurationError, match=TROUBLES[harm]) as caught:
        find_with_files(card, options, "WanVACEPipeline")
    assert "odd.gguf" in caught.value.message
    assert hub_server.downloaded_files("some/model") <= {
        "model_index.json",
        "transformer/config.json",
    }


def test_without_the_library_the_error_has_the_command(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GGUF file needs one package, and the error names the extra that has it."""
    q8(tmp_path / "q8.gguf")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "gguf" else find(name, *rest),
    )
    with pytest.raises(errors.MissingDependencyError, match=r"facade\[quantized\]"):
        studio.make(model_path=tmp_path / "q8.gguf")
