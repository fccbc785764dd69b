"""The reference page of one model, from its card."""

from __future__ import annotations

from collections.abc import Iterator

from tiomagic.wiring.registry import providers_of
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter, describe_range
from tiomagic_domain.schema.schema import (
    ExactlyOne,
    MaxPixels,
    OffTogether,
    Rule,
    Schema,
    ShorterSide,
    WithinVideo,
)

COMMITS = "../weights.md#which-commit"
"""Where it is said what happens to a repository without a known commit."""

EXAMPLES = {
    "prompt": '"a fox runs through snow"',
    "image": '"fox.png"',
    "first_frame": '"first.png"',
    "last_frame": '"last.png"',
    "pose_video": '"skeletons.mp4"',
}
"""What a call could be given."""


def render_model(card: ModelCard) -> str:
    """Return the whole page, in Markdown."""
    lines = [
        "<!-- Made by docs/generate.py from the catalogue. -->",
        "",
        f"# {card.title}",
        "",
        f"`{card.name}` · {card.description}",
        "",
        *_facts(card),
    ]
    for feature, schema in card.features.items():
        lines += ["", f"## {feature.label.capitalize()}", "", *_example(card, feature, schema)]
        lines += ["", *_settings(schema), *_rules(schema)]
    return "\n".join([*lines, ""])


def render_table_head(*names: str) -> Iterator[str]:
    """Give the first two lines of a table."""
    yield render_table_row(*names)
    yield render_table_row(*("---" for _ in names))


def render_table_row(*cells: str) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _facts(card: ModelCard) -> Iterator[str]:
    yield from render_table_head("fact", "")
    home = card.homepage
    where = home if home.startswith("https://") else f"[{home}](../../{home})"
    yield render_table_row("homepage", where)
    yield render_table_row("licence", f"{card.licence}: `{card.terms.use.value}`")
    yield render_table_row(
        "before you publish a video", f"{card.terms.publishing} ({card.terms.source})"
    )
    for name, text in _weights(card):
        yield render_table_row(name, text)
    yield render_table_row(
        "all weights", f"{card.weights_gib:g} GiB; largest part {card.largest_gib:g} GiB"
    )
    gpu = f"{card.gpu_memory_gib:g} GiB, with offload" if card.gpu_memory_gib else "none is needed"
    yield render_table_row("smallest GPU", gpu)
    yield render_table_row("trained at", f"{card.fps} frames/s, {card.pixels:,} pixels a frame")
    yield render_table_row(
        "longest prompt", f"{card.prompt_tokens} tokens; what is longer is cut, and reported"
    )
    if card.vocabulary:
        yield render_table_row("words it knows", " ".join(sorted(card.vocabulary)))
    yield render_table_row("runs on", ", ".join(f"`{name}`" for name in sorted(providers_of(card))))
    yield render_table_row("engine", f"`{card.engine}`")


def _weights(card: ModelCard) -> Iterator[tuple[str, str]]:
    if card.repository is None:
        yield "weights", "come with tiomagic"
    else:
        yield "weights", _repository(card.repository, card.revision)
    for part in card.parts:
        yield f"weights, {part.name}", _repository(part.repository, part.revision)
    for lora in card.loras:
        yield "LoRA", _lora(lora)
    if card.turbo is not None:
        wanted = ", ".join(f"`{name}={value!r}`" for name, value in card.turbo.settings.items())
        yield "`turbo` sets", f"{wanted} ({card.turbo.source})"
        for lora in card.turbo.loras:
            yield f"`turbo`, LoRA of `{lora.component}`", _lora(lora)


def _lora(lora: Lora) -> str:
    return f"`{lora.weight_name}` of {_repository(lora.source, lora.revision)}"


def _repository(name: str, revision: str | None) -> str:
    at = f"at `{revision[:12]}`" if revision else f"at [the first commit that is used]({COMMITS})"
    return f"[`{name}`](https://huggingface.co/{name}) {at}"


def _example(card: ModelCard, feature: Feature, schema: Schema) -> Iterator[str]:
    needed = [parameter.name for parameter in schema.required]
    needed += [rule.names[-1] for rule in schema.rules if isinstance(rule, ExactlyOne)]
    # One argument a line: the formatter reads these pages too, and leaves this form alone.
    yield "```python"
    yield f"tm.{feature}("
    yield f'    model="{card.name}",'
    yield from (f"    {name}={EXAMPLES[name]}," for name in needed)
    yield ")"
    yield "```"


def _settings(schema: Schema) -> Iterator[str]:
    yield from render_table_head(
        "parameter", "type", "default", "legal", "what it is", "source of the default"
    )
    for parameter in (*schema.required, *schema.optional):
        name = f"`{parameter.name}`" + (" (required)" if parameter.required else "")
        yield render_table_row(
            name,
            _type(parameter),
            "" if parameter.default is UNSET else f"`{parameter.default!r}`",
            _legal(parameter),
            parameter.description,
            parameter.source or "",
        )


def _type(parameter: Parameter) -> str:
    kind = parameter.kind
    return kind.value if kind.is_media else kind.python_type.__name__


def _legal(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(f"`{choice!r}`" for choice in parameter.choices)
    if parameter.kind not in {Kind.INTEGER, Kind.NUMBER}:
        return ""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.minimum is not None and parameter.minimum == parameter.maximum:
        return f"{parameter.minimum:g}{unit} and nothing else"
    return describe_range(parameter) + unit


def _rules(schema: Schema) -> Iterator[str]:
    if schema.rules or schema.objects:
        yield ""
    for rule in schema.rules:
        yield f"- {_rule(rule)}"
    if schema.objects:
        names = ", ".join(f"`{name}`" for name in schema.objects)
        yield f"- The pipeline's own arguments as Python objects, on `local` alone: {names}."


def _rule(rule: Rule) -> str:
    match rule:
        case ExactlyOne(names=names):
            return f"Exactly one of {' and '.join(f'`{name}`' for name in names)} is given."
        case MaxPixels(pixels=pixels):
            return f"`width` times `height` is at most {pixels:,}."
        case ShorterSide(pixels=pixels):
            return f"The shorter of `width` and `height` is {pixels}."
        case OffTogether(switch=switch, follower=follower):
            return f"Where `{switch}` is 1, `{follower}` is 1 too: guidance is off then."
        case WithinVideo(position=position, frames=frames, ratio=ratio):
            return f"`{position}` is at most (`{frames}` - 1) / {ratio}."
        case _:
            # A rule of somebody else says in its docstring what holds.
            return (type(rule).__doc__ or type(rule).__name__).splitlines()[0]
