"""A plan in lines for people: what would be made, where, what it takes, and whether it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic.display.phrases.job_warnings import say_note, say_unknown_words
from tiomagic.display.phrases.vocabulary import PYTHON_WORDS, Vocabulary
from tiomagic.display.prices import describe_amount, describe_parts
from tiomagic_domain.advice import NextStep
from tiomagic_domain.features import Feature
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.quantities import (
    describe_made_weights,
    describe_other_fetches,
    describe_rough_bytes,
    describe_rough_duration,
    describe_rough_gib,
)

LABEL_CHARACTERS = 9
"""Width of the labels."""


def describe_plan(
    planned: Mapping[str, Any], words: Vocabulary = PYTHON_WORDS, *, forced: bool = False
) -> str:
    """Return the lines of a plan; see ``tm.plan``.

    Args:
        planned: The plan.
        words: Of the surface that shows it.
        forced: True when the call would run also what cannot work.
    """
    length = _describe_length(planned) if planned["seconds"] else None
    found = planned["preflight"]
    lines: list[tuple[str, str | None]] = [
        ("what", f"{planned['feature']} with {planned['model']}"),
        ("where", f"{planned['provider']}, {_describe_device(planned)}"),
        *(("not on", f"{one['provider']}: {one['reason']}") for one in planned["passed_over"]),
        ("size", _describe_size(planned)),
        ("length", length),
        *(("note", say_note(note, words)) for note in planned.get("notes", ())),
        ("weights", describe_weights(found["weights"])),
        ("memory", _describe_memory(planned)),
        ("time", _describe_time(planned)),
        *_describe_money(planned),
        ("licence", _describe_licence(found["licence"])),
        ("terms", _describe_terms(found["terms"])),
        *(("token", _describe_token(token)) for token in found["tokens"]),
        *(
            ("warning", check["message"])
            for check in found["checks"]
            if check["outcome"] == "warning"
        ),
        ("warning", _describe_unknown_words(planned, words)),
        ("verdict", _describe_verdict(planned, forced=forced)),
    ]
    return "\n".join(f"{label:{LABEL_CHARACTERS}} {text}" for label, text in lines if text)


def _describe_length(planned: Mapping[str, Any]) -> str:
    """Return the length; of a continuation or a loop also the frames that are new."""
    frames, fps, seconds = planned["num_frames"], planned["fps"], planned["seconds"]
    shown = round(seconds * fps)
    part = "" if shown == frames else f" {shown} of them new,"
    return f"{frames} frames at {fps} a second,{part} {seconds:g} s"


def _describe_unknown_words(planned: Mapping[str, Any], words: Vocabulary) -> str | None:
    unknown = planned.get("unknown_words")
    if not unknown:
        return None
    return say_unknown_words(planned["model"], Feature(planned["feature"]), unknown, words)


def describe_weights(weights: Mapping[str, Any] | None) -> str | None:
    """Return where the weights are, or what is to be downloaded; None if that is not known."""
    if weights is None:
        return None
    if not weights["fetch_bytes"]:
        made = describe_made_weights(weights["made_bytes"])
        return f"here, {describe_rough_bytes(weights['here_bytes'])}{made}"
    about = "" if weights["is_exact"] else "about "
    text = f"{about}{describe_rough_bytes(weights['fetch_bytes'])} to download"
    text += describe_other_fetches(weights["fetch_bytes"], weights["other_fetches"])
    text += f" to {weights['place']}"
    if weights["disk_free_bytes"] is not None:
        text += f", where {describe_rough_bytes(weights['disk_free_bytes'])} are free"
    if weights["here_bytes"]:
        text += f"; {describe_rough_bytes(weights['here_bytes'])} are here"
    return text + describe_made_weights(weights["made_bytes"])


def describe_place(found: Mapping[str, Any]) -> str:
    """Return what a preflight was judged against: the provider, its device, memory and disk."""
    device, main, weights = found["device"], found["main_memory_gib"], found["weights"]
    parts = []
    if device is not None:
        memory = device["memory_gib"]
        chip = device["title"] or device["name"]
        parts.append(chip if memory is None else f"{chip} with {memory:g} GiB")
    if main is not None:
        parts.append(f"{describe_rough_gib(main)} of main memory")
    if weights is not None and weights["disk_free_bytes"] is not None:
        parts.append(f"{describe_rough_bytes(weights['disk_free_bytes'])} of disk free for weights")
    return f"on {found['provider']}" + (f" ({', '.join(parts)})" if parts else "")


def _describe_device(planned: Mapping[str, Any]) -> str:
    device = planned["preflight"]["device"]
    name = planned["gpu"] or "on a machine of its choice"
    if device is None:
        return str(name)
    if device["is_cpu"]:
        return f"{name}" if not planned["gpu_memory_gib"] else f"{name}: there is no GPU"
    title = f" ({device['title']})" if device["title"] and device["title"] != name else ""
    memory = device["memory_gib"]
    return f"{name}{title}" if memory is None else f"{name}{title} with {memory:g} GiB"


def _is_hosted(planned: Mapping[str, Any]) -> bool:
    """Say whether a vendor runs it, with weights of its own."""
    return not planned["weights_gib"]


def _describe_size(planned: Mapping[str, Any]) -> str | None:
    """Return the size in pixels; of a hosted model what is chosen in its place."""
    if planned["width"]:
        return f"{planned['width']} x {planned['height']} pixels"
    chosen = (planned["arguments"].get(name) for name in ("resolution", "aspect"))
    return ", ".join(str(one) for one in chosen if one) or None


def _describe_memory(planned: Mapping[str, Any]) -> str:
    found, least = planned["preflight"], planned["gpu_memory_gib"]
    weights = f"{planned['weights_gib']:g} GiB of weights"
    if _is_hosted(planned):
        return "none of yours: the vendor runs it"
    if not least:
        return f"{weights}, no GPU needed"
    chosen = next((p for p in found["plans"] if p["plan"] == found["plan"]), None)
    device = found["device"]
    if chosen is None or device is None:
        return f"{weights}, a GPU of {least:g} GiB or more"
    if device["is_cpu"]:
        main = found["main_memory_gib"]
        has = "" if main is None else f" (there are {describe_rough_gib(main)})"
        return (
            f"{describe_rough_gib(chosen['main_gib'])} of main memory{has}; made for a GPU of "
            f"{least:g} GiB or more"
        )
    return (
        f"{describe_rough_gib(chosen['device_gib'])} of GPU memory and "
        f"{describe_rough_gib(chosen['main_gib'])} of main memory ({chosen['plan']})"
    )


def _describe_time(planned: Mapping[str, Any]) -> str | None:
    found = planned["preflight"]
    time, device = found["time"], found["device"]
    later = ", after the download" if found["weights"] and found["weights"]["fetch_bytes"] else ""
    if time is not None:
        return f"about {describe_rough_duration(time['seconds'])}{later} ({time['basis']})"
    if device is not None and device["is_cpu"] and planned["gpu_memory_gib"]:
        return "unknown, days on a CPU (nothing measured or estimated)"
    return "unknown (no run measured yet)"


def _describe_money(planned: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return the lines about the cost of the run: none for one that costs nothing."""
    known = planned.get("estimate")
    estimate = Estimate.from_dict(known) if known else None
    if estimate is None or estimate.amount is None:
        cost = _describe_cost(planned["cost"])
        # Without the day of a price the basis is about the time alone.
        basis = None if estimate is None or estimate.as_of is None else estimate.basis
        if cost is None and basis is not None:
            return [("cost", f"unknown ({basis})")]
        return [("cost", cost), ("basis", basis)]
    if estimate.is_free:
        return []
    return [
        ("cost", describe_amount(estimate)),
        ("parts", describe_parts(estimate)),
        ("basis", estimate.basis),
    ]


def _describe_cost(cost: Mapping[str, Any] | None) -> str | None:
    if cost is None:
        return None
    article = "an" if cost["per"] == "hour" else "a"
    return f"about {cost['amount']:g} {cost['currency']} {article} {cost['per']}"


def _describe_licence(licence: Mapping[str, Any]) -> str:
    return f"{licence['name']}, {licence['use']}: {licence['publishing']}"


def _describe_terms(terms: Mapping[str, Any] | None) -> str | None:
    if terms is None:
        return None
    accepted = "accepted" if terms["is_accepted"] else "to be accepted by the model's name"
    return f"{accepted}: {terms['says']} {terms['link']}"


def _describe_token(token: Mapping[str, Any]) -> str | None:
    if not token["is_needed"]:
        return None
    return f"of {token['service']}: {'present' if token['is_there'] else 'not there'}"


def _describe_verdict(planned: Mapping[str, Any], *, forced: bool) -> str:
    """Return whether it works, or why not and what would."""
    found = planned["preflight"]
    if found["can_run"] and _is_hosted(planned):
        return "it can run"
    if found["can_run"]:
        return {
            "fits": "it fits",
            "slow": "it works, and is slow",
            "unknown": "nothing speaks against it; whether it fits is not known",
        }.get(found["fit"], "it works")
    problems = [check["message"] for check in found["checks"] if check["outcome"] == "problem"]
    ways = [_describe_way(way) for way in found["alternatives"]]
    pad = " " * (LABEL_CHARACTERS + 1)
    lines = [f"it cannot run: {problems[0]}", *problems[1:]]
    if found["fit"] == "no" and forced:
        lines.append("it is tried all the same")
    elif found["fit"] == "no":
        ways.append(NextStep.FORCE.say())
    lines += [f"you can: {way}" for way in ways]
    return f"\n{pad}".join(lines)


def _describe_way(way: Mapping[str, Any]) -> str:
    step = NextStep.USE_PROVIDER if way["kind"] == "provider" else NextStep.USE_MODEL
    words = step.say(provider=way["name"], model=way["name"])
    return f"{words}, {way['note']}" if way["note"] else words
