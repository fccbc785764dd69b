"""Previews: when they are drawn, of what, in which colours, and where they wait."""

from __future__ import annotations

import copy
import inspect
import io
import itertools
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import diffusers
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.families.doodle import SIDE
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.progress import Phase, Preview, Progress
from tiomagic_domain.testing.contracts.provider import RecordingObserver
from tiomagic_local import fit_preview
from tiomagic_local.jobs.previews import STALE_S, SpooledPreviews
from tiomagic_local.options import LocalOptions
from tiomagic_local.preview.colours import (
    FILE,
    LatentColours,
    LatentSpace,
    find_colours,
    fitted_file,
)
from tiomagic_local.preview.drawer import PreviewDrawer, shown_frames
from tiomagic_local.preview.estimate import find_estimate, follow_line, keep_estimate
from tiomagic_local.preview.fitting import draw_clip, solve
from tiomagic_local.preview.request import (
    EVERY_S,
    EVERY_STEPS,
    LARGEST_SHARE,
    PreviewPace,
    current_preview_request,
)
from tiomagic_local.provider import LocalProvider
from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR
from tiomagic_media.pictures.strip import GAP, LONG_SIDE, MAX_STRIP_BYTES, draw_strip

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local.materials import Materials

    from tiomagic_domain.ports.provider import Report, Request

DOODLE = PACKAGED_WEIGHTS_DIR / "doodle"


class Viewer:
    """Someone who may look.

    Args:
        looks: Whether they look now.
    """

    def __init__(self, *, looks: bool = True) -> None:
        self.looks = looks
        self.asked = 0
        self.reasons: list[str] = []

    def is_wanted(self) -> bool:
        """Return whether they look."""
        self.asked += 1
        return self.looks

    def refuse(self, reason: str) -> None:
        """Keep a reason."""
        self.reasons.append(reason)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Return its time."""
        return self.seconds


class TestPace:
    def test_a_preview_follows_some_steps_and_some_time_after_the_last(self) -> None:
        """Neither many quick steps nor few slow ones bring more than the limits allow."""
        clock = HandClock()
        pace = PreviewPace(Viewer(), clock)
        drawn = []
        for step in range(1, 101):
            clock.seconds += EVERY_S / 5
            if pace.is_due(step):
                with pace.spend(step):
                    drawn.append((step, clock.seconds))
        gaps = [after[0] - before[0] for before, after in itertools.pairwise(drawn)]
        assert len(drawn) > 10
        assert min(gaps) >= 5
        slow = PreviewPace(Viewer(), clock)
        steps = []
        for step in range(1, 11):
            clock.seconds += 60
            if slow.is_due(step):
                with slow.spend(step):
                    steps.append(step)
        assert steps == list(range(EVERY_STEPS, 11, EVERY_STEPS))

    def test_a_preview_that_costs_much_is_drawn_seldom(self) -> None:
        """One that takes three seconds leaves the run alone for three hundred."""
        clock = HandClock()
        pace = PreviewPace(Viewer(), clock)
        spent, began = 0.0, clock.seconds
        for step in range(1, 2001):
            clock.seconds += 1
            if pace.is_due(step):
                with pace.spend(step):
                    clock.seconds += 3
                    spent += 3
        assert spent > 6
        assert spent <= LARGEST_SHARE * (clock.seconds - began) + 3

    def test_while_nobody_looks_nothing_is_due_and_little_is_asked(self) -> None:
        """The question is a look at a file: it is asked twice a second, not at each step."""
        clock, viewer = HandClock(), Viewer(looks=False)
        pace = PreviewPace(viewer, clock)
        for step in range(1, 1001):
            clock.seconds += EVERY_S / 100
            assert not pace.is_due(step)
        assert viewer.asked <= 12
        viewer.looks = True
        clock.seconds += EVERY_S
        assert pace.is_due(1001)


class Pipeline:
    """What a drawer knows of a pipeline."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler


def colours(channels: int = 4) -> LatentColours:
    """Return colours that show the first three channels."""
    factors = torch.zeros(3, channels)
    factors[:, :3] = torch.eye(3)
    return LatentColours(factors=factors, bias=torch.zeros(3))


def drawer(scheduler: Any, viewer: Viewer, **changes: Any) -> PreviewDrawer:
    """Return a drawer of plain latents."""
    given = {"unpack": lambda latents: latents[0], "find": colours, "command": "fit it", **changes}
    return PreviewDrawer(Pipeline(scheduler), request=viewer, **given)


class TestEstimate:
    def test_euler_steps_lead_to_the_clean_latents(self) -> None:
        """On a straight flow the first step already shows the end, to rounding."""
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0)
        scheduler.set_timesteps(20)
        clean, noise = torch.randn(2, 1, 4, 3, 6, 6, generator=torch.manual_seed(0))
        before = scheduler.sigmas[0] * noise + (1 - scheduler.sigmas[0]) * clean
        time_step = scheduler.timesteps[0]
        after = scheduler.step(noise - clean, time_step, before, return_dict=False)[0]
        assert find_estimate(scheduler, after) is None
        assert not torch.allclose(after, clean, atol=0.5)
        found = follow_line(scheduler, before, after)
        assert found is not None
        assert torch.allclose(found, clean, atol=1e-4)

    def test_a_scheduler_that_predicts_the_end_is_asked_for_it(self) -> None:
        """UniPC keeps its predictions: the newest is the clean latents."""
        scheduler = diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        )
        scheduler.set_timesteps(10)
        clean, noise = torch.randn(2, 1, 4, 3, 6, 6, generator=torch.manual_seed(0))
        sigma = scheduler.sigmas[0]
        before = sigma * noise + (1 - sigma) * clean
        after = scheduler.step(noise - clean, scheduler.timesteps[0], before, return_dict=False)[0]
        found = find_estimate(scheduler, after)
        assert found is not None
        assert torch.allclose(found, clean, atol=1e-4)

    def test_a_scheduler_that_keeps_its_estimate_is_called_as_before(self) -> None:
        """Pipelines read the arguments of ``step``, and copies are schedulers of their own."""
        kind = keep_estimate(diffusers.DDIMScheduler)
        assert inspect.signature(kind.step) == inspect.signature(diffusers.DDIMScheduler.step)
        scheduler, plain = kind(), diffusers.DDIMScheduler()
        other = copy.deepcopy(scheduler)
        sample, said = torch.randn(2, 1, 4, 8, 8, generator=torch.manual_seed(0))
        for one in (scheduler, plain, other):
            one.set_timesteps(5)
        time_step = scheduler.timesteps[0]
        result = scheduler.step(said, time_step, sample, return_dict=False)
        assert torch.equal(result[0], plain.step(said, time_step, sample, return_dict=False)[0])
        assert torch.equal(find_estimate(scheduler, sample), result[1])
        assert find_estimate(other, sample) is None


class TestDrawer:
    def test_it_shows_where_the_line_of_a_step_leads(self) -> None:
        """Noise is not shown: the second step has a line, and the picture at its end."""
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0)
        scheduler.set_timesteps(20)
        noise = torch.randn(1, 4, 5, 8, 8, generator=torch.manual_seed(0))
        clean = torch.zeros_like(noise)
        clean[:, 0] = 1.0  # Red.
        latents, draws = noise, drawer(scheduler, Viewer())
        found = None
        for step in (1, 2):
            time_step = scheduler.timesteps[step - 1]
            latents = scheduler.step(noise - clean, time_step, latents, return_dict=False)[0]
            found = draws.after_step(step, latents)
        assert isinstance(found, Preview)
        picture = np.asarray(Image.open(io.BytesIO(found.jpeg)).convert("RGB"), dtype=int)
        assert picture.shape == (LONG_SIDE, 3 * LONG_SIDE + 2 * GAP, 3)
        assert picture[20:140, 20:140, 0].min() > 240
        assert picture[20:140, 20:140, 1:].max() < 15

    def test_no_colours_are_a_reason_that_names_the_command(self) -> None:
        """It is said once, and the run is left alone."""
        viewer = Viewer()
        draws = drawer(diffusers.DDIMScheduler(), viewer, find=lambda: None)
        found = draws.after_step(1, torch.zeros(1, 4, 2, 4, 4))
        assert found is not None
        assert not found.jpeg
        assert "fit it" in found.reason
        assert draws.after_step(2, torch.zeros(1, 4, 2, 4, 4)) is None
        assert viewer.reasons == [found.reason]

    def test_latents_that_it_does_not_know_end_the_previews_and_not_the_run(self) -> None:
        """Another number of channels is a reason, not an error."""
        viewer = Viewer()
        draws = drawer(diffusers.DDIMScheduler(), viewer)
        assert draws.after_step(1, torch.zeros(1, 2, 2, 4, 4)) is not None
        assert "do not have its channels" in viewer.reasons[0]

    def test_while_nobody_looks_no_latents_are_read(self) -> None:
        """Not even unpacked."""
        read = []
        draws = drawer(diffusers.DDIMScheduler(), Viewer(looks=False), unpack=read.append)
        assert draws.after_step(1, torch.zeros(1, 4, 2, 4, 4)) is None
        assert read == []

    @pytest.mark.parametrize(
        ("count", "frames"), [(1, [0]), (2, [1]), (3, [1, 2]), (5, [1, 2, 4]), (21, [1, 10, 20])]
    )
    def test_three_frames_are_enough(self, count: int, frames: list[int]) -> None:
        """The beginning, the middle and the end; of a short clip what there is."""
        assert shown_frames(count) == frames

    def test_even_noise_is_a_small_file(self) -> None:
        """What no JPEG can make small is made coarse."""
        noise = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), dtype=np.uint8)
        assert len(draw_strip(noise)) <= MAX_STRIP_BYTES


class TestColours:
    def test_those_of_doodle_belong_to_its_weights(self) -> None:
        """A retrained VAE has other latents; then ``fit_preview doodle`` makes its colours."""
        vae = fit_preview.load_vae(find_model("doodle"), LocalOptions(device="cpu"))
        found = find_colours(vae, DOODLE)
        assert found is not None
        assert found.facts == LatentColours.load(DOODLE / FILE).facts
        clip = draw_clip(np.random.default_rng(999), SIDE, 17)
        given = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        with torch.no_grad():
            encoded = vae.encode(given).latent_dist.mode()[0]
        latents = LatentSpace.of(vae).normalise(encoded)
        shown = found.paint(found.project(latents))[0].permute(1, 2, 0)
        wanted = torch.nn.functional.avg_pool2d(given[0, :, 0] / 2 + 0.5, SIDE // 16).permute(
            1, 2, 0
        )
        error = (shown - wanted).square().mean()
        assert float(-10 * torch.log10(error)) > 14

    def test_a_command_finds_those_of_a_model_and_its_runs_use_them(
        self, weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are kept beside the hub's cache; another VAE does not find them."""
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(fit_preview, "SIZE", 32)
        arguments = ["--weights-dir", str(weights_dir), "--device", "cpu", "--clips", "2"]
        assert fit_preview.main(["wan2.1-vace-1.3b", *arguments]) == 0
        options = LocalOptions(weights_dir=weights_dir, device="cpu")
        vae = fit_preview.load_vae(find_model("wan2.1-vace-1.3b"), options)
        assert find_colours(vae, tmp_path) is not None
        assert fitted_file(vae).is_relative_to(tmp_path)
        vae.register_to_config(latents_mean=[0.0] * 16)
        assert find_colours(vae, tmp_path) is None

    def test_a_model_that_is_not_here_is_not_downloaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The command says how to get it."""
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        assert fit_preview.main(["wan2.1-t2v-14b"]) == 1
        assert "tiomagic download wan2.1-t2v-14b" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            '{"factors": [[1], [2]], "bias": [0, 0, 0]}',
            '{"factors": [[1], [2], [3]], "bias": [0]}',
            '{"factors": [["a"], [2], [3]], "bias": [0, 0, 0]}',
            '{"factors": [[NaN], [2], [3]], "bias": [0, 0, 0]}',
        ],
    )
    def test_a_file_of_another_form_is_none(self, tmp_path: Path, text: str) -> None:
        """A run without previews is better than none."""
        (tmp_path / FILE).write_text(text)
        assert LatentColours.load(tmp_path / FILE) is None

    def test_the_map_is_found(self) -> None:
        """Colours that depend on the latents as a plane are found as that plane."""
        latents = torch.randn(500, 6, generator=torch.manual_seed(0))
        factors, bias = torch.randn(6, 3, generator=torch.manual_seed(1)), torch.tensor([1.0, 2, 3])
        found, offset = solve(latents, latents @ factors + bias)
        assert torch.allclose(found, factors, atol=0.01)
        assert torch.allclose(offset, bias, atol=0.01)


class TestSpool:
    def test_a_job_that_nobody_asked_about_has_none(self, tmp_path: Path) -> None:
        """The first look asks for previews; the next ones get them."""
        previews = SpooledPreviews(tmp_path / "spool")
        assert not previews.is_asked("a")
        assert previews.ask("a") == Preview()
        assert previews.is_asked("a")
        previews.put("a", b"picture")
        assert previews.ask("a") == Preview(jpeg=b"picture")
        assert previews.ask("b") == Preview()
        previews.remove("a")
        assert not previews.is_asked("a")

    def test_without_a_folder_there_are_none(self, tmp_path: Path) -> None:
        """A file where the folder would be is no error."""
        (tmp_path / "spool").write_text("")
        previews = SpooledPreviews(tmp_path / "spool")
        previews.put("a", b"picture")
        previews.refuse("a", "no")
        assert previews.ask("a") == Preview()

    def test_what_nobody_needs_is_left_over(self, tmp_path: Path) -> None:
        """A picture of a run that died, and a question of yesterday: none for a job that waits."""
        previews = SpooledPreviews(tmp_path)
        for job_id in ("waits", "old", "died"):
            previews.ask(job_id)
        previews.put("died", b"picture")
        yesterday = time.time() - STALE_S - 1
        os.utime(tmp_path / "old.watched", (yesterday, yesterday))
        assert sorted(previews.list_leftover()) == ["died", "old"]


class Watching(RecordingObserver):
    """An observer that looks at the previews of its job as another process would.

    Args:
        look: Returns the preview.
    """

    def __init__(self, look: Callable[[], Preview]) -> None:
        super().__init__()
        self._look = look
        self.seen: list[Preview] = []
        self.shown: list[Progress] = []

    def report(self, report: Report) -> None:
        """Take a report, and look."""
        super().report(report)
        if report.progress is not None:
            self.seen.append(self._look())
            self.shown.append(report.progress)


class TestRuns:
    @pytest.fixture
    def provider(self, tmp_path: Path) -> LocalProvider:
        return LocalProvider(LocalOptions(device="cpu"), tmp_path / "spool")

    @pytest.fixture
    def request_of(self, studio: Materials) -> Callable[[], Request]:
        def make() -> Request:
            size = {"width": SIDE, "height": SIDE, "num_frames": 17, "num_inference_steps": 6}
            return studio.request("doodle", prompt="a red circle moves right", **size)

        return make

    def test_a_watched_run_makes_the_same_video(
        self, provider: LocalProvider, request_of: Callable[[], Request], tmp_path: Path
    ) -> None:
        """Its events bring pictures, another process finds them, and nothing of them is left."""
        plain, watched = request_of(), request_of()
        alone = provider.submit(plain, RecordingObserver())
        assert not list((tmp_path / "spool").glob("*preview*"))
        provider.preview(watched.job)
        viewer = Watching(lambda: provider.preview(watched.job))
        report = provider.submit(watched, viewer)
        assert report.status is JobStatus.COMPLETED
        pictures = [moment for moment in viewer.shown if moment.preview]
        assert pictures
        assert all(moment.phase is Phase.DENOISING for moment in pictures)
        assert any(found.jpeg for found in viewer.seen)
        assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".mp4", ".mp4"]
        videos = [one.video.path for one in (alone, report) if one.video is not None]
        first, second = map(decode, videos)
        assert np.array_equal(first, second)
        recipes = [one.video.recipe for one in (alone, report) if one.video is not None]
        assert "preview" not in json.dumps(recipes[1])

    def test_a_model_without_colours_says_how_to_find_them(
        self,
        options: LocalOptions,
        studio: Materials,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The watcher is told once where previews would come from; the video is made."""
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        provider = LocalProvider(options, tmp_path / "spool")
        request = studio.request()
        provider.preview(request.job)
        viewer = Watching(lambda: provider.preview(request.job))
        assert provider.submit(request, viewer).status is JobStatus.COMPLETED
        command = "python -m tiomagic_local.fit_preview wan2.1-t2v-1.3b"
        assert any(command in found.reason for found in viewer.seen)
        assert any(command in moment.note for moment in viewer.shown)

    def test_engines_outside_of_a_run_draw_none(self) -> None:
        """Other ranks of a group call the same engines, and nobody asks them."""
        assert current_preview_request() is None


def decode(path: Path) -> Any:
    """Return the frames of a video: uint8, (T, H, W, 3)."""
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
