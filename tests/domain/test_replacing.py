"""A file is replaced whole or not at all, and a digest is that of its bytes."""

import ast
from pathlib import Path

import pytest
from tests.sources import find_sources, nodes_of

from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.replacing import replacing


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_content_appears_when_the_block_ends(tmp_path: Path, durable: bool) -> None:
    """Until then whoever reads sees the old one; afterwards no other file is there."""
    target = tmp_path / "clip.mp4"
    target.write_text("old")
    with replacing(target, durable=durable) as part:
        part.write_text("new")
        assert target.read_text() == "old"
        assert part.parent == tmp_path
        assert part.name.startswith(".")
        assert part.suffix == ".mp4"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_fails_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    """The error comes out, and the hidden file is gone."""
    target = tmp_path / "clip.mp4"
    target.write_text("old")

    def stop_half_way() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_do_not_share_a_name(tmp_path: Path) -> None:
    """The last one to finish wins, with its whole content."""
    target = tmp_path / "clip.mp4"
    with replacing(target) as first, replacing(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"


def test_a_digest_is_the_one_that_everybody_computes(tmp_path: Path) -> None:
    """The SHA-256 of ``abc``, from FIPS 180-2."""
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_no_package_has_a_way_of_its_own() -> None:
    """Who computes a file's digest or syncs one does it with the tools of ``files``."""
    own = set()
    for path in find_sources():
        if path.parent.name == "files" and path.parent.parent.name == "tiomagic_domain":
            continue
        names = {node.attr for node in nodes_of(path) if isinstance(node, ast.Attribute)}
        own |= {(path.stem, name) for name in names & {"file_digest", "fsync"}}
    # A look whether a folder can be written needs no file that stays.
    assert own <= {("worker", "fsync")}
