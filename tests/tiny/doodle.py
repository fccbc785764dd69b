"""Doodle is small, not tiny: a smaller one of its kind takes its place where a test is long.

Its own weights, which come with the package, have tests of their own.
"""

from __future__ import annotations

from tests.tiny.wan import build_vace

TINY = {"doodle": build_vace}
