"""The arguments of the commands that measure a model once: ``fit_preview``, ``calibrate``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tiomagic_local.options import LocalOptions


def build_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the arguments that each of them takes.

    Args:
        name: Of the module in this package.
        description: Its docstring, of which the first line is shown.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m tiomagic_local.{name}", description=(description or "").partition("\n")[0]
    )
    parser.add_argument("model", help="name of the model")
    parser.add_argument("--model-path", type=Path, help="folder of its weights")
    folder = os.environ.get("TIOMAGIC_WEIGHTS_DIR")
    parser.add_argument(
        "--weights-dir",
        type=Path,
        default=Path(folder) if folder else None,
        help="folder with one folder a model; TIOMAGIC_WEIGHTS_DIR",
    )
    parser.add_argument("--device", help="such as cuda or cpu; by default the best that is there")
    parser.add_argument("--output", type=Path, help="file to write; by default where runs look")
    return parser


def read_options(given: argparse.Namespace) -> LocalOptions:
    """Return where the weights are, and the device."""
    return LocalOptions(
        model_path=given.model_path,
        weights_dir=given.weights_dir,
        hf_token=os.environ.get("HF_TOKEN"),
        device=given.device,
    )


def show_count(what: str, done: int, total: int) -> None:
    """Write on a terminal how many are done."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{what} {done} of {total}" + ("\n" if done == total else ""))
