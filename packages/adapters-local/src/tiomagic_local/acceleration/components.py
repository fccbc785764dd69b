"""The components that acceleration applies to, and the error for an unsupported option."""

from __future__ import annotations

from typing import Any

import torch

from tiomagic_domain.errors import Problem, ValidationError


def transformers(pipeline: Any) -> dict[str, torch.nn.Module]:
    """Return the transformers of a pipeline by their names: one, or one for each expert."""
    return {
        name: part
        for name, part in pipeline.components.items()
        if name.startswith("transformer") and isinstance(part, torch.nn.Module)
    }


def acceleration_error(message: str, *, given: object) -> ValidationError:
    """Return the error for a requested field of ``acceleration`` that does not work here.

    Args:
        message: Names the field, says why, and what works.
        given: Its value.
    """
    problem = Problem(field="acceleration", message=message, given=repr(given))
    return ValidationError.of([problem], subject="the acceleration")
