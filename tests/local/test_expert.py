"""Arguments of the pipeline itself, as Python objects, and prompts that are not read to the end."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.engines import can_run, find_engine
from tiomagic_local.engines._shared.pipeline import chain_callbacks, cut_text
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.runtime.run import run_request

if TYPE_CHECKING:
    from tests.local.materials import Materials

T2V = "wan2.1-t2v-1.3b"
LATENTS = (1, 16, 2, 4, 4)
"""Those of the smallest call: 5 frames of 32x32."""


def make(runtime: Runtime, studio: Materials, prompt: str = "a fox", **objects: Any) -> Any:
    """Return the frames of the smallest call with some objects."""
    request = studio.request(T2V, prompt=prompt)
    settings = {**request.settings, **objects}
    with runtime.use(request.card, settings, ignore_progress, NeverCanceled()) as loaded:
        clip = loaded.engine.text_to_video(
            request.inputs, settings, ignore_progress, NeverCanceled()
        )
    return np.asarray(clip.frames)


class TestObjects:
    def test_latents_are_the_noise(self, shared_runtime: Runtime, studio: Materials) -> None:
        """The noise that is given takes the place of the one that the seed draws."""
        seeded = make(shared_runtime, studio)
        drawn = torch.randn(LATENTS, generator=torch.Generator().manual_seed(7))
        other = torch.randn(LATENTS, generator=torch.Generator().manual_seed(8))
        assert (make(shared_runtime, studio, latents=drawn) == seeded).all()
        assert (make(shared_runtime, studio, latents=other) != seeded).any()

    def test_embeddings_take_the_place_of_words(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """What an encoder made of a prompt gives what the prompt gives; the words do not count."""
        expected = make(shared_runtime, studio, "a fox")
        card, settings = find_model(T2V), studio.request(T2V).settings
        with (
            shared_runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded,
            torch.no_grad(),
        ):
            words, negative = loaded.engine._pipeline.encode_prompt(
                "a fox", settings["negative_prompt"], max_sequence_length=card.prompt_tokens
            )
        given = {"prompt_embeds": words, "negative_prompt_embeds": negative}
        assert (make(shared_runtime, studio, "something else", **given) == expected).all()

    def test_a_callback_is_called_after_ours(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """It sees each step, may change the latents, and a None of it changes nothing."""
        expected = make(shared_runtime, studio)
        seen: list[int] = []

        def look(_pipeline: Any, index: int, _time: Any, _tensors: dict[str, Any]) -> None:
            seen.append(index)

        def empty(_pipeline: Any, _index: int, _time: Any, tensors: dict[str, Any]) -> Any:
            return {**tensors, "latents": torch.zeros_like(tensors["latents"])}

        looked = make(shared_runtime, studio, callback_on_step_end=look)
        emptied = make(shared_runtime, studio, callback_on_step_end=empty)
        assert seen == [0, 1]
        assert (looked == expected).all()
        assert (emptied != expected).any()

    def test_ours_comes_first(self) -> None:
        """A run that is stopped never reaches the caller's callback."""

        def stop(*_call: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

        theirs: list[Any] = []
        chained = chain_callbacks(stop, lambda *call: theirs.append(call))
        with pytest.raises(KeyboardInterrupt):
            chained(None, 0, None, {})
        assert not theirs

    @pytest.mark.parametrize("name", [name for name, card in models().items() if can_run(card)])
    def test_every_pipeline_knows_what_is_offered(self, name: str) -> None:
        """An object that a card takes is an argument of the pipeline that runs it."""
        import diffusers

        card = models()[name]
        pipeline = getattr(diffusers, find_engine(card.engine).pipeline)
        known = set(inspect.signature(pipeline.__call__).parameters)
        for schema in card.features.values():
            assert set(schema.objects) <= known


class TestLongPrompts:
    PROMPT = "a fox runs " * 100 + "over the hills"

    def test_the_unread_part_is_told_before_and_after(
        self, shared_runtime: Runtime, studio: Materials, tmp_path: Path
    ) -> None:
        """Before the time is spent and with the result: how much is read, and what is not."""
        told: list[str] = []
        report = run_request(
            studio.request(T2V, prompt=self.PROMPT),
            runtime=shared_runtime,
            target=tmp_path / "clip.mp4",
            progress=lambda moment: told.append(moment.phase.value),
            note=told.append,
        )
        cut = report.facts["prompt_cut"]
        assert cut.endswith("over the hills")
        assert self.PROMPT.endswith(cut)
        (note,) = [text for text in told if "tokens" in text]
        assert told.index(note) < told.index("denoising")
        assert f"{report.facts['prompt_tokens']} tokens, of which the model reads 512" in note
        assert note.endswith("…'")
        assert report.facts["notes"] == [note]
        assert report.message == f"completed; {note}"

    def test_a_short_one_is_not_spoken_of(
        self, shared_runtime: Runtime, studio: Materials, tmp_path: Path
    ) -> None:
        """Nothing is said of a prompt that is read to its end."""
        told: list[str] = []
        report = run_request(
            studio.request(T2V, Feature.TEXT_TO_VIDEO),
            runtime=shared_runtime,
            target=tmp_path / "clip.mp4",
            note=told.append,
        )
        assert (told, report.message) == ([], "completed")
        assert not {"prompt_cut", "notes"} & report.facts.keys()

    def test_what_is_read_and_what_is_cut_is_the_whole(self) -> None:
        """The read part has as many tokens as are read, with and without places in the text."""
        from examples.tiny_vace import tokenizer

        fast = tokenizer()
        text = "the quick brown fox"

        class Slow:
            """A tokenizer that does not know where its tokens stand."""

            is_fast = False
            decode = fast.decode

            def __call__(self, *given: Any, **rest: Any) -> Any:
                return fast(*given, **rest)

        for limit in (5, 9, 12):
            cut = cut_text(fast, text, limit)
            assert text.endswith(cut)
            assert len(fast(text.removesuffix(cut).strip()).input_ids) <= limit
            assert cut_text(Slow(), text, limit) == cut
