"""What two runs must share to share a loaded model."""

import stat
from pathlib import Path

import pytest

from tiomagic.wiring.background.fingerprint import KEY_FILE, fingerprint_run
from tiomagic.wiring.settings import Settings, check_configured, resolve

HOME = {"HOME": "/home/ada", "TERM": "xterm"}


def settings_with(folder: Path, **configured: object) -> Settings:
    return resolve(check_configured(configured), environment={}, dotenv={}, working_dir=folder)


def test_the_same_settings_have_the_same_fingerprint(tmp_path: Path) -> None:
    """Whatever concerns the terminal, the worker itself or the page."""
    first = fingerprint_run(settings_with(tmp_path), HOME)
    other = settings_with(tmp_path, worker_idle_s=7, log_level="debug", ui_auth="a:b", device="cpu")
    told = {**HOME, "TERM": "dumb", "COLUMNS": "80", "SHLVL": "3", "PWD": "/elsewhere"}
    assert fingerprint_run(other, told) == first
    assert len(first) == 12


@pytest.mark.parametrize(
    "changed",
    [
        {"weights_dir": "/models"},
        {"model_path": "/models/mine"},
        {"hf_token": "hf_other"},
        {"output_dir": "elsewhere"},
        {"allow_private_media": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_setting_is_another_fingerprint(tmp_path: Path, changed: dict[str, object]) -> None:
    """Each of those that a run depends on."""
    before = fingerprint_run(settings_with(tmp_path), HOME)
    assert fingerprint_run(settings_with(tmp_path, **changed), HOME) != before


@pytest.mark.parametrize(
    "variable",
    ["HF_HOME", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "https_proxy"],
)
def test_another_variable_is_another_fingerprint(tmp_path: Path, variable: str) -> None:
    """Those that the libraries of a run read."""
    settings = settings_with(tmp_path)
    assert fingerprint_run(settings, {**HOME, variable: "1"}) != fingerprint_run(settings, HOME)


def test_no_fingerprint_can_be_tried_against_without_the_key(tmp_path: Path) -> None:
    """The key is the owner's own file, and another state folder has another."""
    here, there = tmp_path / "here", tmp_path / "there"
    shared = {"output_dir": "/videos"}
    prints = {
        fingerprint_run(settings_with(tmp_path, state_dir=folder, **shared), HOME)
        for folder in (here, there)
    }
    assert len(prints) == 2
    assert stat.S_IMODE((here / KEY_FILE).stat().st_mode) == 0o600
