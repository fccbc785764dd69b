"""What a person should know about the video of a job: where it is not as it was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tiomagic.display.phrases.rewording import reword
from tiomagic.display.phrases.vocabulary import Vocabulary
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.requests.carrying import describe_changes
from tiomagic_domain.requests.preparation import SIZE_NOTES_FACT
from tiomagic_domain.spending.fallback import describe_passed_over


def say_job_warnings(job: Job, words: Vocabulary) -> list[str]:
    """Return the warnings of a job as sentences, those known before its run first.

    Unknown words of the prompt, notes about the pictures and videos that were given, where length
    or size are not quite as asked for, what a rerun's model did not take, which providers were
    passed over, and what the run did otherwise than asked for.

    Args:
        job: In any status; what a run has to say is there when it is over.
        words: Of the surface.
    """
    return [text for text in (*_before(job, words), *_after(job, words)) if text]


def say_early_warnings(job: Job, words: Vocabulary) -> list[str]:
    """Return the warnings that are known before a run, as sentences."""
    return [text for text in _before(job, words) if text]


def say_run_warnings(job: Job, words: Vocabulary) -> list[str]:
    """Return the warnings that only the run could give, as sentences."""
    return [text for text in _after(job, words) if text]


def say_unknown_words(
    model: str, feature: Feature | None, unknown: Sequence[str], words: Vocabulary
) -> str:
    """Return the sentence about words of a prompt that a model does not know.

    Args:
        model: The model's name.
        feature: What is made; None if not known.
        unknown: The words.
        words: Of the surface.
    """
    listed = ", ".join(unknown)
    card = models().get(model)
    knows = f"only knows {card.knows}; it " if card is not None and card.knows else ""
    said = f"{model} {knows}did not understand: {listed}"
    if card is None:
        return said
    advice = []
    if card.example_prompt:
        advice.append(repr(card.example_prompt))
    wider = models().get(card.wider_models.get(feature or Feature.TEXT_TO_VIDEO, ""))
    if wider is not None:
        shown = words.assignment("model", wider.name)
        advice.append(f"{shown} ({wider.gpu_memory_gib:g} GiB GPU)")
    return f"{said}. Try {', or '.join(advice)}" if advice else said


def say_note(text: str, words: Vocabulary) -> str:
    """Return a note about an argument, which begins with its name and a colon."""
    name, colon, note = text.partition(": ")
    return f"{words.name(name)}: {reword(note, words)}" if colon else reword(text, words)


def _before(job: Job, words: Vocabulary) -> Iterator[str]:
    unknown = job.facts.get("unknown_words")
    if isinstance(unknown, list) and unknown:
        yield say_unknown_words(job.model, job.feature, [str(word) for word in unknown], words)
    for text in (*_texts(job, "input_notes"), *_texts(job, SIZE_NOTES_FACT)):
        yield say_note(text, words)
    for text in describe_changes(job.facts):
        yield reword(text, words)
    for text in describe_passed_over(job.facts):
        yield reword(text, words)


def _after(job: Job, words: Vocabulary) -> Iterator[str]:
    for text in _texts(job, "notes"):
        yield reword(text, words)


def _texts(job: Job, fact: str) -> list[str]:
    """Return the texts of a fact, whatever a record of another version has there."""
    found = job.facts.get(fact)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
