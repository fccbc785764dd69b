"""Silences the progress bars and logs of the model libraries within a block.

They print progress bars and advice on stderr by default. The switches are global to the process, so
they are changed only during our own calls, and restored.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from tiomagic_local.torch_env.imports import pause_garbage_collection

OLD_NAMES = ("`torch.nn.utils.weight_norm` is deprecated",)
"""Warnings of torch about functions that diffusers calls by an older name."""


@contextlib.contextmanager
def silence_libraries() -> Iterator[None]:
    """Silence diffusers, transformers and the hub's client while the block runs."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_silence_hub_progress_bars())
        with pause_garbage_collection():
            import diffusers.utils.logging as diffusers_log
            import transformers.utils.logging as transformers_log

        for library in (transformers_log, diffusers_log):
            stack.enter_context(_silenced(library))
        stack.enter_context(warnings.catch_warnings())
        for text in OLD_NAMES:
            warnings.filterwarnings("ignore", text, FutureWarning)
        yield


def prepare_notebook_bars() -> None:
    """Have tqdm choose its bars for a notebook now, without a word.

    In a kernel without ipywidgets it prints a red warning when a library first imports it. Our own
    bars need none, so nobody has to install them. Elsewhere nothing is imported.
    """
    if "IPython" not in sys.modules:
        return
    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.simplefilter("ignore")
        importlib.import_module("tqdm.auto")


@contextlib.contextmanager
def _silenced(library: Any) -> Iterator[None]:
    level, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(level)
        if bars:
            library.enable_progress_bar()


@contextlib.contextmanager
def _silence_hub_progress_bars() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
