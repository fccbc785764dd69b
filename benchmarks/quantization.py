"""What each format of weights loses, by kind of layer: PSNR and SSIM to the exact videos.

The shipped model makes the same videos with full weights and with the weights of one kind of layer
rounded to each format, as ``quantization=`` and files of that type have them::

    uv run python benchmarks/quantization.py

Writes ``benchmarks/results/quantization.json``. What ``quality`` may take comes from it: ``high``
takes the formats whose videos all keep 40 dB with everything rounded, ``small`` those that keep 30.
The second table is of single layers in the true shapes of Wan 2.1 1.3B, with random weights: how
far the output of a layer is from the exact one, in dB. A tiny model is no large one.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
from collections.abc import Iterator
from typing import Any

import gguf
import numpy as np
import report
import torch

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature, TextToVideoInputs
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.schema.parameter import UNSET
from tiomagic_local.options import LocalOptions
from tiomagic_local.quantized.rounding import round_weight
from tiomagic_local.quantized.selection import choose_weights
from tiomagic_local.runtime.pipeline_cache import Runtime

MODEL, FEATURE = "doodle", Feature.TEXT_TO_VIDEO
PROMPTS = (
    "a red circle moves right on a white background",
    "a purple stick figure walks left on a white background",
)
MADE = ("int8", "fp8", "q5_1", "q4_1", "nf4")
"""Formats that are made when a model is loaded."""
FILES = ("Q8_0", "Q5_0", "Q4_0", "fp8 without factors")
"""Formats of files alone."""
KINDS = {"attention": ".attn", "feed-forward": ".ffn"}
"""Layers of the transformer, by a part of their names."""
SHAPES = {"attention": (1536, 1536), "ffn, up": (8960, 1536), "ffn, down": (1536, 8960)}
TOKENS = 64


class VideoMaker:
    """Makes videos with the shipped model, with some of its weights rounded."""

    def __init__(self, steps: int) -> None:
        self._card = find_model(MODEL, FEATURE)
        optional = self._card.schema(FEATURE).parameters
        settled = [parameter for parameter in optional if parameter.default is not UNSET]
        self._settings = {parameter.name: parameter.default for parameter in settled}
        self._settings |= {"num_inference_steps": steps, "seed": 7}
        # A prompt that was encoded before would hide what a text encoder loses.
        self._settings["acceleration"] = {"remember_prompts": False}
        self._runtime = Runtime(LocalOptions(device="cpu"))

    def make(self, format_: str, kind: str) -> list[np.ndarray]:
        """Return the frames of each prompt, uint8 (T, H, W, 3)."""
        token, clips = NeverCanceled(), []
        with self._runtime.use(self._card, self._settings, ignore_progress, token) as loaded:
            pipeline = loaded.engine._pipeline  # noqa: SLF001 - an engine has no other name for it.
            with rounded(pipeline, format_, kind):
                for prompt in PROMPTS:
                    inputs = TextToVideoInputs(prompt=prompt)
                    clip = loaded.engine.text_to_video(
                        inputs, self._settings, ignore_progress, token
                    )
                    clips.append(np.asarray(clip.frames))
        return clips


@contextlib.contextmanager
def rounded(pipeline: Any, format_: str, kind: str) -> Iterator[None]:
    """Have the weights of a kind of layer as a format keeps them, for the time of the block."""
    chosen = [
        (part.get_submodule(name.removesuffix(".weight")), name)
        for component, part in (
            ("transformer", pipeline.transformer),
            ("text encoder", pipeline.text_encoder),
        )
        if kind in {"everything", component} or (kind in KINDS and component == "transformer")
        for name in choose_weights(part, "int8")
        if kind not in KINDS or KINDS[kind] in name
    ]
    before = [(layer, layer.weight.data.clone()) for layer, _name in chosen]
    try:
        for layer, _name in chosen:
            layer.weight.data = in_format(layer.weight.data, format_)
        yield
    finally:
        for layer, weight in before:
            layer.weight.data = weight


def in_format(weight: torch.Tensor, format_: str) -> torch.Tensor:
    """Return a weight as a format keeps it, in fp32."""
    if format_ == "exact":
        return weight
    if format_ == "fp8 without factors":
        return weight.to(torch.float8_e4m3fn).float()
    if format_ in MADE:
        return round_weight(weight, format_).full().to(weight.dtype)
    type_ = gguf.GGMLQuantizationType[format_]
    packed = gguf.quants.quantize(weight.float().contiguous().numpy(), type_)
    return torch.from_numpy(gguf.quants.dequantize(packed, type_)).reshape(weight.shape)


def psnr(frames: np.ndarray, exact: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal frames."""
    error = float(((frames.astype(float) - exact) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(frames: np.ndarray, exact: np.ndarray) -> float:
    """Return the structural similarity of grey frames, in windows of 7x7."""
    a, b = (
        torch.tensor(clip, dtype=torch.float64).mean(dim=3)[:, None] for clip in (frames, exact)
    )
    mean = torch.nn.AvgPool2d(7, stride=1)
    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return float(value.mean())


def compare(clips: list[np.ndarray], exact: list[np.ndarray]) -> dict[str, Any]:
    """Return the likeness of all videos."""
    distances = [psnr(*pair) for pair in zip(clips, exact, strict=True)]
    likeness = [ssim(*pair) for pair in zip(clips, exact, strict=True)]
    return {
        "psnr_db_median": round(statistics.median(distances), 1),
        "psnr_db_least": round(min(distances), 1),
        "ssim_median": round(statistics.median(likeness), 4),
    }


def measure_layers() -> list[dict[str, Any]]:
    """Return how far the output of single layers of true shapes is from the exact one, in dB."""
    rows, draw = [], torch.Generator().manual_seed(0)
    for kind, (height, width) in SHAPES.items():
        weight = torch.randn(height, width, generator=draw) / math.sqrt(width)
        given = torch.randn(TOKENS, width, generator=draw)
        exact = given @ weight.T
        for format_ in (*MADE, *FILES):
            error = given @ in_format(weight, format_).T - exact
            decibels = 20 * math.log10(float(exact.norm() / error.norm()))
            rows.append({"layer": kind, "format": format_, "snr_db": round(decibels, 1)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    given = parser.parse_args()
    maker = VideoMaker(given.steps)
    with torch.no_grad():
        exact = maker.make("exact", "everything")
        rows = []
        for kind in ("attention", "feed-forward", "text encoder", "everything"):
            for format_ in (*MADE, *FILES) if kind == "everything" else MADE:
                found = compare(maker.make(format_, kind), exact)
                rows.append({"format": format_, "layers": kind, **found})
                print(rows[-1], flush=True)
        layers = measure_layers()
    result = {"what": __doc__, "model": MODEL, "steps": given.steps, "prompts": PROMPTS}
    print(report.write("quantization", {**result, "rows": rows, "layers": layers}))


if __name__ == "__main__":
    main()
