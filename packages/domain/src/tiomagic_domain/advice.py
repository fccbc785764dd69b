"""What a person can do about an error, in words that fit every surface.

An error or a report says it in a sentence without calls and commands. The surface that shows the
sentence, a program, a shell or a page, adds its own way to do that.
"""

from __future__ import annotations

from enum import StrEnum


class NextStep(StrEnum):
    """Something to do, as a part of a sentence; its values stand in braces."""

    CHANGE_SETTING = "change the setting {name}"
    CHANGE_SETTING_TO = "change the setting {name} to {value!r}"
    DEPLOY = "deploy to {provider}"
    REPLACE_DEPLOYED = "deploy to {provider} by force"
    CANCEL = "cancel the job {job_id}"
    CANCEL_AS_LOST = "cancel the job {job_id} as lost"
    CANCEL_AS_SEEN = "cancel it without saying that it is lost"
    CHECK_AGAIN = "check the job {job_id} again"
    TRUST = "say that you trust them"
    BATCH = "make several videos as a batch"
    USE_PROVIDER = "run it on {provider}"
    USE_MODEL = "use the model {model}"
    SHORTEN = "make it {frames} frames long"
    SHRINK = "make it {width} pixels wide and {height} high"
    CHOOSE_RESOLUTION = "choose the resolution {resolution}"
    FORCE = "run it all the same"
    LIST_MODELS = "list the models"
    GIVE_AS_PROMPT = "give {value} as the prompt of {feature}"
    RUN_AGAIN = "run the job {job_id} again"
    CONVERT = "convert the video afterwards"
    DOWNLOAD_WEIGHTS = "download the weights of {model} once"
    USE_OWN_WEIGHTS = "use a folder of weights"
    IDENTIFY_TO_HUB = "give a token of the hub"
    ACCEPT_TERMS = "accept the terms of {model}"

    def say(self, **values: object) -> str:
        """Return the words.

        Args:
            **values: What the braces name.
        """
        return self.value.format_map(values)
