"""Runs any model of the catalogue on its tiny pipeline."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.catalogue.extremes import inputs_of
from tests.tiny import TINY, save

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Clip, Media
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.schema.parameter import Kind
from tiomagic_local.engines import find_engine
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

if TYPE_CHECKING:
    from tests.local.materials import Materials


NOTICES = ("Guiders are currently an experimental feature",)
"""What diffusers says whenever a class is used, and nothing of the call."""


class TinyRuntime:
    """A folder of tiny weights, and a runtime that takes them from there.

    Args:
        folder: Where the weights go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = Runtime(LocalOptions(weights_dir=folder, device="cpu"))

    def provide(self, card: ModelCard) -> None:
        """Build a model's tiny weights; a model that has none fails the test."""
        if card.name not in TINY:
            pipeline = find_engine(card.engine).pipeline
            pytest.fail(
                f"nothing builds a tiny pipeline for {card.name!r}: add TINY[{card.name!r}] to a "
                f"module of tests/tiny, a function that saves a tiny {pipeline} in a folder"
            )
        save(self.folder, [card.name])

    def call(self, request: Request, *, size_alone: bool = False) -> tuple[object, ...]:
        """Return what decides the frames of a request, to be compared with that of another.

        Models whose cards differ in words and defaults alone, over the same weights, make the same
        call at an end of their limits: once is enough.

        Args:
            request: The call.
            size_alone: True where the size and the length of the video are all that is asked for,
                in which the LoRAs that make a model change nothing.
        """
        card = request.card
        loras = () if size_alone else card.loras
        facts = (card.engine, card.prompt_tokens, repr(card.options), card.parts, loras)
        settings = repr(sorted(request.settings.items()))
        return (*facts, TINY.get(card.name), request.feature, settings)

    def scheduler_of(self, card: ModelCard) -> str:
        """Return the class of a model's scheduler; of a model that names none, its engine."""
        self.provide(card)
        index = self.folder / card.name / "model_index.json"
        parts = json.loads(index.read_text("utf-8")) if index.exists() else {}
        return str(parts.get("scheduler", [None, card.engine])[1])

    def run(self, request: Request) -> tuple[Clip, list[str]]:
        """Return the clip of a request, and what the libraries warned of."""
        self.provide(request.card)
        given = (request.card, request.settings, ignore_progress, NeverCanceled())
        with self.runtime.use(*given) as loaded, capture_warnings() as heard:
            generate = getattr(loaded.engine, request.feature.value)
            clip = generate(request.inputs, request.settings, ignore_progress, NeverCanceled())
        return clip, heard


@contextmanager
def capture_warnings() -> Iterator[list[str]]:
    """Listen to what diffusers and transformers log within the block, from a warning on."""
    heard: list[str] = []
    ear = logging.Handler(logging.WARNING)
    ear.addFilter(lambda record: not record.getMessage().startswith(NOTICES))
    ear.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    for logger in loggers:
        logger.addHandler(ear)
    try:
        yield heard
    finally:
        for logger in loggers:
            logger.removeHandler(ear)


def media_for(card: ModelCard, feature: Feature, studio: Materials) -> dict[str, Media]:
    """Return a picture or a video for each input that a call must have."""
    schema = card.schema(feature)
    made = {}
    for name in inputs_of(schema):
        if schema[name].kind is Kind.IMAGE:
            made[name] = studio.picture(colour="blue" if name == "last_frame" else "orange")
        elif schema[name].kind is Kind.VIDEO:
            made[name] = studio.video()
    return made


def request_for(
    card: ModelCard, feature: Feature, settings: Mapping[str, Any], studio: Materials
) -> Request:
    """Return a validated request."""
    schema = card.schema(feature)
    media = media_for(card, feature, studio)
    values = schema.validate({**inputs_of(schema), **settings})
    values |= {name: item.to_reference() for name, item in media.items()}
    required = {parameter.name for parameter in schema.required}
    now = datetime.now(UTC)
    job = Job(
        job_id=str(uuid.uuid4()),
        feature=feature,
        model=card.name,
        provider="local",
        creation_time=now,
        last_updated=now,
        required_args={k: v for k, v in values.items() if k in required},
        optional_args={k: v for k, v in values.items() if k not in required},
    )
    return Request(job=job, card=card, media=media)
