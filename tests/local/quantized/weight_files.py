"""Writes real files of quantized weights, and makes videos of ``doodle`` with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tests.local.test_single_files import authors

import tiomagic_local.weights.locate as places
from tiomagic import TioMagic
from tiomagic_media.pictures.film import read_film

DOODLE = places.PACKAGED_WEIGHTS_DIR / "doodle"
Tensors = dict[str, torch.Tensor]
CALL: dict[str, Any] = {
    "prompt": "a red circle moves right",
    "num_inference_steps": 2,
    "guidance_scale": 1.0,
    "seed": 3,
}
"""The shortest call that still shows what weights do."""

LAYER = re.compile(r"blocks\.\d+\..*(attn\d?|ffn).*\.weight$")
"""Matrices of the blocks, in the names of diffusers and of the authors."""


def transformer() -> Tensors:
    """Return the weights of doodle's transformer in 16 bits, by the names of its authors."""
    tensors = load_file(DOODLE / "transformer" / "diffusion_pytorch_model.safetensors")
    return {vace(authors(name)): tensor.bfloat16() for name, tensor in tensors.items()}


def vace(name: str) -> str:
    """Return the authors' name of a tensor that only VACE has."""
    if not name.startswith("vace_blocks."):
        return name
    return name.replace("proj_in", "before_proj").replace("proj_out", "after_proj")


def is_matrix(name: str, tensor: torch.Tensor) -> bool:
    """Say whether a tensor is one that quantized files store in fewer bits."""
    return tensor.ndim == 2 and LAYER.search(name) is not None


def write_gguf(path: Path, tensors: Tensors, kind: str, *, architecture: str = "wan") -> Tensors:
    """Write a GGUF file, and return the values that it means, in fp32."""
    type_ = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, architecture)
    meant: Tensors = {}
    for name, tensor in tensors.items():
        values = tensor.float().contiguous().numpy()
        of = type_ if is_matrix(name, tensor) else gguf.GGMLQuantizationType.F32
        packed = gguf.quants.quantize(values, of)
        writer.add_tensor(name, packed, raw_dtype=of)
        meant[name] = torch.from_numpy(gguf.quants.dequantize(packed, of).reshape(values.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant


def write_fp8(path: Path, tensors: Tensors, *, scaled: bool) -> Tensors:
    """Write a file in 8 bits as ComfyUI has them, and return the values that it means."""
    file: Tensors = {"scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn)} if scaled else {}
    meant: Tensors = {}
    for name, tensor in tensors.items():
        if not is_matrix(name, tensor):
            file[name] = meant[name] = tensor
            continue
        factor = tensor.abs().max().float() / 448 if scaled else torch.tensor(1.0)
        stored = (tensor.float() / factor).to(torch.float8_e4m3fn)
        file[name], meant[name] = stored, stored.float() * factor
        if scaled:
            file[f"{name.removesuffix('weight')}scale_weight"] = factor.clone()
    save_file(file, path)
    return meant


def write_int8(path: Path, tensors: Tensors) -> Tensors:
    """Write a file in whole numbers with a factor for each row, and return what it means."""
    file: Tensors = {}
    meant: Tensors = {}
    for name, tensor in tensors.items():
        if not is_matrix(name, tensor):
            file[name] = meant[name] = tensor
            continue
        factor = tensor.float().abs().amax(dim=1, keepdim=True) / 127
        stored = (tensor.float() / factor).round().to(torch.int8)
        file[name], meant[name] = stored, stored.float() * factor
        file[f"{name.removesuffix('weight')}weight_scale"] = factor
    save_file(file, path)
    return meant


Write = Callable[[Path, Tensors], Tensors]


class Studio:
    """Makes videos through `tm`, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def open(self, **options: Any) -> TioMagic:
        """Return an interface with its own folder."""
        self._count += 1
        place = self._folder / str(self._count)
        place.mkdir()
        return TioMagic(working_dir=place, provider="local", device="cpu", **options)

    def make(self, call: dict[str, Any] | None = None, **options: Any) -> tuple[Any, Any]:
        """Return a finished job and its frames, uint8 (T, H, W, 3)."""
        tm = self.open(**options)
        try:
            job = tm.text_to_video("doodle", **(CALL if call is None else call))
        finally:
            tm.close()
        return job, frames_of(job)


def frames_of(job: Any) -> Any:
    """Return the frames of a job's video, uint8 (T, H, W, 3)."""
    return read_film(Path(job.result_video)).frames


def psnr(frames: Any, exact: Any) -> float:
    """Return the likeness of two clips in dB; infinite for equal ones."""
    error = float(((frames.astype(np.float64) - exact.astype(np.float64)) ** 2).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))
