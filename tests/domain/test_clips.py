"""What an engine returns: frames, and sound that has a form and a rate."""

from __future__ import annotations

from typing import Any

import pytest

from tiomagic_domain.features import TextToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.testing.contracts.features import TextToVideoContract
from tiomagic_domain.testing.engine import FakeEngine, hiss, noise

FRAMES = noise((2, 2, 2, 3), seed=1)


class TestAnEngineWithSound(TextToVideoContract):
    """The fake keeps the contract with sound as it does without."""

    @pytest.fixture
    def engine(self) -> FakeEngine:
        return FakeEngine(fps=25, audio_rate=8000)

    @pytest.fixture
    def inputs(self) -> TextToVideoInputs:
        return TextToVideoInputs(prompt="a fox")

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        sizes = {"width": 16, "height": 16, "num_frames": 5}
        return {**sizes, "num_inference_steps": 3, "seed": 7}


def test_a_clip_is_silent_or_has_sound_with_a_rate() -> None:
    """Both or neither."""
    silent = Clip(frames=FRAMES, fps=8)
    assert (silent.audio, silent.audio_rate) == (None, None)
    heard = Clip(frames=FRAMES, fps=8, audio=hiss(4, seed=1), audio_rate=16)
    assert heard.audio is not None
    assert heard.audio.shape == (4, 2)


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        ({"audio": hiss(4, seed=1)}, "sound needs its rate"),
        ({"audio_rate": 24000}, "a rate needs sound"),
        ({"audio": hiss(4, seed=1), "audio_rate": 0}, "more than 0"),
        ({"audio": FRAMES, "audio_rate": 24000}, "1 or 2 channels"),
    ],
)
def test_sound_of_another_form_is_refused(sound: dict[str, Any], words: str) -> None:
    """What could not be written into a file is no clip."""
    with pytest.raises(ValueError, match=words):
        Clip(frames=FRAMES, fps=8, **sound)
