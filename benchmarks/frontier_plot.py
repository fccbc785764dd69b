"""Draws the frontier of the step caches as an SVG: calls left out against the PSNR to exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT, GAP = 380, 300, 70
LEFT, TOP, BOTTOM = 60, 40, 90
COLOURS = {
    "taylor": "#c0392b",
    "sea": "#2471a3",
    "mag": "#1e8449",
    "first_block": "#7d3c98",
    "cache-dit, taylor": "#b9770e",
    "cache-dit": "#707b7c",
}
LABELS = {"cache-dit, taylor": "cache-dit with TaylorSeer", "first_block": "first block"}
DECIBELS = (20, 50)
SHARES = (0.2, 0.9)


def draw_frontier(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the plot: one panel for each number of steps.

    Args:
        rows: With ``variant``, ``steps``, ``left_out`` (0 to 1) and ``psnr_db_median``.
    """
    panels = sorted({one["steps"] for one in rows})
    width = LEFT + len(panels) * (WIDTH + GAP)
    height = TOP + HEIGHT + BOTTOM
    size = f'viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        "<title>Calls left out against PSNR to exact, by step cache</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for index, steps in enumerate(panels):
        found = [one for one in rows if one["steps"] == steps]
        lines.append(f'<g transform="translate({LEFT + index * (WIDTH + GAP)},{TOP})">')
        lines += [*_axes(steps), *_curves(found), "</g>"]
    lines += [
        *_legend([one for one in COLOURS if any(r["variant"] == one for r in rows)]),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _x(share: float) -> float:
    return round(WIDTH * (share - SHARES[0]) / (SHARES[1] - SHARES[0]), 1)


def _y(decibels: float) -> float:
    low, high = DECIBELS
    return round(HEIGHT * (high - min(max(decibels, low), high)) / (high - low), 1)


def _axes(steps: int) -> Iterator[str]:
    yield f'<text x="{WIDTH / 2}" y="-14" text-anchor="middle" font-size="15">{steps} steps</text>'
    for decibels in range(DECIBELS[0], DECIBELS[1] + 1, 5):
        y, dark = _y(decibels), decibels == 30
        style = 'stroke="#555" stroke-dasharray="5 4"' if dark else 'stroke="#ddd"'
        yield f'<line x1="0" x2="{WIDTH}" y1="{y}" y2="{y}" {style}/>'
        yield f'<text x="-8" y="{y + 4}" text-anchor="end">{decibels} dB</text>'
    for percent in range(20, 91, 10):
        x = _x(percent / 100)
        yield f'<line x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}" stroke="#eee"/>'
        yield f'<text x="{x}" y="{HEIGHT + 18}" text-anchor="middle">{percent} %</text>'


def _curves(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in rows:
        curves[one["variant"]].append((_x(one["left_out"]), _y(one["psnr_db_median"])))
    for variant, points in curves.items():
        colour, way = COLOURS[variant], " ".join(f"{x},{y}" for x, y in sorted(points))
        yield f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in points:
            yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'


def _legend(variants: Sequence[str]) -> Iterator[str]:
    y = TOP + HEIGHT + 45
    yield f'<text x="{LEFT}" y="{y - 4}">Calls left out. Dashed: the 30 dB of fast</text>'
    x = LEFT
    for variant in variants:
        label = LABELS.get(variant, variant)
        yield f'<circle cx="{x + 5}" cy="{y + 20}" r="5" fill="{COLOURS[variant]}"/>'
        yield f'<text x="{x + 16}" y="{y + 24}">{label}</text>'
        x += 40 + 8 * len(label)
