"""The source of the product, read and parsed once for all tests that look at it."""

from __future__ import annotations

import ast
import functools
import gc
from pathlib import Path

PACKAGES = Path(__file__).parents[1] / "packages"


@functools.cache
def find_sources() -> dict[Path, ast.Module]:
    """Return every module of the product, in order of its path."""
    # Hundreds of thousands of nodes that all stay: looking for garbage among them doubles the time.
    gc.disable()
    try:
        return {path: ast.parse(text, str(path)) for path, text in read_sources().items()}
    finally:
        gc.freeze()
        gc.enable()


@functools.cache
def read_sources() -> dict[Path, str]:
    """Return the text of every module of the product, in order of its path."""
    return {path: path.read_text("utf-8") for path in sorted(PACKAGES.glob("*/src/**/*.py"))}


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return what a module of the product consists of, as ``ast.walk`` gives it."""
    return tuple(ast.walk(find_sources()[path]))
