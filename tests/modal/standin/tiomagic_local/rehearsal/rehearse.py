import os

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome, Rehearsal


def rehearse(model, options, *, provider="local"):
    card = find_model(model)
    gated = bool(os.environ.get("STANDIN_GATED")) and not options.hf_token
    licence = Check(
        part="licence",
        outcome=CheckOutcome.PROBLEM if gated else CheckOutcome.OK,
        message=f"{card.repository} is gated" if gated else "may be downloaded",
    )
    needs = {"download_gib": card.weights_gib}
    return Rehearsal(model=model, provider=provider, checks=[licence], needs=needs)
