"""SkyReels-V2 by Skywork: weights for words, for a picture, and some for both, at 24 frames/s.

The models of diffusion forcing (DF) know the noise of each frame by itself: a picture is a frame
without noise, so that one set of weights makes videos from words, from a picture, and between two.
The other models, for words or pictures alone, denoise all frames alike; in the authors' comparison
the one for pictures is slightly better than diffusion forcing. All frames are made together here,
within the 97 that the models were trained on. They have the architecture of Wan 2.1 and its limits.
Between two pictures, the video ends just before the last one, as in the authors' own code.

Noise on the given pictures (``addnoise_condition``) would be drawn without the seed, and is off.
No commit of these repositories is known to be good: the first one that is used stays in use.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tiomagic_domain.catalogue import settings
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.families.wan import ENGLISH_NEGATIVE_PROMPT, NEGATIVE_PROMPT
from tiomagic_domain.catalogue.licences import LicenceTerms, LicenceUse
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.keyframes import KeyframeMoments
from tiomagic_domain.schema.schema import MaxPixels, Schema

SCRIPT = "the authors' generate_video_df.py (github.com/SkyworkAI/SkyReels-V2)"
ALONE = "the authors' generate_video.py (github.com/SkyworkAI/SkyReels-V2)"
README = "the authors' README (github.com/SkyworkAI/SkyReels-V2)"
PAPER = "the authors' report (SkyReels-V2): a frame may be clean while the others are made"
MOMENTS = KeyframeMoments(step=4)
"""A picture is a latent frame of its own, which stands for four frames and ends with this one."""
PIXELS = 960 * 544
FRAMES = 97
FPS = 24


def _schema(feature: Feature, script: str = SCRIPT) -> Schema:
    words = feature is Feature.TEXT_TO_VIDEO
    width, height = (960, 544) if words else (None, None)
    schema = Schema(
        parameters=(
            *INPUTS[feature],
            # The authors' two scripts differ: Chinese for diffusion forcing, English for the rest.
            settings.negative_prompt(
                default=NEGATIVE_PROMPT if script == SCRIPT else ENGLISH_NEGATIVE_PROMPT,
                source=script,
            ),
            settings.side("width", default=width, multiple_of=16, low=16, high=1280),
            settings.side("height", default=height, multiple_of=16, low=16, high=1280),
            settings.num_frames(
                default=FRAMES, low=5, high=FRAMES, multiple_of=4, offset=1, source=script
            ),
            # The scripts' own; the README's table advises 50, which take five thirds of the time.
            settings.num_inference_steps(default=30, source=script),
            # For a picture the README says 5.0 with a shift of 5.0 in its table and of 3.0 in two
            # notes; the table is about all models, and diffusers' documentation has 5.0 too.
            settings.guidance_scale(default=6.0 if words else 5.0, source=README),
            settings.flow_shift(default=8.0 if words else 5.0, source=README),
            settings.SEED,
            settings.fps(default=FPS),
            settings.LORAS,
            *settings.MEMORY_SETTINGS,
            settings.ACCELERATION,
        ),
        rules=(MaxPixels(PIXELS),),
        objects=settings.OBJECT_ARGUMENTS,
    )
    if feature is Feature.INTERPOLATE:
        return schema.with_keyframes(MOMENTS, source=PAPER)
    return schema


DF_14B = ModelCard(
    name="skyreels-v2-df-14b-540p",
    title="SkyReels-V2 diffusion forcing 14B, 540p",
    family="skyreels-v2",
    description="Film-like shots at 24 frames a second from words, a picture, or two.",
    homepage="https://github.com/SkyworkAI/SkyReels-V2",
    licence="Skywork Community License",
    terms=LicenceTerms(
        use=LicenceUse.LIMITED,
        publishing="Commercial use is allowed without asking, under the Skywork Community License: "
        "nothing unlawful or harmful, and no internet service without a security review and "
        "record.",
        source="github.com/SkyworkAI/SkyReels-V2, LICENSE.txt",
    ),
    engine="skyreels_df",
    # overlap_history, of which the authors' README and diffusers recommend 17 or 37.
    context_frames=17,
    shows_last_frame=False,
    repository="Skywork/SkyReels-V2-DF-14B-540P-Diffusers",
    features=MappingProxyType(
        {
            feature: _schema(feature)
            for feature in (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)
        }
    ),
    fps=FPS,
    pixels=PIXELS,
    weights_gib=37.7,
    largest_gib=26.7,
    # Computed: 16 GiB a step, since each frame has a time step of its own.
    gpu_memory_gib=24,
    prompt_tokens=512,
)

DF_1_3B = replace(
    DF_14B,
    name="skyreels-v2-df-1.3b-540p",
    title="SkyReels-V2 diffusion forcing 1.3B, 540p",
    description="The small SkyReels: words, a picture, or two, on a gaming GPU.",
    repository="Skywork/SkyReels-V2-DF-1.3B-540P-Diffusers",
    weights_gib=13.7,
    largest_gib=10.6,
    gpu_memory_gib=8,
)

T2V_14B = replace(
    DF_14B,
    name="skyreels-v2-t2v-14b-540p",
    title="SkyReels-V2 text to video 14B, 540p",
    description="Film-like shots at 24 frames a second from words alone.",
    engine="skyreels_t2v",
    context_frames=1,
    repository="Skywork/SkyReels-V2-T2V-14B-540P-Diffusers",
    features=MappingProxyType({Feature.TEXT_TO_VIDEO: _schema(Feature.TEXT_TO_VIDEO, ALONE)}),
    gpu_memory_gib=16,
)

I2V_14B = replace(
    DF_14B,
    name="skyreels-v2-i2v-14b-540p",
    title="SkyReels-V2 image to video 14B, 540p",
    description="Brings one picture to life, film-like, at 24 frames a second.",
    engine="skyreels_i2v",
    context_frames=1,
    repository="Skywork/SkyReels-V2-I2V-14B-540P-Diffusers",
    features=MappingProxyType({Feature.IMAGE_TO_VIDEO: _schema(Feature.IMAGE_TO_VIDEO, ALONE)}),
    # As Wan's model for pictures: the transformer 30.6, the text encoder 10.6, CLIP and the VAE in
    # fp32.
    weights_gib=44.0,
    largest_gib=30.6,
    gpu_memory_gib=16,
)

MODELS = (DF_14B, DF_1_3B, T2V_14B, I2V_14B)
