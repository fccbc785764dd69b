"""Where bf16 is worth its rounding."""

from functools import cache
from pathlib import Path

IN_HARDWARE = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of CPUs that multiply bf16; others imitate it: eight clips took seven minutes to encode."""


@cache
def bf16_pays(device: str) -> bool:
    """Say whether a device multiplies bf16 in hardware: a card does, and some CPUs."""
    if device != "cpu":
        return True
    info = Path("/proc/cpuinfo")
    words = info.read_text().split() if info.exists() else []
    return any(flag in words for flag in IN_HARDWARE)
