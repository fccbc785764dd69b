"""The hub's client against a hub on this machine: commits that stay, trouble that passes."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.catalogue.extremes import smallest
from tests.catalogue.stage import request_for
from tests.local.hub_server import Hub, hub_server
from tests.local.materials import Materials
from tests.tiny.wan import build_t2v

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.errors import APIError, ConfigurationError, TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request
from tiomagic_local.weights import hub, hub_requests
from tiomagic_local.weights.given_files import find_given_files
from tiomagic_local.weights.locate import Weights, find_weights
from tiomagic_local.weights.lora_files import find_loras
from tiomagic_media.fetch.hub_telemetry import disable_hub_telemetry

__all__ = ["hub_server"]

CARD = replace(find_model("wan2.1-t2v-1.3b"), repository="some/model", revision=None)
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


def find(options: LocalOptions | None = None, card: Any = CARD) -> Weights:
    options = options or LocalOptions()
    return find_weights(
        card,
        options,
        pipeline="WanPipeline",
        progress=ignore_progress,
        files=find_given_files(card, {}, options, progress=ignore_progress),
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_t2v(tmp_path_factory.mktemp("tiny"))


class TestCommits:
    def test_the_first_commit_stays_without_asking_again(self, hub_server: Hub) -> None:
        """What has no commit on its card does not change because the hub has something newer."""
        index = {"model_index.json": b'{"_class_name": "WanPipeline"}'}
        first = hub_server.publish("some/model", index)
        assert find().revision == first
        second = hub_server.publish("some/model", {**index, "vae/config.json": b"{}"})
        hub_server.asked.clear()
        assert find().revision == first
        assert hub_server.asked == []
        # A call may want another; the next one that does not has the first again.
        assert find(card=CARD.at({"some/model": "main"})).revision == second
        assert find(card=CARD.at({"some/model": second})).revision == second
        assert find().revision == first

    def test_a_models_loras_stay_and_those_of_a_call_are_the_newest(self, hub_server: Hub) -> None:
        """A call that names no commit of a LoRA gets what its author has made since."""
        tensor = b'{"a.lora_A.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        file = len(tensor).to_bytes(8, "little") + tensor + bytes(4)
        lora = Lora(source="some/lora", weight_name="x.safetensors")

        def commit(*, stays: bool, name: str | None = "x.safetensors") -> str | None:
            wanted = [replace(lora, weight_name=name)]
            (found,) = find_loras(wanted, LocalOptions(), progress=ignore_progress, stays=stays)
            return found.pinned.revision

        first = hub_server.publish("some/lora", {"x.safetensors": file})
        assert commit(stays=True) == first
        second = hub_server.publish("some/lora", {"x.safetensors": file, "README.md": b"new"})
        assert commit(stays=True) == first
        assert commit(stays=False) == second
        # The only file of a repository is found in its list.
        assert commit(stays=False, name=None) == second

    def test_a_commit_that_the_hub_does_not_have(self, hub_server: Hub) -> None:
        """It is asked for once: no attempt helps."""
        hub_server.publish("some/model", {"model_index.json": b"{}"})
        with pytest.raises(ConfigurationError, match="no longer has"):
            find(card=CARD.at({"some/model": "f" * 40}))
        assert len(hub_server.asked) == 1

    def test_a_recipe_names_the_commits_and_a_rerun_uses_them(
        self, hub_server: Hub, tiny: Path, tmp_path: Path
    ) -> None:
        """On another machine too, and although the hub has newer weights by then."""
        feature = Feature.TEXT_TO_VIDEO
        settings = smallest(CARD.schema(feature))

        def run(arguments: dict[str, Any], folder: str) -> Report:
            request = request_for(CARD, feature, arguments, Materials(tmp_path))
            target = tmp_path / f"{folder}.mp4"
            return run_request(request, runtime=Runtime(LocalOptions(device="cpu")), target=target)

        first = hub_server.publish("some/model", tiny)
        made = run(settings, "first")
        assert made.video is not None
        revisions = made.video.recipe["optional_args"]["revisions"]
        assert revisions == {"some/model": first}
        hub_server.publish("some/model", tiny)
        shutil.rmtree(tmp_path / "cache")
        again = run({**settings, "revisions": revisions}, "again")
        assert again.facts["weights"]["revision"] == first


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 503, 429, 408])
    def test_what_passes_is_asked_again(self, hub_server: Hub, status: int) -> None:
        """Folders and files come although the hub was in trouble at first."""
        hub_server.publish("a/b", {"model_index.json": b"{}", "x.safetensors": b"1"})
        given: dict[str, Any] = {"token": None, "progress": ignore_progress}
        hub_server.trouble = [status]
        folder = hub.download_repository("a/b", None, model="m", **given)
        assert (folder / "model_index.json").read_bytes() == b"{}"
        hub_server.trouble = [status]
        path, _commit = hub.download_file("a/b", None, "x.safetensors", **given)
        assert path.read_bytes() == b"1"

    def test_a_list_is_asked_again(self, hub_server: Hub) -> None:
        """So is what a repository has."""
        hub_server.publish("a/b", {"x.safetensors": b"1"})
        hub_server.trouble = [503]
        assert hub.list_repository_files("a/b", None, token=None) == ["x.safetensors"]

    def test_what_does_not_pass_is_an_error_in_the_end(self, hub_server: Hub) -> None:
        """The attempts are counted, and the error can be retried by whoever wants to."""
        hub_server.trouble = [500] * 1000
        with pytest.raises(APIError) as caught:
            hub.download_repository("a/b", None, model="m", token=None, progress=ignore_progress)
        assert caught.value.retryable
        assert len(hub_server.asked) == hub_requests.MAX_ATTEMPTS

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_a_refusal_is_not_asked_again(self, hub_server: Hub, status: int) -> None:
        """No attempt opens what is closed."""
        hub_server.trouble = [status] * 1000
        with pytest.raises(TioMagicError):
            hub.download_repository("a/b", None, model="m", token=None, progress=ignore_progress)
        assert len(hub_server.asked) == 1


class TestTelemetry:
    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The client of a process that has asked for nothing yet, told nothing by a user."""
        from huggingface_hub import constants
        from huggingface_hub.utils import _detect_agent

        monkeypatch.setattr(_detect_agent, "_registry", None)
        monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)

    def test_none_is_sent(self, hub_server: Hub, tiny: Path) -> None:
        """The hub hears what is wanted, and neither what else is installed nor who calls."""
        from huggingface_hub import constants

        hub_server.publish("a/b", tiny)
        hub.download_repository("a/b", None, model="m", token=None, progress=ignore_progress)
        hub.list_repository_files("a/b", None, token=None)
        hub.download_file("a/b", None, "model_index.json", token=None, progress=ignore_progress)
        assert all("/a/b/" in request for request in hub_server.asked)
        assert not any("torch/" in agent or "agent/" in agent for agent in hub_server.agents)
        assert constants.HF_HUB_DISABLE_TELEMETRY is False

    def test_the_last_one_turns_it_back(self) -> None:
        """The switch is one for all threads, of which one may be done before another."""
        from huggingface_hub import constants

        first, second = ExitStack(), ExitStack()
        for stack in (first, second):
            stack.enter_context(disable_hub_telemetry())
        first.close()
        assert constants.HF_HUB_DISABLE_TELEMETRY is True
        second.close()
        assert constants.HF_HUB_DISABLE_TELEMETRY is False

    @pytest.mark.parametrize("given", [True, False])
    def test_it_is_as_it_was_afterwards(self, monkeypatch: pytest.MonkeyPatch, given: bool) -> None:
        """Also when the request fails."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", given)
        with pytest.raises(OSError, match="broken"), disable_hub_telemetry():
            raise OSError("broken")
        assert constants.HF_HUB_DISABLE_TELEMETRY is given


class TestLoras:
    def test_what_peft_writes_beside_a_file_comes_with_it(self, hub_server: Hub) -> None:
        """The strength of a file of peft is not in it, but in a file beside it."""
        files = {
            "style/adapter_model.safetensors": b"x",
            "style/adapter_config.json": b'{"lora_alpha": 6}',
            "adapter_config.json": b"{}",
        }
        hub_server.publish("some/lora", files)
        path, _commit = hub.download_file(
            "some/lora",
            None,
            "style/adapter_model.safetensors",
            token=None,
            progress=ignore_progress,
        )
        assert (path.parent / "adapter_config.json").read_bytes() == b'{"lora_alpha": 6}'
        assert hub_server.downloaded_files("some/lora") == {
            "style/adapter_model.safetensors",
            "style/adapter_config.json",
        }


class TestOneFile:
    def test_the_weights_that_it_replaces_are_not_fetched(
        self, hub_server: Hub, tiny: Path, tmp_path: Path
    ) -> None:
        """Of the transformer comes the configuration, and the file's tensors are what runs."""
        import torch
        from safetensors.torch import load_file, save_file

        hub_server.publish("some/model", tiny)
        tensors = {name: tensor * 2 for name, tensor in load_file(tiny / WEIGHTS).items()}
        file = tmp_path / "mine.safetensors"
        save_file(tensors, file)
        found = find(LocalOptions(model_path=file))
        fetched = hub_server.downloaded_files("some/model")
        assert WEIGHTS not in fetched
        assert {"transformer/config.json", "vae/config.json"} <= fetched
        assert any(name.startswith("vae/") and name.endswith(".safetensors") for name in fetched)
        pipeline = load_pipeline(
            found,
            pipeline="WanPipeline",
            fp32=(),
            dtype=torch.float32,
            device=torch.device("cpu"),
            plan=MemoryPlan.RESIDENT,
        )
        key = "blocks.0.attn1.to_q.weight"
        assert torch.equal(pipeline.transformer.state_dict()[key], tensors[key])
        # Without the file the weights are fetched after all.
        find()
        assert WEIGHTS in hub_server.downloaded_files("some/model")

    def test_a_model_that_one_file_does_not_hold_fetches_nothing(
        self, hub_server: Hub, tmp_path: Path
    ) -> None:
        """Two experts need a folder, which is said before gigabytes are fetched."""
        kind = '["diffusers", "WanTransformer3DModel"]'
        index = f'{{"_class_name": "WanPipeline", "transformer": {kind}, "transformer_2": {kind}}}'
        files = {"model_index.json": index.encode(), WEIGHTS: b"28 GiB"}
        hub_server.publish("some/model", files)
        file = tmp_path / "mine.safetensors"
        file.touch()
        with pytest.raises(ConfigurationError, match="has two of them"):
            find(LocalOptions(model_path=file))
        assert hub_server.downloaded_files("some/model") == {"model_index.json"}
