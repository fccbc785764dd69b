"""Refuses requests that cannot be sent to another machine, before that costs anything."""

from __future__ import annotations

from pathlib import Path

from tiomagic_domain.catalogue import ModelCard, shipped_engines
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.schema.expert_arguments import describe_object
from tiomagic_domain.weights.given import WEIGHTS_ARGUMENT


def check_payload(request: Request, place: str) -> None:
    """Refuse inputs that exist only on the caller's machine.

    A LoRA may have gigabytes, and each call would send it again. One on the hub is fetched once by
    the machine that runs the job, and kept there.

    Args:
        request: What is about to run.
        place: Where it would run, for people, such as ``Modal``.

    Raises:
        ValidationError: with every problem.
    """
    problems = [
        Problem(
            field="loras",
            message=f"{lora.label} is a file of this machine, and files of weights do not travel "
            f"to {place}: put it into a repository on the Hugging Face hub and give that as the "
            "source, or run the job on 'local'",
            given=repr(lora.label),
        )
        for lora in Lora.from_arguments(request.settings.get("loras", ()))
        if lora.is_file
    ]
    problems += [
        Problem(
            field=f"{WEIGHTS_ARGUMENT}.{name}",
            message=f"{file.label} is a file of this machine, and files of weights do not travel "
            f"to {place}: put it into a repository on the Hugging Face hub and give that as "
            "owner/name/file, or run the job on 'local'",
            given=repr(file.label),
        )
        for name, file in request.card.files_of(request.settings).items()
        if file.hub_file is None or (file.pin is None and Path(file.place).is_file())
    ]
    problems += [
        Problem(
            field=name,
            message=f"is a Python object of this process, and only plain data travels to {place}: "
            "leave it out, or run the job on 'local'",
            given=str(describe_object(value)),
        )
        for name, value in request.objects.items()
    ]
    if problems:
        raise ValidationError.of(problems, subject=f"what {place} can take")


def has_shipped_engine(card: ModelCard) -> bool:
    """Say whether another machine has the engine of a model: it has those of tiomagic alone."""
    return card.engine in shipped_engines()
