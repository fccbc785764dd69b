"""One video by two devices: the same as one device makes, really shared, and nothing left behind.

The devices are two processes of this machine's CPU, each with a tiny model.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch
from tests.tiny import save

from tiomagic_domain.errors import (
    ConfigurationError,
    GenerationCanceledError,
    GenerationError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.acceleration.attention import candidates, splits
from tiomagic_local.context_parallel import workers
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request
from tiomagic_local.torch_env.devices import (
    all_together,
    choose_device,
    device_names,
    group_members,
)

if TYPE_CHECKING:
    from tests.local.materials import Materials

T2V, I2V, VACE = "wan2.1-t2v-1.3b", "wan2.1-i2v-14b-480p", "wan2.1-vace-1.3b"
TI2V, LTX, LTX_98, LTX_2 = (
    "wan2.2-ti2v-5b",
    "ltx-video",
    "ltx-video-0.9.8-distilled",
    "ltx-2",
)
PUSA, A14B = "pusa-v1", "wan2.2-t2v-a14b"
ANIMATE, SKYREELS, FORCING = (
    "wan2.2-animate-14b",
    "skyreels-v2-i2v-14b-540p",
    "skyreels-v2-df-1.3b-540p",
)
HUNYUAN, HUNYUAN_I2V, FRAMEPACK = (
    "hunyuanvideo-1.5",
    "hunyuanvideo-1.5-image-to-video",
    "framepack-i2v-hy",
)
COG, COG_SMALL, KANDINSKY, EASY = (
    "cogvideox1.5-5b",
    "cogvideox-2b",
    "kandinsky5-lite",
    "easyanimate-v5.1-12b-control",
)
ANIMATE_2, HELIOS, LTX_2_3, H3 = (
    "wan2.2-animate-2-14b",
    "helios-base",
    "ltx-2.3",
    "minimax-h3",
)
WAN_OR_LTX = (T2V, I2V, VACE, TI2V, LTX, LTX_98, PUSA, A14B)
OTHERS = (
    *(ANIMATE, SKYREELS, FORCING, HUNYUAN, HUNYUAN_I2V, FRAMEPACK),
    *(COG, COG_SMALL, KANDINSKY, EASY),
    *(ANIMATE_2, HELIOS, LTX_2, LTX_2_3, H3),
)
MODELS = (*WAN_OR_LTX, *OTHERS)

TEXT, PICTURE, BETWEEN = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE
POSE = Feature.POSE_GUIDANCE
LONG = {"num_frames": 9}
ODD = {"num_frames": 9, "width": 48, "height": 48}
"""27 tokens in most models: one rank has one more than the other."""
LARGER = {"num_frames": 9, "width": 64, "height": 64}

ATTENTION = re.compile(r"((visual_)?transformer_)?blocks\.0\.(attn1|attn|self_attn|self_attention)")

GONE_S = 120.0
"""Within it a process that was killed, or has seen its parent go, is gone on any machine."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights of the models."""
    return save(tmp_path_factory.mktemp("weights"), MODELS)


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have weights that are made in fewer bits kept in a folder of these tests, by all ranks."""
    place = str(tmp_path_factory.mktemp("hf") / "hub")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_HUB_CACHE", place)
        patched.setattr("huggingface_hub.constants.HF_HUB_CACHE", place)
        yield


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[Runtime]:
    """A runtime on two devices, whose other rank goes from test to test."""
    runtime = Runtime(LocalOptions(weights_dir=folder, device="cpu,cpu"))
    yield runtime
    runtime.unload()


@pytest.fixture(scope="module")
def single(folder: Path) -> Runtime:
    """A runtime on one device."""
    return Runtime(LocalOptions(weights_dir=folder, device="cpu"))


def pids(runtime: Runtime) -> list[int]:
    """The processes of the other ranks."""
    return [] if runtime._leader is None else runtime._leader.pids


def make(
    runtime: Runtime,
    request: Request,
    progress: Callable[[Progress], None] = ignore_progress,
    cancel: Any = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the frames of a request and how they were made."""
    never = cancel or NeverCanceled()
    with runtime.use(request.card, request.settings, ignore_progress, never) as loaded:
        with loaded.run_in_step(request, never) as both:
            make = getattr(loaded.engine, request.feature.value)
            clip = make(request.inputs, request.settings, progress, both)
        facts = {**loaded.facts, "acceleration": loaded.running.facts()}
    return np.asarray(clip.frames), facts


def first_tensor(said: Any) -> torch.Tensor:
    """Return the first tensor of an output, which may be in lists."""
    return said if isinstance(said, torch.Tensor) else first_tensor(said[0])


@dataclass(frozen=True)
class Observed:
    """A video, and what could be seen of its making."""

    frames: np.ndarray
    facts: dict[str, Any]
    told: list[Progress]
    first: torch.Tensor
    """What the transformer returned at its first call."""
    tokens: int
    """Of the video, that the first attention of its first block got then."""

    @classmethod
    def of(cls, runtime: Runtime, request: Request) -> Observed:
        """Make a video and watch it."""
        told: list[Progress] = []
        outputs: list[torch.Tensor] = []
        tokens: list[int] = []
        never = NeverCanceled()
        with (
            runtime.use(request.card, request.settings, ignore_progress, never) as loaded,
            contextlib.ExitStack() as stack,
        ):
            transformer = loaded.transformers[0]
            layer = next(m for n, m in transformer.named_modules() if ATTENTION.fullmatch(n))

            def see_tokens(_module: Any, given: Any, named: Any) -> None:
                states = named["hidden_states"] if "hidden_states" in named else given[0]
                tokens.append(states.shape[1])

            watched = (
                layer.register_forward_pre_hook(see_tokens, with_kwargs=True),
                transformer.register_forward_hook(
                    lambda _, __, said: outputs.append(first_tensor(said))
                ),
            )
            for hook in watched:
                stack.callback(hook.remove)
            with loaded.run_in_step(request, never) as both:
                make = getattr(loaded.engine, request.feature.value)
                clip = make(request.inputs, request.settings, told.append, both)
        return cls(np.asarray(clip.frames), dict(loaded.facts), told, outputs[0], tokens[0])


def gone(pid: int) -> bool:
    """Say whether a process is gone, after some time at the latest."""
    until = time.monotonic() + GONE_S
    while time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.05)
                continue
        return True
    return False


def at_step(number: int, act: Callable[[], None]) -> Callable[[Progress], None]:
    """Return a progress sink that does something once a number of steps is done."""

    def sink(progress: Progress) -> None:
        if progress.phase is Phase.DENOISING and progress.step == number:
            act()

    return sink


class Stop:
    """A token that can be set."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    def raise_if_canceled(self) -> None:
        if self.is_set:
            raise GenerationCanceledError("stopped")


class TestTheVideo:
    @pytest.mark.parametrize(
        ("model", "feature", "changes"),
        [
            (T2V, TEXT, {}),
            pytest.param(T2V, TEXT, ODD, id="27 tokens"),
            (I2V, PICTURE, {}),
            pytest.param(TI2V, PICTURE, {"width": 64, "height": 64}, id="a moment for each token"),
            (PUSA, PICTURE, {}),
            pytest.param(A14B, TEXT, {}, id="two experts"),
            (LTX, TEXT, LONG),
            (LTX, PICTURE, {**LONG, "width": 96}),
            pytest.param(LTX_98, BETWEEN, {"num_frames": 17}, id="tokens behind the video's"),
            pytest.param(VACE, POSE, {}, id="hints of a control video"),
            pytest.param(VACE, BETWEEN, ODD, id="hints for 27 tokens"),
            pytest.param(ANIMATE, POSE, ODD, id="faces of frames that two ranks share"),
            pytest.param(SKYREELS, PICTURE, ODD, id="a picture beside the text"),
            pytest.param(FORCING, TEXT, ODD, id="a moment for each frame"),
            pytest.param(HUNYUAN, TEXT, ODD, id="text with a mask"),
            (HUNYUAN_I2V, PICTURE, {}),
            pytest.param(FRAMEPACK, PICTURE, {"num_frames": 37}, id="tokens before the video's"),
            pytest.param(COG, TEXT, {"num_frames": 8}, id="rotary positions from outside"),
            pytest.param(COG_SMALL, TEXT, ODD, id="no rotary positions"),
            (KANDINSKY, TEXT, ODD),
            (EASY, POSE, ODD),
            pytest.param(ANIMATE_2, POSE, ODD, id="keys and values that are kept"),
            pytest.param(
                HELIOS, TEXT, {"width": 64, "height": 64, "num_frames": 37}, id="a past in pieces"
            ),
            pytest.param(LTX_2, TEXT, LARGER, id="sound beside the video"),
            pytest.param(LTX_2_3, PICTURE, LARGER, id="sound, and a moment for each token"),
            pytest.param(
                H3,
                TEXT,
                {"width": 64, "height": 32, "num_frames": 124},
                id="text, sound and video in one row",
            ),
        ],
    )
    def test_is_that_of_one_device(
        self,
        pair: Runtime,
        single: Runtime,
        studio: Materials,
        model: str,
        feature: Feature,
        changes: dict[str, Any],
    ) -> None:
        """The same seed gives the same video, to the last bit of rounding, and as many steps.

        What the transformer says at its first step is compared too: the frames of tiny models may
        hide a difference. Each device has half of the tokens.
        """
        media = None
        if model == ANIMATE_2:
            media = {"image": studio.picture(), "guiding_video": studio.video()}
        request = studio.request(model, feature, media=media, **changes)
        expected, found = Observed.of(single, request), Observed.of(pair, request)
        assert found.facts["parallel"] == {"devices": ["cpu", "cpu"]}
        assert expected.frames.std() > 5, "a grey picture would be equal to any other"
        difference = found.frames.astype(int) - expected.frames.astype(int)
        assert np.abs(difference).max() <= 1
        assert found.told == expected.told
        assert found.first.allclose(expected.first, rtol=1e-4, atol=1e-5)
        assert found.tokens in {expected.tokens // 2, -(-expected.tokens // 2)}

    @pytest.mark.parametrize("model", [T2V, VACE])
    def test_is_that_of_one_device_with_a_cache(
        self, pair: Runtime, single: Runtime, studio: Materials, model: str
    ) -> None:
        """Both ranks leave out the same blocks: those that one device leaves out."""
        cached = {"cache_threshold": 0.06, "remember_prompts": False}
        request = studio.request(model, num_inference_steps=14, acceleration=cached)
        expected, alone = make(single, request)
        found, facts = make(pair, request)
        assert facts["acceleration"] == alone["acceleration"]
        assert facts["acceleration"]["cache"]["skipped"] > 0
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_is_that_of_one_device_with_loras(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """The few-step weights are on all ranks, and off after the call."""
        plain = studio.request(A14B)
        quick = studio.request(
            A14B, acceleration="turbo", num_inference_steps=2, guidance_scale=1.0
        )
        for request in (quick, plain):
            expected, _ = make(single, request)
            found, facts = make(pair, request)
            assert bool(facts["acceleration"].get("few_steps")) is (request is quick)
            assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_is_that_of_one_device_with_weights_in_fewer_bits(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """Each rank rounds the weights as one device does."""
        small = {"quantization": {"transformer": "int8"}}
        request = studio.request(T2V, **small)
        expected, _ = make(single, request)
        assert not np.array_equal(expected, make(single, studio.request(T2V))[0])
        found, facts = make(pair, request)
        assert "refused" not in facts["parallel"]
        assert facts["quantization"]
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_is_that_of_one_device_from_given_noise(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """Tensors go to the other ranks as they are."""
        request = studio.request(T2V)
        generator = torch.Generator("cpu").manual_seed(11)
        noise = torch.randn(1, 16, 2, 4, 4, generator=generator)
        given = replace(request, objects={"latents": noise})
        expected, _ = make(single, given)
        assert not np.array_equal(expected, make(single, request)[0])
        found, facts = make(pair, given)
        assert "refused" not in facts["parallel"]
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_each_device_has_half_of_the_tokens(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """The blocks see half of what they see on one device, during the call only."""
        request = studio.request(T2V)
        seen: dict[Runtime, list[int]] = {single: [], pair: []}
        for runtime, tokens in seen.items():
            with runtime.use(
                request.card, request.settings, ignore_progress, NeverCanceled()
            ) as loaded:
                block = loaded.transformers[0].blocks[0].ffn
                hook = block.register_forward_pre_hook(
                    lambda _module, given, tokens=tokens: tokens.append(given[0].shape[1])
                )
                with loaded.run_in_step(request, NeverCanceled()) as both:
                    make = getattr(loaded.engine, request.feature.value)
                    make(request.inputs, request.settings, ignore_progress, both)
                hook.remove()
                processors = [b.attn1.processor for b in loaded.transformers[0].blocks]
                assert all(p._parallel_config is None for p in processors)
        assert len(seen[pair]) == len(seen[single]) > 0
        assert set(seen[single]) == {8}
        assert set(seen[pair]) == {4}


class TestTheRecord:
    def test_says_that_a_callback_stays_here(
        self, pair: Runtime, studio: Materials, tmp_path: Path
    ) -> None:
        """What no other process can have is used here, on one device, and the job says so.

        What another model has left on the other devices is freed.
        """
        calls: list[int] = []

        def callback(_pipe: Any, index: int, _at: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            calls.append(index)
            return tensors

        request = replace(studio.request(T2V), objects={"callback_on_step_end": callback})
        report = run_request(request, runtime=pair, target=tmp_path / "clip.mp4")
        why = "callback_on_step_end is an object of this process"
        assert report.facts["parallel"] == {"devices": ["cpu"], "refused": why}
        assert why in report.message
        assert pids(pair) == []
        assert calls == [0, 1]

    def test_more_devices_than_heads(self, folder: Path, studio: Materials, tmp_path: Path) -> None:
        """Each device works on heads of its own; one that gets none is left out, and named so."""
        runtime = Runtime(LocalOptions(weights_dir=folder, device="cpu,cpu,cpu"))
        report = run_request(studio.request(T2V), runtime=runtime, target=tmp_path / "clip.mp4")
        why = "3 devices cannot share the 2 heads of its attention: 2 of them do"
        assert report.facts["parallel"] == {"devices": ["cpu", "cpu"], "refused": why}
        assert f"cpu, cpu made it: {why}" in report.message
        assert len(pids(runtime)) == 1
        runtime.unload()

    def test_nothing_is_compiled(self, pair: Runtime, studio: Materials) -> None:
        """Who asks for compiled blocks hears that they do not go together with several devices.

        The ranks that were called do not wait for a call that never comes.
        """
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        with pytest.raises(ValidationError, match="several devices"):
            make(pair, studio.request(T2V, acceleration={"compile": "on"}))
        assert gone(pid)


class TestTheRanks:
    def test_stay_for_the_next_job_until_another_runtime_takes_over(
        self, pair: Runtime, folder: Path, studio: Materials
    ) -> None:
        """The next video needs no new processes, of whatever model.

        A process has one group; the one that is not in use makes room. Unloading ends the ranks.
        """
        make(pair, studio.request(T2V))
        before = pids(pair)
        make(pair, studio.request(T2V, seed=8))
        make(pair, studio.request(I2V, PICTURE))
        assert pids(pair) == before
        (pid,) = before
        other = Runtime(LocalOptions(weights_dir=folder, device="cpu,cpu"))
        _, facts = make(other, studio.request(T2V))
        assert "refused" not in facts["parallel"]
        assert gone(pid)
        (pid,) = pids(other)
        other.unload()
        assert gone(pid)

    def test_a_stopped_job_leaves_none(
        self, pair: Runtime, single: Runtime, studio: Materials
    ) -> None:
        """A job that is canceled in its middle ends them, and the next one has new ones."""
        request, stop = studio.request(T2V, num_inference_steps=6), Stop()
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        with pytest.raises(GenerationCanceledError):
            make(pair, request, at_step(2, stop.set), stop)
        assert pids(pair) == []
        assert gone(pid)
        expected, _ = make(single, request)
        found, facts = make(pair, request)
        assert "refused" not in facts["parallel"]
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1

    def test_one_that_dies_fails_the_job(self, pair: Runtime, studio: Materials) -> None:
        """A rank that is killed is an error that names its device, and the next job works."""
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        kill = at_step(2, lambda: os.kill(pid, signal.SIGKILL))
        with pytest.raises(GenerationError, match="has ended") as caught:
            make(pair, studio.request(T2V, num_inference_steps=50), kill)
        assert caught.value.code == "rank_lost"
        assert caught.value.details["status"] == -signal.SIGKILL
        make(pair, studio.request(T2V))
        assert pids(pair) != [pid]

    def test_one_that_hangs_fails_the_job_and_one_that_fails_says_why(
        self,
        pair: Runtime,
        studio: Materials,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A rank that neither goes on nor ends does not stop the job for ever.

        What goes wrong in the next one is the job's error, in its own words and code.
        """
        make(pair, studio.request(T2V))
        (pid,) = pids(pair)
        stop = at_step(2, lambda: os.kill(pid, signal.SIGSTOP))
        with monkeypatch.context() as patched:
            patched.setattr(workers, "STALL_TIMEOUT_S", 1.0)
            with pytest.raises(GenerationError, match="not come further") as caught:
                make(pair, studio.request(T2V, num_inference_steps=50), stop)
        assert caught.value.code == "rank_stuck"
        assert gone(pid)
        place = folder / T2V / "transformer"
        place.rename(folder / "elsewhere")
        try:
            with pytest.raises(GenerationError, match="cannot be loaded") as caught:
                make(pair, studio.request(T2V))
        finally:
            (folder / "elsewhere").rename(place)
        assert caught.value.code == ConfigurationError.code
        assert pids(pair) == []

    def test_one_that_cannot_read_fails_the_job(self, pair: Runtime, studio: Materials) -> None:
        """A message that means nothing to another rank ends it at once."""
        make(pair, studio.request(T2V))
        (member,) = pair._leader._band._members  # type: ignore[union-attr]
        member.connection.send_bytes(b"no pickle")
        assert gone(member.process.pid)
        make(pair, studio.request(T2V))
        assert pids(pair) != [member.process.pid]

    def test_they_end_with_their_parent(self, folder: Path) -> None:
        """A process that is killed in the middle of a video leaves nobody behind."""
        script = textwrap.dedent(
            """
            import os, signal, sys
            from pathlib import Path
            import torch
            from tests.local.materials import Materials
            from tests.local.parallel.test_parallel import at_step, make, pids
            from tiomagic_local.options import LocalOptions
            from tiomagic_local.runtime.pipeline_cache import Runtime

            torch.set_num_threads(1)
            runtime = Runtime(LocalOptions(weights_dir=Path(sys.argv[1]), device="cpu,cpu"))

            def die():
                print(*pids(runtime), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

            studio = Materials(Path(sys.argv[2]))
            make(runtime, studio.request(num_inference_steps=50), at_step(2, die))
            """
        )
        ended = subprocess.run(
            [sys.executable, "-c", script, str(folder), str(folder / "inputs")],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=280,
        )
        assert ended.returncode == -signal.SIGKILL
        (pid,) = map(int, ended.stdout.split())
        assert gone(pid)


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
