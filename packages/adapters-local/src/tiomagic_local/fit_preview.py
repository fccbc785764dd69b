"""Finds the colours of a model's latents, for previews: ``python -m tiomagic_local.fit_preview``.

It needs the model's VAE alone, which has to be on this machine. Models that share a VAE share its
colours.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.checkpoint.pipeline_index import read_index
from tiomagic_local.engines import find_engine
from tiomagic_local.measuring_tool import build_parser, read_options, show_count
from tiomagic_local.options import LocalOptions
from tiomagic_local.preview.colours import LatentColours, fitted_file
from tiomagic_local.preview.fitting import CLIPS, fit_colours
from tiomagic_local.torch_env.devices import choose_device
from tiomagic_local.torch_env.quiet import silence_libraries
from tiomagic_local.weights.inventory import take_inventory
from tiomagic_local.weights.locate import Weights, find_weights

SIZE: Final = 256
"""Side of the clips in pixels: 8 latent pixels or more with every VAE. ``doodle`` has its own."""
FRAMES: Final = 17
"""Length of the clips: a whole number of latent frames with every VAE."""


def main(arguments: list[str] | None = None) -> int:
    """Fit the colours of a model, write them, and say where; return the exit status."""
    given = _parse(arguments)
    options = read_options(given)
    try:
        colours, path = fit_model(given.model, options, clips=given.clips, output=given.output)
    except TioMagicError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(f"{path}: {colours.facts['psnr_db']} dB on clips that were not fitted to\n")
    return 0


def fit_model(
    model: str, options: LocalOptions, *, clips: int = CLIPS, output: Path | None = None
) -> tuple[LatentColours, Path]:
    """Fit the colours of a model's latents and write them.

    Args:
        model: Its name.
        options: With the source of its weights, and the device.
        clips: How many clips are fitted to.
        output: The file; None for the one where previews look for it.

    Returns:
        The colours, and their file.

    Raises:
        UnknownModelError: when there is no such model.
        ConfigurationError: when its weights are not on this machine, or have no such VAE.
    """
    card = find_model(model)
    vae = load_vae(card, options)
    size = min(SIZE, int(card.pixels**0.5))
    colours = fit_colours(
        vae, size=size, frames=FRAMES, clips=clips, tell=partial(show_count, "clip")
    )
    path = output or fitted_file(vae)
    colours.save(path)
    return colours, path


def load_vae(card: ModelCard, options: LocalOptions) -> Any:
    """Return the VAE of a model, in fp32, on the device.

    Raises:
        ConfigurationError: when it is not on this machine.
    """
    import diffusers

    is_given = options.model_path is not None
    if not (is_given or take_inventory(card, options).is_complete):
        raise ConfigurationError(
            f"the weights of {card.name!r} are not all on this machine: run tiomagic download "
            f"{card.name} first",
            details={"model": card.name},
        )
    kind = find_engine(card.engine)
    found = find_weights(card, options, pipeline=kind.pipeline, progress=ignore_progress)
    folder, index = _vae_folder(found), read_index(found.folder)
    named = index.get("vae")
    name = named[1] if isinstance(named, list) and len(named) > 1 else ""
    with silence_libraries():
        vae = getattr(diffusers, str(name)).from_pretrained(folder, torch_dtype=torch.float32)
    return vae.to(choose_device(options.device)).eval()


def _vae_folder(found: Weights) -> Path:
    own = next((one.folder for one in found.parts if one.part.name == "vae"), found.folder)
    return own / "vae" if (own / "vae").is_dir() else own


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = build_parser("fit_preview", __doc__)
    parser.add_argument("--clips", type=int, default=CLIPS, help="clips to fit to")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
