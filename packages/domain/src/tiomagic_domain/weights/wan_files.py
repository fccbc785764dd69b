"""Repositories of the hub with Wan's components in GGUF, which several projects name.

Formats are those whose files were seen named in other projects' code, in November 2026; a commit is
given where one of them pins it.
"""

from __future__ import annotations

from typing import Final

from tiomagic_domain.weights.repositories import QuantizedFiles

_SEEN: Final = "named in the download lists of stable-diffusion.cpp's documentation and others"

_ENCODER: Final = QuantizedFiles(
    component="text_encoder",
    repository="city96/umt5-xxl-encoder-gguf",
    revision="b535255bee98c2b0a59ea7c0ae2dcd0c6657b3b7",
    name="umt5-xxl-encoder-{format}.gguf",
    formats=("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_K_S", "Q3_K_M", "Q3_K_S"),
    full_gib=10.58,
    source=_SEEN,
)


def _one(
    repository: str, name: str, gib: float, formats: tuple[str, ...], revision: str | None = None
) -> tuple[QuantizedFiles, ...]:
    """Return the files of a model with one transformer, and its encoder's."""
    files = QuantizedFiles(
        component="transformer",
        repository=repository,
        revision=revision,
        name=name,
        formats=formats,
        full_gib=gib,
        source=_SEEN,
    )
    return (files, _ENCODER)


def _two(
    repository: str, model: str, formats: tuple[str, ...], revision: str | None = None
) -> tuple[QuantizedFiles, ...]:
    """Return the files of a model with two experts, and its encoder's."""
    experts = tuple(
        QuantizedFiles(
            component=component,
            repository=repository,
            revision=revision,
            name=f"{noise}Noise/{model}-{noise}Noise-{{format}}.gguf",
            formats=formats,
            full_gib=26.67,
            source=_SEEN,
        )
        for component, noise in (("transformer", "High"), ("transformer_2", "Low"))
    )
    return (*experts, _ENCODER)


T2V_14B_FILES: Final = _one(
    "city96/Wan2.1-T2V-14B-gguf",
    "wan2.1-t2v-14b-{format}.gguf",
    26.67,
    ("Q8_0", "Q6_K", "Q4_K_M", "Q4_K_S"),
    "511cbce9f475a6ca0269be901d23b125f44f5c0d",
)
I2V_480P_FILES: Final = _one(
    "city96/Wan2.1-I2V-14B-480P-gguf",
    "wan2.1-i2v-14b-480p-{format}.gguf",
    30.59,
    ("Q8_0", "Q4_K_M", "Q4_K_S", "Q4_0"),
)
I2V_720P_FILES: Final = _one(
    "city96/Wan2.1-I2V-14B-720P-gguf",
    "wan2.1-i2v-14b-720p-{format}.gguf",
    30.59,
    ("Q8_0", "Q4_K_M", "Q4_K_S", "Q4_0"),
)
VACE_14B_FILES: Final = _one(
    "QuantStack/Wan2.1_14B_VACE-GGUF",
    "Wan2.1_14B_VACE-{format}.gguf",
    32.35,
    ("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_S"),
)
T2V_A14B_FILES: Final = _two(
    "QuantStack/Wan2.2-T2V-A14B-GGUF",
    "Wan2.2-T2V-A14B",
    ("Q8_0", "Q4_K_M", "Q4_0", "Q3_K_M"),
    "73eafba53a1a8f29254e4c77f92e74ea27d7cd6f",
)
I2V_A14B_FILES: Final = _two(
    "QuantStack/Wan2.2-I2V-A14B-GGUF", "Wan2.2-I2V-A14B", ("Q4_K_M", "Q2_K")
)
TI2V_5B_FILES: Final = _one(
    "QuantStack/Wan2.2-TI2V-5B-GGUF",
    "Wan2.2-TI2V-5B-{format}.gguf",
    9.33,
    ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "Q4_0", "Q3_K_M"),
    "57437632ddd08bdcbd1508c866aa22e126ed51d2",
)
ANIMATE_14B_FILES: Final = _one(
    "QuantStack/Wan2.2-Animate-14B-GGUF",
    "Wan2.2-Animate-14B-{format}.gguf",
    32.23,
    ("Q4_K_S", "Q3_K_M", "Q2_K"),
)
