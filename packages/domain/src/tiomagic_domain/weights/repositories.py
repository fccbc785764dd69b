"""Repositories of the hub with quantized files of a model's components, as its card names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.weights.formats import FORMATS, GROUPS, NONE, QUANTIZATION
from tiomagic_domain.weights.given import GivenFile

BITS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "Q8_0": 8.6,
        "Q6_K": 6.7,
        "Q5_K_M": 6.1,
        "Q5_K_S": 5.9,
        "Q5_1": 6.3,
        "Q5_0": 5.9,
        "Q4_K_M": 5.5,
        "Q4_K_S": 5.2,
        "Q4_1": 5.3,
        "Q4_0": 4.9,
        "Q3_K_M": 4.1,
        "Q3_K_S": 3.9,
        "Q2_K": 3.3,
    }
)
"""Bits a number of whole files, the full layers included: sizes of ``Wan2.2-TI2V-5B-*.gguf`` at
57437632 by its 5.0 billion numbers; those that are not listed there by their blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedFiles:
    """The files of one component in a repository, one a format."""

    component: str
    repository: str
    name: str
    """Of a file, with ``{format}``."""
    formats: tuple[str, ...]
    full_gib: float
    """The component in 16 bits."""
    revision: str | None = None
    """Commit; None when none is known to be good."""
    source: str
    """Where its files are named."""

    def find(self, format_: str) -> GivenFile | None:
        """Return the file in a format, or the next more exact one; None when there is none."""
        enough = [one for one in self.formats if BITS[one] >= BITS[format_]]
        if not enough:
            return None
        name = self.name.format(format=min(enough, key=BITS.__getitem__))
        return GivenFile(place=f"{self.repository}/{name}", pin=self.revision)


def find_files(files: Iterable[QuantizedFiles], formats: Mapping[str, str]) -> dict[str, GivenFile]:
    """Return the file of each component whose group is asked for in a format of GGUF.

    Args:
        files: Of a card.
        formats: The format of each group.
    """
    found = {}
    for one in files:
        group = next(group for group in GROUPS if one.component.startswith(group))
        file = one.find(formats[group]) if formats.get(group) in BITS else None
        if file is not None:
            found[one.component] = file
    return found


def with_formats(
    parameters: Iterable[Parameter], files: Iterable[QuantizedFiles]
) -> tuple[Parameter, ...]:
    """Return a model's parameters, ``quantization`` among them with the formats of its files."""
    by_group: dict[str, tuple[str, ...]] = {}
    for one in files:
        group = next(group for group in GROUPS if one.component.startswith(group))
        by_group.setdefault(group, one.formats)
    made = (NONE, *FORMATS)
    return tuple(
        replace(
            parameter,
            choices=(*made, *by_group.get(GROUPS[0], ())),
            fields=tuple(
                replace(field, choices=(*made, *by_group.get(field.name, ())))
                for field in parameter.fields
            ),
        )
        if parameter.name == QUANTIZATION
        else parameter
        for parameter in parameters
    )


def bits_of(name: str) -> float | None:
    """Return the bits a number of a file, by its name; None for one that does not say it."""
    fitting = [format_ for format_ in BITS if format_.lower() in name.lower()]
    return BITS[max(fitting, key=len)] if fitting else None
