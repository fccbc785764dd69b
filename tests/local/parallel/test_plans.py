"""What is known of a split before any process is started: plans, shares, heads and memory."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch
from diffusers import ContextParallelConfig, WanTransformer3DModel
from diffusers.models import attention_dispatch

from tiomagic_domain.catalogue import find_model, models
from tiomagic_local.context_parallel.model_hooks import FrameAlignment, OwnContext
from tiomagic_local.context_parallel.model_transformers import (
    ModelTransformer,
    explain_unsplittable,
)
from tiomagic_local.context_parallel.plans import PLANS, find_plan
from tiomagic_local.context_parallel.shares import TokenShares
from tiomagic_local.context_parallel.support import (
    SPLIT,
    can_share,
    count_heads,
    explain_heads,
)
from tiomagic_local.footprint.architectures import find_architecture, list_architectures
from tiomagic_local.footprint.sharing import count_sharing
from tiomagic_local.memory.demand import demand_of
from tiomagic_local.memory.plans import MemoryPlan


def shares_of(rank: int, count: int, tokens: int) -> TokenShares:
    """Return how one rank would share tokens, without a process group."""
    context = ContextParallelConfig(ulysses_degree=count)
    context._ulysses_local_rank = rank
    shares = TokenShares(context, heads=4)
    shares.begin(tokens)
    return shares


class TestPlans:
    def test_the_list_without_torch_is_that_of_the_plans(self) -> None:
        """The tables say of each class what the program does with it."""
        assert {kind.__name__ for kind in PLANS} == set(SPLIT)
        for kind in PLANS:
            parameters = inspect.signature(kind.__init__).parameters
            defaults = {name: one.default for name, one in parameters.items()}
            assert count_heads(defaults) == SPLIT[kind.__name__].heads

    def test_all_large_models_of_today_can_be_split(self) -> None:
        """A model that cannot be is in the tables, and the first device makes its videos alone."""
        alone = {name for name in list_architectures() if count_sharing(name, 2) == 1}
        kinds = {find_architecture(name).parts["transformer"].kind for name in alone}
        assert not {kind.rpartition(".")[2] for kind in kinds} & set(SPLIT)
        assert count_sharing("doodle", 2) == 2
        assert count_sharing("doodle", 1) == count_sharing("doodle", 0) == 1
        assert count_sharing("no-model", 2) == 1
        assert set(models()) >= alone

    def test_a_class_of_someone_else(self) -> None:
        """What has a plan of its own is split as that says, a subclass as its base, else not."""

        class Sub(WanTransformer3DModel):  # type: ignore[misc]
            """Of a plug-in."""

        class Bare(torch.nn.Module):
            """Without a plan."""

        assert find_plan(Sub) is PLANS[WanTransformer3DModel]
        chrono = find_plan(diffusers.ChronoEditTransformer3DModel)
        assert chrono is not None
        assert (chrono.entrance, chrono.joined) == ("blocks.0", "proj_out")
        reason = explain_unsplittable([ModelTransformer(kind=Bare)])
        assert reason == "there is no plan for splitting a Bare"
        assert explain_unsplittable([]) == "the model has no transformer"

    def test_sparse_attention_is_not_split(self) -> None:
        """Kandinsky's nabla picks blocks of tokens by the means of all tokens."""
        kind = diffusers.Kandinsky5Transformer3DModel
        config: dict[str, Any] = {"attention_type": "nabla"}
        reason = explain_unsplittable([ModelTransformer(kind=kind, config=config)])
        assert reason is not None
        assert "nabla" in reason
        assert explain_unsplittable([ModelTransformer(kind=kind)]) is None


class TestHeads:
    def test_the_rule_is_the_library_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is refused before loading is what the attention would refuse in its first layer."""
        for count in range(2, 10):
            monkeypatch.setattr(
                attention_dispatch.dist, "get_world_size", lambda count=count, **_named: count
            )
            for heads in range(1, 50):
                states = torch.empty(1, 1, heads, 1)
                try:
                    attention_dispatch._maybe_pad_qkv_head(states, heads, None)
                    takes = True
                except AssertionError:
                    takes = False
                assert can_share(heads, count) == takes, (heads, count)

    def test_the_most_that_can_share_do(self) -> None:
        """12 heads are those of the models of 1.3B, and 8 GPUs a usual machine."""
        assert explain_heads(12, 6) is None
        assert explain_heads(12, 8) == (
            "8 devices cannot share the 12 heads of its attention: 6 of them do"
        )
        assert "one of them makes the video" in str(explain_heads(1, 2))
        assert count_sharing("wan2.1-vace-1.3b", 8) == 6
        assert count_sharing("wan2.1-vace-14b", 8) == 8


class TestShares:
    @pytest.mark.parametrize(("tokens", "count"), [(8, 2), (27, 2), (29, 4), (5, 5)])
    def test_are_those_of_torch(self, tokens: int, count: int) -> None:
        """Every token is with one rank, in order."""
        tensor = torch.arange(tokens)
        for rank in range(count):
            shares = shares_of(rank, count, tokens)
            assert torch.equal(shares.own(tensor, 0), tensor[slice(*shares.bounds())])

    def test_fewer_tokens_than_ranks(self) -> None:
        """A rank without a token cannot work."""
        with pytest.raises(ValueError, match="3 tokens cannot be shared by 4 devices"):
            shares_of(0, 4, 3)

    @pytest.mark.parametrize(("frames", "size", "count"), [(3, 9, 2), (5, 4, 4), (2, 6, 3)])
    def test_frames_that_ranks_share(self, frames: int, size: int, count: int) -> None:
        """Each rank's tokens meet the condition of their frame, wherever the cut is."""

        def layer(states: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
            whole = states.unflatten(1, (conditions.shape[1], -1))
            return (whole * conditions[:, :, None]).flatten(1, 2)

        states, conditions = torch.rand(1, frames * size, 2), torch.rand(1, frames, 2)
        expected = layer(states, conditions)
        for rank in range(count):
            shares = shares_of(rank, count, frames * size)
            hook = FrameAlignment(shares)
            given, _ = hook.pre_forward(None, shares.own(states, 1), conditions)
            found = hook.post_forward(None, layer(*given))
            assert torch.equal(found, shares.own(expected, 1))

    def test_a_past_that_ranks_share(self) -> None:
        """Of ten tokens the last four are the video's, however the ten are dealt out."""
        counts = []
        for rank in range(3):
            given, _ = OwnContext(shares_of(rank, 3, 10)).pre_forward(None, "h", "e", "t", "r", 4)
            counts.append(given[-1])
        assert counts == [0, 1, 3]


class TestMemory:
    def test_the_tokens_of_a_step_are_shared_and_nothing_else(self) -> None:
        """Each device has all weights, and its part of the activations and of the KV cache."""
        card = find_model("wan2.2-animate-2-14b")
        settings = {"width": 1280, "height": 720, "num_frames": 77}
        alone = demand_of(card, settings)
        pair = replace(alone, devices=2)
        steps = pair.activations()["denoise"] / alone.activations()["denoise"]
        assert 0.4 < steps < 0.75
        assert pair.activations()["decode"] == alone.activations()["decode"]
        assert pair.activations()["text"] == alone.activations()["text"]
        saved = alone.gib(MemoryPlan.RESIDENT) - pair.gib(MemoryPlan.RESIDENT)
        assert saved == pytest.approx(alone.cache_gib / 2)
