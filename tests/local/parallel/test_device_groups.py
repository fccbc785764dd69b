"""The setting that names several devices, and the attention that they can share."""

from __future__ import annotations

import pytest
import torch

from tiomagic_domain.errors import (
    ConfigurationError,
)
from tiomagic_local.acceleration.attention import candidates, splits
from tiomagic_local.torch_env.devices import (
    all_together,
    choose_device,
    device_names,
    group_members,
)


class TestTheSetting:
    def test_names_a_group(self) -> None:
        """Several devices are one device of the queue, however they are written."""
        assert group_members("cuda:0, cuda:1") == ("cuda:0", "cuda:1")
        assert group_members("cuda,cuda:3") == ("cuda:0", "cuda:3")
        assert group_members("cuda:1") == group_members(None) == ()
        assert device_names("cuda:0, cuda:1") == ["cuda:0,cuda:1"]
        assert choose_device("cpu,cpu") == torch.device("cpu")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("cuda:0,cpu", "several kinds"),
            ("cuda:1,cuda:1", "twice"),
            ("cuda,cuda:0", "twice"),
            ("mps,mps", "CUDA GPUs with their numbers"),
            ("cuda:0,", "CUDA GPUs with their numbers"),
            ("cuda:0,gpu:1", "CUDA GPUs with their numbers"),
        ],
    )
    def test_that_names_none_is_an_error(self, text: str, why: str) -> None:
        """What cannot be a group says why."""
        with pytest.raises(ConfigurationError, match=why):
            group_members(text)

    def test_a_device_that_is_not_there(self) -> None:
        """A group with a device that is missing names it."""
        first = torch.cuda.device_count()
        with pytest.raises(ConfigurationError, match=f"'cuda:{first}'"):
            choose_device(f"cuda:{first},cuda:{first + 1}")

    @pytest.mark.parametrize(
        ("count", "group"), [(0, None), (1, None), (3, "cuda:0,cuda:1,cuda:2")]
    )
    def test_all_gpus_of_a_machine(
        self, monkeypatch: pytest.MonkeyPatch, count: int, group: str | None
    ) -> None:
        """One GPU is no group, and a machine without any has none."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        assert all_together() == group

    def test_only_attention_that_can_be_split(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of the backends for a card, those are tried that the library can split."""
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (9, 0))
        hopper = torch.device("cuda")
        alone = candidates(hopper, masked=False)
        together = candidates(hopper, masked=False, together=True)
        assert "_flash_3" in alone
        assert "_flash_3" not in together
        assert together[-1] == "native"
        assert all(splits(name) for name in together)
