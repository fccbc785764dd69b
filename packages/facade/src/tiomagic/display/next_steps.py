"""The way to do what an error advises: in Python, in a shell, or at the page.

The domain and the adapters say what helps (:class:`tiomagic_domain.advice.NextStep`). Here the call
or the command is put behind it, in brackets. What another surface has put there is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Final

from tiomagic_domain.advice import NextStep
from tiomagic_domain.errors import TioMagicError, ValidationError

PYTHON: Final[Mapping[NextStep, str]] = MappingProxyType(
    {
        NextStep.CHANGE_SETTING_TO: "tm.configure({name}={value})",
        NextStep.CHANGE_SETTING: "tm.configure({name}=...)",
        NextStep.DEPLOY: "tiomagic {provider} deploy",
        NextStep.REPLACE_DEPLOYED: "tiomagic {provider} deploy --force",
        NextStep.CANCEL_AS_LOST: "tm.cancel_job('{job_id}', lost=True)",
        NextStep.CANCEL_AS_SEEN: "without lost=True",
        NextStep.CANCEL: "tm.cancel_job('{job_id}')",
        NextStep.CHECK_AGAIN: "tm.check_generation_status('{job_id}')",
        NextStep.TRUST: "trust=True",
        NextStep.BATCH: "tm.batch",
        NextStep.LIST_MODELS: "tm.get_models()",
        NextStep.GIVE_AS_PROMPT: "tm.{feature}(prompt={value})",
        NextStep.RUN_AGAIN: "tm.rerun('{job_id}')",
        NextStep.CONVERT: "tm.convert",
        NextStep.USE_PROVIDER: "tm.configure(provider='{provider}')",
        NextStep.USE_MODEL: "model='{model}'",
        NextStep.SHORTEN: "num_frames={frames}",
        NextStep.SHRINK: "width={width}, height={height}",
        NextStep.CHOOSE_RESOLUTION: "resolution='{resolution}'",
        NextStep.FORCE: "force=True",
        NextStep.DOWNLOAD_WEIGHTS: "tm.download('{model}')",
        NextStep.USE_OWN_WEIGHTS: "tm.configure(model_path=...)",
        NextStep.IDENTIFY_TO_HUB: "tm.configure(hf_token=...)",
        NextStep.ACCEPT_TERMS: "tm.configure(accepted_terms='{model}')",
    }
)
"""How each step is done in a program."""

SHELL: Final[Mapping[NextStep, str]] = MappingProxyType(
    {
        **PYTHON,
        NextStep.CHANGE_SETTING_TO: "TIOMAGIC_{NAME}={value}",
        NextStep.CHANGE_SETTING: "TIOMAGIC_{NAME}=...",
        NextStep.CANCEL_AS_LOST: "tiomagic cancel {job_id} --lost",
        NextStep.CANCEL_AS_SEEN: "without --lost",
        NextStep.CANCEL: "tiomagic cancel {job_id}",
        NextStep.CHECK_AGAIN: "tiomagic status {job_id}",
        NextStep.TRUST: "--trust",
        NextStep.BATCH: "tiomagic batch",
        NextStep.LIST_MODELS: "tiomagic models",
        NextStep.GIVE_AS_PROMPT: "tiomagic {command} {value}",
        NextStep.RUN_AGAIN: "tiomagic rerun {job_id}",
        NextStep.CONVERT: "tiomagic convert",
        NextStep.USE_PROVIDER: "-p {provider}",
        NextStep.USE_MODEL: "-m {model}",
        NextStep.SHORTEN: "--num-frames {frames}",
        NextStep.SHRINK: "--width {width} --height {height}",
        NextStep.CHOOSE_RESOLUTION: "--resolution {resolution}",
        NextStep.FORCE: "--force",
        NextStep.DOWNLOAD_WEIGHTS: "tiomagic download {model}",
        NextStep.USE_OWN_WEIGHTS: "--model-path FOLDER",
        NextStep.IDENTIFY_TO_HUB: "HF_TOKEN=...",
        NextStep.ACCEPT_TERMS: "--accept-terms {model}",
    }
)
"""How each step is done on a command line."""

PAGE: Final[Mapping[NextStep, str]] = MappingProxyType(
    {
        **SHELL,
        NextStep.CHANGE_SETTING_TO: "TIOMAGIC_{NAME}={value}, then start the page again",
        NextStep.CHANGE_SETTING: "TIOMAGIC_{NAME}=..., then start the page again",
        NextStep.CANCEL: "the button Cancel",
        NextStep.CHECK_AGAIN: "load the page again",
        NextStep.TRUST: "tiomagic rerun --trust, in a terminal",
        NextStep.USE_PROVIDER: "Runs on: {provider}",
        NextStep.USE_MODEL: "under All models",
        NextStep.SHORTEN: "Length",
        NextStep.SHRINK: "Size",
        NextStep.CHOOSE_RESOLUTION: "Resolution",
        NextStep.FORCE: "tick Make it all the same",
        NextStep.LIST_MODELS: "All models",
        NextStep.RUN_AGAIN: "the button Use these settings",
        NextStep.ACCEPT_TERMS: "tick the box above the button Make the video",
    }
)
"""How each step is done at the page; what it has no button for is a command in a terminal."""

_VALUES: Final = MappingProxyType(
    {
        "name": r"\w++",
        "value!r": r"'[^']*'|\d++",
        "model": r"[\w.-]*\w",
        "value": r"'[^']*'|\"[^\"]*\"",
        "feature": r"\w++",
        "job_id": r"[\w-]++",
        "provider": r"[\w-]++",
        "frames": r"\d++",
        "width": r"\d++",
        "height": r"\d++",
        "resolution": r"\w++",
    }
)


def add_ways(text: str, ways: Mapping[NextStep, str]) -> str:
    """Return a text with the way to do each step that it advises.

    Args:
        text: For a person.
        ways: :data:`PYTHON`, :data:`SHELL` or :data:`PAGE`; an empty one for a step that is left
            without a way.
    """
    for step, way in ways.items():
        pattern = _pattern(step)
        text = pattern.sub(lambda found, way=way: _with_way(found, way), text)  # type: ignore[misc]
    return text


@contextmanager
def advise_in_python() -> Iterator[None]:
    """Add the calls to the errors that leave the block; they stay the same objects.

    The notes of an interruption get them as well.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        notes: list[str] = getattr(interrupt, "__notes__", [])
        notes[:] = [add_ways(note, PYTHON) for note in notes]
        raise
    except TioMagicError as error:
        message = add_ways(error.message, PYTHON)
        if message != error.message:
            error.message = message
            error.args = (message, *error.args[1:])
        if isinstance(error, ValidationError) and error.problems:
            error.problems = tuple(
                replace(problem, message=add_ways(problem.message, PYTHON))
                for problem in error.problems
            )
            error.details["problems"] = [problem.to_dict() for problem in error.problems]
        raise


def _with_way(found: re.Match[str], way: str) -> str:
    if not way:
        return found["step"]
    values = found.groupdict()
    values["NAME"] = values.get("name", "").upper()
    values["command"] = values.get("feature", "").replace("_", "-")
    return f"{found['step']} [{way.format_map(values)}]"


@cache
def _pattern(step: NextStep) -> re.Pattern[str]:
    words = re.escape(step.value)
    for name, value in _VALUES.items():
        words = words.replace(re.escape(f"{{{name}}}"), f"(?P<{name.partition('!')[0]}>{value})")
    # "change the setting gpu" is the start of a longer step, too, which has its own way.
    return re.compile(rf"(?P<step>{words})(?! as lost| by force| to ['\d])(?: \[[^\]]*\])?")
