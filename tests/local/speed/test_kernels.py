"""Attention kernels: what each needs is known before anything is loaded, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models import attention_dispatch as dispatch
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry
from huggingface_hub.file_download import repo_folder_name

from tiomagic_domain.catalogue.acceleration import ATTENTION_CHOICES, INEXACT_ATTENTION
from tiomagic_domain.errors import ValidationError
from tiomagic_local.acceleration import attention, kernels
from tiomagic_local.acceleration.kernels import KERNELS, fetch_command, is_fetched, why_not_for
from tiomagic_local.runtime import pipeline_cache
from tiomagic_local.runtime.run import _notes

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SAGE_HUB = KERNELS["sage"][1]


@pytest.fixture(autouse=True)
def nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of kernels, and the kernels of the process as they were afterwards."""
    monkeypatch.setenv("KERNELS_CACHE", str(tmp_path))
    monkeypatch.delenv("LOCAL_KERNELS", raising=False)
    before = {name: one.kernel_fn for name, one in dispatch._HUB_KERNELS_REGISTRY.items()}
    attention.find_working_backend.cache_clear()
    yield tmp_path
    for name, function in before.items():
        dispatch._HUB_KERNELS_REGISTRY[name].kernel_fn = function
    attention.find_working_backend.cache_clear()


def has_card(monkeypatch: pytest.MonkeyPatch, *capability: int) -> None:
    """Have a GPU of a compute capability."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)


def test_each_word_is_a_kernel_of_diffusers():
    """All are registered there, and those that are not exact are the ones that say so."""
    assert {"auto", *KERNELS} == set(ATTENTION_CHOICES)
    known = {backend.value for backend in _AttentionBackendRegistry.list_backends()}
    assert {one.backend for found in KERNELS.values() for one in found} <= known
    inexact = {word for word, found in KERNELS.items() if not all(one.exact for one in found)}
    assert inexact == set(INEXACT_ATTENTION)
    assert not [name for name in attention.PREFERRED if not kernels.is_exact(name)]


@pytest.mark.parametrize(
    ("word", "capability", "reason"),
    [
        ("flash", (7, 5), "needs compute capability 8.0 or later, and this GPU has 7.5"),
        ("flash3", (8, 9), "needs compute capability 9.0 to 9.x, and this GPU has 8.9"),
        ("flash3", (12, 0), "needs compute capability 9.0 to 9.x, and this GPU has 12.0"),
        ("flash4", (8, 6), "needs compute capability 9.0 or later"),
        ("sage", (7, 5), "needs compute capability 8.0 or later"),
        ("sage_blackwell", (9, 0), "needs compute capability 12.0 or later"),
        ("flash3", (9, 0), None),
        ("sage", (8, 6), None),
    ],
)
def test_the_card_is_checked_first(monkeypatch, word, capability, reason):
    """Before a look at the package: the wrong card cannot be mended by a download."""
    has_card(monkeypatch, *capability)
    found = why_not_for(KERNELS[word][0], GPU)
    assert (found is None) if reason is None else (reason in found)


def test_a_kernel_that_is_missing_names_its_command(monkeypatch):
    """The package, and the kernel; another publisher than the hub's own has to be trusted."""
    has_card(monkeypatch, 9, 0)
    with pytest.raises(ValidationError, match="'flash4' does not work") as caught:
        attention.check_attention("flash4", GPU, masked=False)
    text = str(caught.value)
    assert "pip install kernels && python -c" in text
    assert "get_kernel('kernels-community/flash-attn4', version=0)" in text
    assert "trust_remote_code=True" in fetch_command(SAGE_HUB)
    monkeypatch.setattr(dispatch, "is_kernels_available", lambda: True)
    monkeypatch.setattr(dispatch, "is_kernels_version", lambda *_version: True)
    with pytest.raises(ValidationError, match=r"sage-attention is not on this machine; fetch it"):
        attention.check_attention("sage", GPU, masked=False)


def test_one_that_is_fetched_is_found_where_the_package_keeps_it(nothing_fetched, monkeypatch):
    """In the cache, or in a folder of the user's own."""
    assert not is_fetched(SAGE_HUB)
    folder = nothing_fetched / repo_folder_name(repo_id=SAGE_HUB.repository, repo_type="kernel")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    assert is_fetched(SAGE_HUB)
    flash = KERNELS["flash3"][1]
    monkeypatch.setenv("LOCAL_KERNELS", f"{flash.repository}=/somewhere")
    assert is_fetched(flash)


def test_nothing_is_loaded_for_a_kernel_that_cannot_run(desk, monkeypatch):
    """The refusal comes before the weights are even looked for."""

    def never(*_call: Any, **_named: Any) -> None:
        raise AssertionError("it looked for weights")

    monkeypatch.setattr(pipeline_cache, "find_weights", never)
    with pytest.raises(ValidationError, match="needs an NVIDIA GPU, and this run is on cpu"):
        desk.make("wan2.1-t2v-1.3b", acceleration={"attention": "sage"})
    with pytest.raises(ValidationError, match="takes no mask"):
        desk.make("ltx-video", acceleration={"attention": "flash4"})


@pytest.fixture
def sage_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A kernel in place of the hub's, called by the library's own dispatcher."""
    calls: list[int] = []

    def rounds(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **_rest: Any) -> torch.Tensor:
        calls.append(q.shape[1])
        coarse = [(one * 16).round() / 16 for one in (q, k, v)]
        heads = [one.transpose(1, 2) for one in coarse]
        return torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2)

    monkeypatch.setattr(dispatch, "is_kernels_available", lambda: True)
    monkeypatch.setattr(dispatch, "is_kernels_version", lambda *_version: True)
    monkeypatch.setattr(kernels, "why_not_for", lambda *_call: None)
    monkeypatch.setattr(attention, "why_not_for", lambda *_call: None)
    dispatch._HUB_KERNELS_REGISTRY[AttentionBackendName.SAGE_HUB].kernel_fn = rounds
    return calls


def test_one_that_is_not_exact_runs_by_name_alone_and_is_named(desk, sage_on_a_cpu):
    """Its record and its message say so, and the next run is exact."""
    exact = desk.make("wan2.1-t2v-1.3b")
    assert not sage_on_a_cpu
    desk.make("wan2.1-t2v-1.3b", acceleration="fast", num_inference_steps=12)
    assert not sage_on_a_cpu
    coarse = desk.make("wan2.1-t2v-1.3b", acceleration={"attention": "sage"})
    assert sage_on_a_cpu
    assert desk.facts["attention"] == "sage_hub"
    assert desk.facts["attention_inexact"] is True
    assert _notes({"acceleration": desk.facts}) == [
        "attention sage_hub is not exact: a different video"
    ]
    assert not np.array_equal(coarse, exact)
    assert np.array_equal(desk.make("wan2.1-t2v-1.3b"), exact)
    assert "attention_inexact" not in desk.facts


def test_a_broken_kernel_is_refused(desk, sage_on_a_cpu):
    """One that is not exact may round, and no more."""
    config = dispatch._HUB_KERNELS_REGISTRY[AttentionBackendName.SAGE_HUB]
    config.kernel_fn = lambda q, **_rest: q
    with pytest.raises(ValidationError, match="its result differs by"):
        desk.make("wan2.1-t2v-1.3b", acceleration={"attention": "sage"})


def test_what_the_user_has_fetched_is_preferred(monkeypatch, nothing_fetched):
    """An exact kernel of the hub that is here comes first; one that is not is never tried."""
    has_card(monkeypatch, 9, 0)
    assert "flash_4_hub" not in attention.candidates(GPU, masked=False)
    monkeypatch.setattr(dispatch, "is_kernels_available", lambda: True)
    monkeypatch.setattr(dispatch, "is_kernels_version", lambda *_version: True)
    repository = KERNELS["flash4"][0].repository
    folder = nothing_fetched / repo_folder_name(repo_id=repository, repo_type="kernel")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    assert attention.candidates(GPU, masked=False)[:2] == ("flash_4_hub", "_flash_3")
    assert "flash_4_hub" not in attention.candidates(GPU, masked=True)
    assert attention.candidates(CPU, masked=False) == ("native",)
