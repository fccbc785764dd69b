"""The garbage collector while libraries are imported."""

import gc

import pytest

from tiomagic_local.torch_env.imports import pause_garbage_collection


def broken() -> None:
    """Import what is not there."""
    with pause_garbage_collection():
        assert not gc.isenabled()
        raise ImportError


@pytest.mark.parametrize("is_on", [True, False])
def test_it_is_as_it_was_afterwards(is_on: bool) -> None:
    """Also when the import fails."""
    before = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        with pytest.raises(ImportError):
            broken()
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if before else gc.disable)()
