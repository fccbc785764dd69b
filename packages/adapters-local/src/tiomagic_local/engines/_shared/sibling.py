"""Another pipeline over the same components, for repositories whose weights serve two of them."""

from __future__ import annotations

import inspect
from typing import Any

import diffusers


def sibling(pipeline: Any, name: str) -> Any:
    """Return a pipeline of another class that shares the components and the configuration of one.

    Nothing is copied or converted, as ``from_pipe`` of diffusers would. Where the weights wait off
    the device, the hooks that fetch them sit on the components; only the pipeline that set them
    can put them back, so its ``maybe_free_model_hooks`` is to be called after each call here.

    Args:
        pipeline: Loaded and placed.
        name: The class of the sibling in diffusers.
    """
    kind = getattr(diffusers, name)
    known = {**pipeline.config, **pipeline.components}
    wanted = inspect.signature(kind.__init__).parameters
    other = kind(**{part: known[part] for part in wanted if part in known})
    other.set_progress_bar_config(disable=True)
    return other
