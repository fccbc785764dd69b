"""Names of repositories, where a path may be meant as well."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tiomagic_domain.catalogue.hub_repositories import parse_repository


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wan-AI/Wan2.1-T2V-14B-Diffusers", ("Wan-AI/Wan2.1-T2V-14B-Diffusers", None)),
        ("owner/name@main", ("owner/name", "main")),
        ("owner/name@0fad780a", ("owner/name", "0fad780a")),
        ("owner/name@refs/pr/3", ("owner/name", "refs/pr/3")),
    ],
)
def test_what_names_one(text: str, expected: tuple[str, str | None]) -> None:
    """Owner and name, and a revision after an at sign."""
    assert parse_repository(PurePosixPath(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "/owner/name",
        "name",
        "a/b/c",
        "../name",
        "owner/..",
        "owner/mine.safetensors",
        "owner/mine.ckpt",
        "owner/name@",
        "my folder/name",
        "owner/-name",
    ],
)
def test_what_names_none(text: str) -> None:
    """Paths of other shapes, and files."""
    assert parse_repository(PurePosixPath(text)) is None
