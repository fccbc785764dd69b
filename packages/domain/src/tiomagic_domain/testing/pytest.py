"""Fixtures for the tests of programs that use tiomagic: jobs that are over at once, with a video.

Name the module in your ``conftest.py``::

    pytest_plugins = ["tiomagic_domain.testing.pytest"]

and use the fixtures::

    def test_a_film(tm, fake_provider):
        job = tm.text_to_video(prompt="a red circle")
        assert job.result().read_bytes()          # an mp4 that plays
        assert fake_provider.submitted[0].settings["seed"] == job.optional_args["seed"]

    def test_a_failure(tm, fake_provider):
        fake_provider.failure = GenerationError("out of memory")
        with pytest.raises(GenerationError):
            tm.text_to_video(prompt="a red circle")

``tm`` validates as the real one does, and has its own database and folder for each test. Nothing is
downloaded, no model is loaded, and no GPU is asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tiomagic_domain.testing.instant import InstantProvider

FAKE_PROVIDER_NAME: Final = "local"
"""The provider that the fake stands for."""


@pytest.fixture
def fake_provider(tmp_path: Path) -> InstantProvider:
    """A provider whose jobs are over at once; see :class:`tiomagic_domain.testing.FakeProvider`."""
    return InstantProvider(tmp_path / "spool", name=FAKE_PROVIDER_NAME)


@pytest.fixture
def tm(
    tmp_path: Path, fake_provider: InstantProvider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A :class:`tiomagic.TioMagic` over ``fake_provider``, in an empty folder.

    Settings of the environment do not reach it. What the test configures stays its own.
    """
    for name in [name for name in os.environ if name.startswith("TIOMAGIC_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "tiomagic"
    folder.mkdir()
    # The domain does not depend on the facade; users of this fixture have it installed.
    facade: Any = importlib.import_module("tiomagic")
    made = facade.TioMagic(
        working_dir=folder,
        provider=FAKE_PROVIDER_NAME,
        overrides={"providers": {FAKE_PROVIDER_NAME: fake_provider}},
    )
    yield made
    made.close()
