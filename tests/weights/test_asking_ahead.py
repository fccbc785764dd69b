"""A run that cannot download its weights is refused before anything is imported or stored."""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from pathlib import Path

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic import TioMagic
from tiomagic_domain.errors import APIError, AuthenticationError
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.torch_env.quiet import prepare_notebook_bars
from tiomagic_local.weights import hub
from tiomagic_local.weights.hub_files import WantedFiles

__all__ = ["hub_server"]

FILES = {"config.json": b"{}", "x.safetensors": b"1" * 100}


def ask(*names: str) -> None:
    """Ask for the lists of the repository."""
    wanted = WantedFiles(repository="a/b", revision=None, names=names or ("*",))
    hub.ask_for_lists([wanted], model="m", token=None)


def test_the_lists_are_asked_for_once(hub_server: Hub) -> None:
    """The download that follows needs no list, and no file is asked for before."""
    hub_server.publish("a/b", FILES)
    ask()
    assert hub_server.downloaded_files("a/b") == set()
    lists = len(hub_server.asked)
    hub.download_repository("a/b", None, model="m", token=None, progress=ignore_progress)
    assert hub_server.downloaded_files("a/b") == set(FILES)
    # The branch's commit, which was not kept: nothing was downloaded of it.
    assert len([entry for entry in hub_server.asked if "/tree/" in entry]) == 1
    assert lists == 2


def test_a_download_that_was_interrupted_asks_whether_the_hub_is_there(hub_server: Hub) -> None:
    """With every list here, one answer says so; with all files here, nothing is asked."""
    commit = hub_server.publish("a/b", FILES)
    given = {"model": "m", "token": None, "progress": ignore_progress}
    hub.download_repository("a/b", None, names=("*.json",), **given)
    hub_server.asked.clear()
    ask()
    assert hub_server.asked == [f"GET /api/models/a/b/revision/{commit}"]
    hub_server.trouble = [503] * 100
    with pytest.raises(APIError):
        ask()
    hub_server.asked.clear()
    ask("*.json")
    assert hub_server.asked == []


def test_a_run_without_a_network_stores_no_job(
    hub_server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes from the call itself, in the words of Python, before torch is loaded."""
    monkeypatch.delenv("TIOMAGIC_WEIGHTS_DIR", raising=False)
    tm = TioMagic(working_dir=tmp_path, provider="local")
    hub_server.trouble = [503] * 100
    before = "torch" in sys.modules
    with pytest.raises(APIError, match="answers 503"):
        tm.text_to_video("wan2.1-t2v-1.3b", prompt="a fox", force=True)
    hub_server.headers = {"X-Error-Code": "GatedRepo"}
    hub_server.trouble = [401] * 100
    with pytest.raises(AuthenticationError, match=r"tm\.configure\(hf_token=\.\.\.\)"):
        tm.text_to_video("wan2.1-t2v-1.3b", prompt="a fox", force=True, wait=False)
    assert tm.list_jobs() == []
    assert ("torch" in sys.modules) == before


def test_no_red_warning_in_a_notebook_without_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that imports tqdm after us warns of nothing."""
    python = types.ModuleType("IPython")
    python.get_ipython = lambda: None  # type: ignore[attr-defined]
    python.__path__ = []
    for name in ("ipykernel.zmqshell", "IPython"):
        monkeypatch.setitem(sys.modules, name, python)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    for name in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        importlib.import_module("tqdm.autonotebook")
    assert "IProgress not found" in str(caught[0].message)
    monkeypatch.delitem(sys.modules, "tqdm.autonotebook")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepare_notebook_bars()
        importlib.import_module("tqdm.autonotebook")
        importlib.import_module("tqdm.auto")
    assert caught == []
