"""Tiny pipelines of random weights, one for every model of the catalogue.

A module of this package has the models of one family: ``TINY``, a mapping of a card's name to the
function that saves its pipeline in a folder, as the hub would hold it. There is no list to edit:
:data:`TINY` here is all of them together, and a card that is in none of them fails the tests of
the catalogue, by name.

A builder takes the folder and draws its weights from a fixed seed. The classes are the pipeline's
own, tokenizer included; the sizes are the smallest that still have all of its parts, and less than
5 MB. Models of one pipeline class share one builder. Whatever is heavy is imported inside of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["TINY", "Builder", "save"]

Builder = Callable[[Path], object]
"""Saves a pipeline in a folder."""


def _discover() -> dict[str, Builder]:
    found: dict[str, Builder] = {}
    for module in pkgutil.iter_modules(__path__):
        # A module may also have nothing but parts that others share.
        family = getattr(importlib.import_module(f"{__name__}.{module.name}"), "TINY", {})
        twice = found.keys() & family.keys()
        assert not twice, f"{module.name} builds what another module builds: {twice}"
        found |= family
    return dict(sorted(found.items()))


TINY = _discover()
"""What saves a model's tiny pipeline, by the name on its card."""


def save(folder: Path, names: Iterable[str]) -> Path:
    """Save the tiny pipelines of some models, each in a folder of its name, and return ``folder``.

    The folder is one for ``TIOMAGIC_WEIGHTS_DIR`` then. What is there already stays, and models of
    one builder are built once.
    """
    import torch
    from tests.tiny.loras import save_controls, save_few_steps

    from tiomagic_local.torch_env.quiet import silence_libraries

    # More threads gain nothing on models this small, and test runs that share a machine would wait
    # for each other's threads.
    torch.set_num_threads(1)
    with silence_libraries():
        for name in names:
            first = next(other for other in TINY if TINY[other] is TINY[name])
            if not (folder / first).exists():
                TINY[first](folder / first)
            if not (folder / name).exists():
                (folder / name).symlink_to(folder / first, target_is_directory=True)
            save_few_steps(folder / name, name)
            save_controls(folder / name, name)
    return folder
