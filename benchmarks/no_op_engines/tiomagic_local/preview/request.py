"""No previews."""

from contextlib import nullcontext as preview_with

__all__ = ["preview_with"]
