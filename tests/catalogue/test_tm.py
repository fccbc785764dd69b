"""Every pipeline class and feature through the whole of ``tm``: from a call to an mp4's frames."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import av
import numpy as np
import pytest
from tests.catalogue.extremes import CASES, inputs_of, one_of_each, smallest
from tests.catalogue.stage import media_for
from tests.local.conftest import RealClock

from tiomagic import TioMagic
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import Phase, Progress

STEPS = 2


class HastyClock(RealClock):
    """A second has passed at every look, so that a call to stop is heard at the next moment."""

    def __init__(self) -> None:
        self._seconds = count()

    def monotonic(self) -> float:
        return float(next(self._seconds))


@pytest.fixture
def tm(tmp_path, wardrobe):
    """The real thing, over tiny weights."""
    tm = TioMagic(
        working_dir=tmp_path,
        provider="local",
        device="cpu",
        weights_dir=wardrobe.folder,
        accepted_terms=[card.name for card in models().values() if card.must_accept],
        overrides={"clock": HastyClock()},
    )
    yield tm
    tm.close()


def frames_of(video: str) -> np.ndarray:
    """Return the decoded frames: uint8, (T, H, W, 3)."""
    with av.open(video) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


class Stop:
    """Asks for the job to stop at the first moment of a phase, after its first step."""

    def __init__(self, tm: TioMagic, phase: Phase) -> None:
        self._tm, self._phase, self.asked = tm, phase, False

    def __call__(self, progress: Progress) -> None:
        begun = progress.phase is self._phase and (progress.step or self._phase is Phase.DECODING)
        if begun and not self.asked:
            self.asked = True
            (job, *_) = self._tm.list_jobs(limit=1)
            self._tm.cancel_job(job.job_id)


def pipeline_of(card: ModelCard, feature: Feature) -> tuple[str, Feature]:
    """Return what has a pipeline class of its own."""
    return card.engine, feature


LENGTH = 17
"""Frames of a video with a picture between its ends: two groups of the coarsest grid, and one."""
DECODED = one_of_each(one_of_each(CASES, by=pipeline_of))
"""A case of each engine: those whose pipeline is loaded anew, and stopped in the decoder."""
BETWEEN = [case for case in CASES if case[1] is Feature.INTERPOLATE]


@pytest.mark.parametrize(
    ("card", "feature", "pictures"),
    [
        *(
            pytest.param(*case, "inputs", id=f"{case[0].engine}-{case[1]}")
            for case in one_of_each(CASES, by=pipeline_of)
        ),
        *(
            pytest.param(*case, way, id=f"{case[0].engine}-{way}")
            for case in one_of_each(BETWEEN, by=pipeline_of)
            for way in ("keyframes", "last-alone")
            if (case[0].takes_keyframes if way == "keyframes" else case[0].takes_last_alone)
        ),
    ],
)
def test_a_pipeline(card, feature, pictures, tm, wardrobe, studio):
    """The mp4 has the rate of the model, and the size and the frames of the call.

    Made again from the same seed it has the same frames to the last bit: by a pipeline whose last
    run was stopped among the denoising steps, and by one that was loaded anew and stopped in the
    decoder. The latter knows nothing of a call's pictures: it is tried once for each engine.
    """
    wardrobe.provide(card)
    schema = card.schema(feature)
    numbers = smallest(schema)
    settings = {name: numbers[name] for name in ("width", "height", "num_frames")}
    if "num_inference_steps" in schema:
        settings["num_inference_steps"] = STEPS
    inputs = inputs_of(schema) | {
        name: item.path for name, item in media_for(card, feature, studio).items()
    }
    if pictures != "inputs" and card.takes_keyframes:
        settings["num_frames"] = LENGTH
    if pictures == "keyframes":
        (step, picture) = (schema.keyframes.step, studio.picture(colour="green").path)
        inputs["keyframes"] = [{"image": picture, "frame": step}]
    if pictures == "last-alone":
        del inputs["first_frame"]

    def make(progress: Callable[[Progress], None] | None = None) -> str:
        call = getattr(tm, feature.value)
        job = call(model=card.name, seed=7, progress=progress, **inputs, **settings)
        if progress is not None:
            assert progress.asked
            assert (job.status, job.result_video) == ("canceled", None)
            return ""
        assert job.status == "completed", job.error
        return job.result_video

    first = make()
    with av.open(first) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == card.fps
    frames = frames_of(first)
    assert frames.shape == (settings["num_frames"], settings["height"], settings["width"], 3)
    make(Stop(tm, Phase.DENOISING))
    assert np.array_equal(frames_of(make()), frames), "after a stop among the steps"
    anew = (card, feature) in DECODED and pictures == "inputs"
    if anew:
        tm.unload()
        make(Stop(tm, Phase.DECODING))
        assert np.array_equal(frames_of(make()), frames), "loaded anew, after a stop in the decoder"
    assert len(list(Path(first).parent.glob("*.mp4"))) == 2 + anew
