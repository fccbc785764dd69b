"""MiniMax H3: a video and its sound in one go, from words or between a first and a last picture.

One transformer denoises the tokens of the words, of the pictures, of the sound and of the video
together. Guidance is distilled into the weights: there is no guidance scale and no negative prompt.
The schedule of the picture is shifted by 12, that of the sound by 3.

The repository has the weights three times: those that diffusers reads, with one transformer for
words and pictures and another one for references (``transformer_ref``), and the authors' own. Only
what this model is made of is downloaded.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse, TermsToAccept
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import MaxPixels, Schema

HOMEPAGE = "https://github.com/MiniMax-AI/MiniMax-H3"
LICENCE = "https://huggingface.co/MiniMaxAI/MiniMax-H3/blob/main/LICENSE"
SOURCE = "diffusers 0.42.1, MiniMaxH3Blocks"
SCHEDULER = "github.com/MiniMax-AI/MiniMax-H3, scheduler/scheduler_config.json"
SERVER = (
    "SGLang's MiniMaxH3SamplingParams, which the requests of the authors' README run with: 50 "
    "points of the schedule, between which there are 49 steps"
)
GUIDE = "skills/h3-prompt-writing of the authors' repository"

SIZE = (1344, 768)
"""The authors' canvas for 16:9: the shorter side is 768, and the area has this limit."""
FPS = 24
CHUNK = 17
"""Frames that the VAE encodes at a time; a length is a number of them and 5."""
SHORTEST, LONGEST = 7 * CHUNK + 5, 20 * CHUNK + 5
"""The lengths of that form between 5 and 15 seconds, which the pipeline refuses to leave."""

FORM = "integrated_multimodal_description: [Shot 1] … overall_soundscape: … non_diegetic_music: …"
"""The form of the authors' prompts: what is seen and said, what is heard, and the music."""


def _inputs(feature: Feature) -> tuple[Parameter, ...]:
    return tuple(
        replace(
            parameter,
            description=f"{parameter.description} It is long in the authors' examples, in this "
            f"form: {FORM!r} ({GUIDE}).",
        )
        if parameter.name == "prompt"
        else parameter
        for parameter in INPUTS[feature]
    )


def _schema(feature: Feature) -> Schema:
    width, height = SIZE if feature is Feature.TEXT_TO_VIDEO else (None, None)
    return Schema(
        parameters=(
            *_inputs(feature),
            settings.side("width", default=width, multiple_of=32, low=32, high=2048),
            settings.side("height", default=height, multiple_of=32, low=32, high=2048),
            replace(
                settings.num_frames(
                    default=SHORTEST,
                    low=SHORTEST,
                    high=LONGEST,
                    multiple_of=CHUNK,
                    offset=5,
                    source=SOURCE,
                ),
                description="Length of the video; the model makes 5 to 15 seconds.",
            ),
            settings.num_inference_steps(default=49, source=SERVER),
            settings.flow_shift(default=12.0, source=SCHEDULER),
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.EXACT_ACCELERATION,
        ),
        rules=(MaxPixels(SIZE[0] * SIZE[1], multiple_of=32),),
    )


UNLIKE_AUTHORS = (
    "The authors rewrite each prompt first, and make 2K of the result afterwards: services of "
    "theirs, which are not public. Their shorter side is 768 pixels where that leaves no more than "
    "1344x768 of them; here a size from a picture has about as many as that in any shape."
)

H3 = ModelCard(
    name="minimax-h3",
    title="MiniMax H3",
    family="minimax-h3",
    description="5 to 15 seconds at 768p with stereo sound and speech, from words, from a picture, "
    "or up to one.",
    homepage=HOMEPAGE,
    unlike_authors=UNLIKE_AUTHORS,
    licence="MiniMax H3 Community (not for use in the EU, the UK, South Korea and the USA)",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Neither the model nor its videos may be used or shown in the EU, the UK, South "
        "Korea and the USA without an authorisation by MiniMax; a commercial product names the "
        "model, and needs their permission above 20 million US dollars of revenue a year; videos "
        "may not train other models.",
        source="huggingface.co/MiniMaxAI/MiniMax-H3, LICENSE of 2 August 2026, as other projects "
        "quote it",
    ),
    must_accept=TermsToAccept(
        says="The MiniMax H3 Community licence gives no rights in the European Union, the United "
        "Kingdom, South Korea and the United States, neither to the model nor to its videos, "
        "unless MiniMax authorises it, and has an acceptable use policy. Who uses the model is "
        "bound by it.",
        link=LICENCE,
    ),
    engine="minimax_h3",
    repository="MiniMaxAI/MiniMax-H3",
    # No commit is known to be good: the first one that is used stays in use.
    revision=None,
    unused=("transformer_ref", "FL2VA/*", "Ref2VA/*"),
    features=MappingProxyType(
        {
            Feature.TEXT_TO_VIDEO: _schema(Feature.TEXT_TO_VIDEO),
            Feature.IMAGE_TO_VIDEO: _schema(Feature.IMAGE_TO_VIDEO),
            Feature.INTERPOLATE: _schema(Feature.INTERPOLATE).with_free_beginning(),
        }
    ),
    fps=FPS,
    pixels=SIZE[0] * SIZE[1],
    weights_gib=134.1,
    largest_gib=62.1,
    gpu_memory_gib=32,
    # The pipeline reads prompts of any length. The authors' longest example has 724 words.
    prompt_tokens=4096,
)

MODELS = (H3,)
