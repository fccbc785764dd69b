"""Arguments of the tools, with the words by which an agent reads them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

LONGEST_WAIT_S: Final = 55
"""Seconds that one look at a job may wait: clients end a call after a minute."""
MOST_JOBS: Final = 50
"""Jobs of one search."""
MOST_FRAMES: Final = 24
"""Frames of one picture."""

INSTRUCTIONS: Final = """\
tiomagic makes short videos. Call plan_video first: it says what the call makes, what it costs and
how long it takes, and gives a confirmation. Show the user the plan if it costs money or takes long.
Then call make_video with the same arguments and the confirmation; it returns at once with a job.
Look at the job with check_video until it is over, and look at the result with show_video."""

FeatureWord = Annotated[
    Literal["text_to_video", "image_to_video", "interpolate", "pose_guidance"],
    Field(description="What the video is made from."),
]
Model = Annotated[
    str | None, Field(description="A name of list_models; left out: the provider's default.")
]
ModelName = Annotated[str, Field(description="A name of list_models.")]
Arguments = Annotated[
    dict[str, Any],
    Field(
        description="Inputs and settings by name, as describe_model says, such as prompt, image, "
        "seconds, aspect, seed. A picture or a video is an https:// address or a data: URL; on "
        "your own machine also the path of a file, on a server also the job_id of a video."
    ),
]
Confirmation = Annotated[str, Field(description="What plan_video returned for exactly this call.")]
MaxCost = Annotated[
    float | None,
    Field(ge=0, description="Refuse the call if it may cost more, in the currency of the plan."),
]
JobId = Annotated[str, Field(description="A job's id.")]
Wait = Annotated[
    float,
    Field(
        ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the job's end before answering."
    ),
]
Words = Annotated[
    str | None, Field(description="Words that the prompt must contain, in any order.")
]
StatusWord = Literal["queued", "running", "canceling", "completed", "failed", "canceled"]
Tag = Annotated[str | None, Field(description="A tag that the job must have.")]
Since = Annotated[str | None, Field(description="Created since then: ISO 8601, or such as 7d ago.")]
Limit = Annotated[int, Field(ge=1, le=MOST_JOBS)]
Frames = Annotated[int, Field(ge=2, le=MOST_FRAMES)]
