"""The plan of a call (``tm.plan``, ``--dry-run``), and the preflights of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tiomagic.display.next_steps import advise_in_python
from tiomagic.wiring.provider_names import DEFAULT_PROVIDER
from tiomagic.wiring.redacting_provider import redact_errors
from tiomagic_domain.catalogue import find_feature
from tiomagic_domain.requests.preparation import INPUT_NOTES_FACT, SIZE_NOTES_FACT
from tiomagic_domain.spending.fallback import PassedOver

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.preflight.preflight import Preflight


def plan(
    session: Session,
    feature: str,
    model: str | None,
    arguments: Mapping[str, object],
    *,
    max_cost: float | str | None = None,
) -> dict[str, Any]:
    """Validate a call, and return its plan; see :meth:`tiomagic.TioMagic.plan`."""
    wanted = find_feature(feature)
    passed: list[PassedOver] = []
    with advise_in_python(), redact_errors(lambda: session.settings.secrets):
        request, found = session.generation.look_ahead(
            wanted,
            provider=session.configured_providers(),
            model=model,
            arguments=arguments,
            with_measured=session.has_stored_jobs,
            max_cost=max_cost,
            on_passed=passed.append,
        )
    provider = request.job.provider
    described = session.provider(provider).describe(request)
    settled = request.job.arguments
    if arguments.get("seed") is None:
        settled.pop("seed", None)
    frames, fps = settled.get("num_frames"), settled.get("fps", request.card.fps)
    shown = frames and frames - request.doubled_frames
    return {
        "feature": request.feature.value,
        "model": request.card.name,
        "provider": provider,
        "passed_over": [one.to_dict() for one in passed],
        "gpu": described.device,
        "cost": found.cost and found.cost.to_dict(),
        "estimate": found.estimate and found.estimate.to_dict(),
        "width": settled.get("width"),
        "height": settled.get("height"),
        "num_frames": frames,
        "fps": fps,
        "seconds": round(shown / fps, 3) if shown and fps else None,
        "memory": settled.get("memory"),
        "weights_gib": request.card.weights_gib,
        "gpu_memory_gib": request.card.gpu_memory_gib,
        "arguments": settled,
        "asked": dict(request.job.chosen.sizes) if request.job.chosen else {},
        "notes": [
            note
            for fact in (INPUT_NOTES_FACT, SIZE_NOTES_FACT)
            for note in request.job.facts.get(fact, ())
        ],
        "unknown_words": list(request.job.facts.get("unknown_words", ())),
        "preflight": found.to_dict(),
    }


def check_models(
    session: Session,
    cards: Iterable[ModelCard],
    provider: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> dict[str, Preflight]:
    """Return what a run of each model would take here, by the model's name.

    For a table of models or their cards on a page: ``fit`` (:class:`FitVerdict`), ``is_here``,
    ``fetch_bytes``, ``checks``; ``to_dict()`` has all of it as plain data. Makes no request and
    imports no torch.

    Args:
        session: With the providers.
        cards: Of the models.
        provider: The provider's name; None for the configured one, or the default.
        settings: Of the run; None for the model's defaults.

    Raises:
        TioMagicError: when the provider does not exist or cannot be built.
    """
    name = provider or session.settings.provider or DEFAULT_PROVIDER
    session.check_provider(name)
    with redact_errors(lambda: session.settings.secrets):
        return session.preflight.check_models(cards, name, settings)
