"""The reference page of one model, from its card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from docs import parallel_table, parameter_table
from docs.hosted_prices import describe_prices, find_price_list
from docs.tables import render_table_head, render_table_row

from tiomagic.demo import DEMO_MODEL
from tiomagic.demo import EXAMPLES as DEMO_EXAMPLES
from tiomagic.wiring.registry import providers_of
from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.keyframes import FIRST, LAST
from tiomagic_domain.schema.schema import ExactlyOne, Schema

COMMITS = "../weights.md#which-commit"
"""Where it is said what happens to a repository without a known commit."""

TERMS = "../weights.md#terms-that-you-accept-by-name"
"""Where it is said how terms are accepted."""

EXAMPLES = {
    "prompt": '"a fox runs through snow"',
    "image": '"fox.png"',
    "first_frame": '"first.png"',
    "last_frame": '"last.png"',
    "guiding_video": '"dance.mp4"',
    "pose_video": '"skeletons.mp4"',
    "control_video": '"skeletons.mp4"',
}
"""What a call could be given."""
QUOTE = '"'


def render_model(card: ModelCard, times: Iterable[str] = ()) -> str:
    """Return the whole page, in Markdown.

    Args:
        card: The model.
        times: Measured times of whole runs, in words.
    """
    lines = [
        "<!-- Made by docs/generate.py from the catalogue. -->",
        "",
        f"# {card.title}",
        "",
        f"`{card.name}` · {card.description}",
        "",
        *_facts(card, times),
    ]
    for feature, schema in card.features.items():
        lines += ["", f"## {feature.label.capitalize()}", "", *_clip(card, feature)]
        lines += _example(card, feature, schema)
    lines += ["", "## Parameters", "", *parameter_table.render_parameters(card.features)]
    return "\n".join([*lines, ""])


def _facts(card: ModelCard, times: Iterable[str]) -> Iterator[str]:
    yield from render_table_head("fact", "value")
    home = card.homepage
    where = f"<{home}>" if home.startswith("https://") else f"[{home}](../../{home})"
    yield render_table_row("homepage", where)
    yield render_table_row("licence", f"{card.licence}: `{card.terms.use.value}`")
    yield render_table_row(
        "before you publish a video", f"{card.terms.publishing} ({card.terms.source})"
    )
    if card.must_accept is not None:
        how = f"accept [the terms]({card.must_accept.link}) by the model's name: see [how]({TERMS})"
        yield render_table_row("before you use it", f"{card.must_accept.says} {how}")
    if card.gated:
        page = f"<https://huggingface.co/{card.repository}>"
        text = f"accept the licence once at {page}, and set `HF_TOKEN` to a token of that account"
        yield render_table_row("before the download", text)
    if card.vendor is not None:
        yield from _hosted_facts(card)
        return
    for name, text in _weights(card):
        yield render_table_row(name, text)
    yield render_table_row(
        "all weights", f"{card.weights_gib:g} GiB; largest part {card.largest_gib:g} GiB"
    )
    gpu = f"{card.gpu_memory_gib:g} GiB, with offload" if card.gpu_memory_gib else "none is needed"
    yield render_table_row("smallest GPU", gpu)
    yield render_table_row(
        "[several GPUs](../acceleration.md#several-gpus)", parallel_table.describe_gpus(card)
    )
    for time in times:
        yield render_table_row("measured time", time)
    yield render_table_row("trained at", f"{card.fps} frames/s, {card.pixels:,} pixels a frame")
    yield render_table_row(
        "longest prompt", f"{card.prompt_tokens} tokens; a longer one is cut, with a warning"
    )
    if card.unlike_authors:
        yield render_table_row("unlike the authors' pipeline", card.unlike_authors)
    if card.vocabulary:
        yield render_table_row("words it knows", " ".join(sorted(card.vocabulary)))
    yield render_table_row("runs on", ", ".join(f"`{name}`" for name in sorted(providers_of(card))))
    yield render_table_row("engine", f"`{card.engine}`")


def _hosted_facts(card: ModelCard) -> Iterator[str]:
    runs = f"`{card.vendor}`, with its key: see [hosted models](../hosted.md)"
    yield render_table_row("runs on", runs)
    yield render_table_row("price", describe_prices(card))
    prices = find_price_list(card)
    if prices is not None:
        yield render_table_row("price list", prices.source)
    yield render_table_row("makes", f"{card.fps} frames/s, about {card.pixels:,} pixels a frame")


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
    for kind, control in card.controls.items():
        yield f"`control={str(kind)!r}`", _lora(control.lora)


def _lora(lora: Lora) -> str:
    return f"`{lora.weight_name}` of {_repository(lora.source, lora.revision)}"


def _repository(name: str, revision: str | None) -> str:
    at = f"at `{revision[:12]}`" if revision else f"at [the first commit that is used]({COMMITS})"
    return f"[`{name}`](https://huggingface.co/{name}) {at}"


def _clip(card: ModelCard, feature: Feature) -> Iterator[str]:
    """Give the clip that the repository has of the model that comes along."""
    if card.name == DEMO_MODEL:
        (example,) = [one for one in DEMO_EXAMPLES if one.feature == feature]
        yield f"![{example.prompt}](../images/{feature}.gif)"
        yield ""


def _values(card: ModelCard, feature: Feature) -> Mapping[str, str]:
    """Return what the example of a model gives: of the one that comes along, the demo's."""
    if card.vendor == "luma":  # Which reads pictures from their addresses only.
        web = ("image", "first_frame", "last_frame")
        return EXAMPLES | {name: f'"https://example.com/{EXAMPLES[name][1:]}' for name in web}
    if card.name != DEMO_MODEL:
        return EXAMPLES
    (example,) = [one for one in DEMO_EXAMPLES if one.feature == feature]
    files = {name: f"tiomagic-demo/inputs/{file}" for name, file in example.inputs.items()}
    return {name: f'"{text}"' for name, text in {"prompt": example.prompt, **files}.items()}


def _example(card: ModelCard, feature: Feature, schema: Schema) -> Iterator[str]:
    ends = (FIRST, LAST) if feature is Feature.INTERPOLATE else ()
    needed = [parameter.name for parameter in schema.required if parameter.name not in ends]
    needed += ends
    needed += [rule.names[-1] for rule in schema.rules if isinstance(rule, ExactlyOne)]
    values = _values(card, feature)
    # The site makes tabs of these lines; docs/conf.py.
    yield "<!-- tabs -->"
    yield "**Python**"
    yield ""
    # One argument a line: the formatter reads these pages too, and leaves this form alone.
    yield "```python"
    if card.must_accept is not None:
        yield f'tm.configure(accepted_terms=["{card.name}"])'
    if card.vendor is not None:
        yield f'tm.configure(provider="{card.vendor}")'
    yield f"tm.{feature}("
    yield f'    model="{card.name}",'
    yield from (f"    {name}={values[name]}," for name in needed)
    yield ")"
    yield "```"
    yield ""
    yield "**Shell**"
    yield ""
    yield "```bash"
    command = feature.value.replace("_", "-")
    options = [
        f"--{name.replace('_', '-')} {values[name].strip(QUOTE)}"
        for name in needed
        if name != "prompt"
    ]
    line = f"tiomagic {command} {values['prompt']} --model {card.name}"
    line += f" --provider {card.vendor}" if card.vendor is not None else ""
    if card.must_accept is not None:
        options = [f"--accept-terms {card.name}", *options]
    yield line + (" \\" if options else "")
    if options:
        yield f"  {' '.join(options)}"
    yield "```"
    yield "<!-- /tabs -->"
