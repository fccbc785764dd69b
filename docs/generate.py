"""Writes the reference pages of the models from the catalogue: ``uv run python -m docs.generate``.

It writes ``docs/models`` (a page for each model, an index, and which test reaches what), the
list of models in the README, the tables of the models of pose guidance and of those that several
GPUs can make together, the reference of the commands, the page of the measurements from
``benchmarks/results``, and the typed signatures of the features in ``tiomagic.api.calls``. With
``--check`` it writes nothing and fails when something is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from docs import (
    benchmark_page,
    call_module,
    command_page,
    hosted_prices,
    left_out,
    memory_page,
    model_page,
    parallel_table,
    pose_table,
)
from docs.tables import render_table_head, render_table_row

from tiomagic.wiring.provider_names import BUILT_IN_PROVIDERS
from tiomagic.wiring.registry import providers_of
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.features import Feature

ROOT = Path(__file__).parents[1]
PAGES = Path("docs/models")
INDEX = PAGES / "README.md"
TESTS_PAGE = PAGES / "tests.md"
BENCHMARKS_PAGE = Path("docs/benchmarks.md")
COMMANDS_PAGE = Path("docs/commands.md")
MEMORY_PAGE = Path("docs/memory.md")
POSE_PAGE = Path("docs/features/pose-guidance.md")
PARALLEL_PAGE = Path("docs/acceleration.md")
README = Path("README.md")
COMMAND = "uv run python -m docs.generate"

BEGIN, END = "<!-- models: made by docs/generate.py -->\n", "<!-- /models -->\n"
"""Between these lines of the README stands what is made here."""

TESTS = {
    "local": "tests/catalogue/test_runs.py::test_it_makes_what_was_asked",
    "modal": "tests/catalogue/test_modal.py::test_it_travels",
}
"""What runs every model with every feature on a tiny pipeline, by provider."""

INTRODUCTION = f"""\
# Models

Every model of tiomagic. These pages are generated from the catalogue (`{COMMAND}`). Calls are
checked against the same catalogue, so pages and program agree.

Weights and GPU memory are in GiB: the weights as counted from their shapes in the types that they
run in, the GPU as the smallest that is known or computed to be enough, with offload to main memory.

*Use* says what the licence allows: `free` for any use, `limited` for commercial use under a
condition (a revenue, a territory, a registration), `research` for no commercial use. Each page says
what to know before you publish a video; `tiomagic models --licence free` and
`tm.get_models(feature, licence="free")` list the models of one kind.

"""

TEST_TABLE_INTRODUCTION = """\
# Which test runs which model

Each cell names the test that runs this model with this feature on a tiny pipeline with random
weights and every part of the real one. For `local` the test uses the largest value of each number
with the smallest of the others; for `modal` the smallest of all, through the code of the container.
Identical calls of models with the same tiny pipeline run once. `tests/catalogue/test_tm.py` runs a
model of each kind of pipeline through `tm`.

"""
TESTS_LINK = "[Which test runs which model](tests.md)"


def list_cards() -> list[ModelCard]:
    """Return the models of this repository, sorted; what is installed beside it has other pages."""
    return [card for card in models().values() if set(providers_of(card)) & set(BUILT_IN_PROVIDERS)]


def list_own_cards() -> list[ModelCard]:
    """Return those that run here and on Modal, sorted: all but the hosted ones."""
    return [card for card in list_cards() if not card.is_hosted]


def render_pages() -> dict[Path, str]:
    """Return every file that is made here, with its text; paths are relative to the repository."""
    times = benchmark_page.list_measured_times(ROOT)
    made = {
        PAGES / f"{card.name}.md": model_page.render_model(card, times.get(card.name, ()))
        for card in list_cards()
    }
    made[INDEX] = INTRODUCTION + "\n".join(
        [
            *render_overview(),
            "",
            TESTS_LINK,
            "",
            *render_hosted(),
            "",
            *left_out.render_left_out(),
        ]
    )
    made[TESTS_PAGE] = TEST_TABLE_INTRODUCTION + "\n".join([*render_test_table(), ""])
    made[BENCHMARKS_PAGE] = benchmark_page.render_benchmarks(ROOT)
    made[COMMANDS_PAGE] = command_page.render_commands()
    made[MEMORY_PAGE] = memory_page.render_memory()
    made |= call_module.render_modules(list_cards())
    poses = (ROOT / POSE_PAGE).read_text(encoding="utf-8")
    made[POSE_PAGE] = pose_table.render_pose_page(poses, list_cards())
    gpus = (ROOT / PARALLEL_PAGE).read_text(encoding="utf-8")
    made[PARALLEL_PAGE] = parallel_table.render_parallel_page(gpus, list_own_cards())
    made[README] = render_readme((ROOT / README).read_text(encoding="utf-8"))
    return made


def render_overview() -> Iterator[str]:
    """Give the lines of the table of all models."""
    labels = [feature.label for feature in Feature]
    yield from render_table_head("model", *labels, "frames/s", "weights", "GPU", "use", "licence")
    for card in list_own_cards():
        does = [_ability(card, feature) for feature in Feature]
        gpu = f"{card.gpu_memory_gib:g}" if card.gpu_memory_gib else "none"
        facts = (str(card.fps), f"{card.weights_gib:g}", gpu, card.terms.use.value, card.licence)
        yield render_table_row(f"[`{card.name}`]({card.name}.md)", *does, *facts)


def render_hosted() -> Iterator[str]:
    """Give the lines of the section of the models that vendors run."""
    yield from ("## Hosted models", "")
    yield "A vendor runs these, with your key and for money: see [hosted models](../hosted.md)."
    yield ""
    labels = [feature.label for feature in Feature]
    yield from render_table_head("model", "provider", *labels, "frames/s", "price")
    for card in list_cards():
        if card.vendor is not None:
            does = [_ability(card, feature) for feature in Feature]
            facts = (str(card.fps), hosted_prices.describe_prices(card))
            link = f"[`{card.name}`]({card.name}.md)"
            yield render_table_row(link, f"`{card.vendor}`", *does, *facts)


def _ability(card: ModelCard, feature: Feature) -> str:
    if feature not in card.features:
        return ""
    schema = card.features[feature]
    more = ("keyframes", schema.keyframes is not None), ("last alone", schema.takes_last_alone)
    return f"● {', '.join(word for word, is_so in more if is_so)}".strip()


def render_test_table() -> Iterator[str]:
    """Give the lines of the table of models, features and providers, with a test in each cell."""
    yield from render_table_head("model", "feature", *TESTS)
    for card in list_own_cards():
        for feature in card.features:
            case = f"[{card.name}-{feature}]"
            cells = [
                f"`{t}{case}`" if p in providers_of(card) else "not there" for p, t in TESTS.items()
            ]
            yield render_table_row(f"`{card.name}`", feature.label, *cells)


def render_readme(text: str) -> str:
    """Return the README with its list of models made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = list(render_table_head("feature", "models"))
    for feature in Feature:
        serving = [card.name for card in list_own_cards() if feature in card.features]
        names = [f"[`{name}`]({PAGES / name}.md)" for name in serving]
        lines.append(render_table_row(feature.label, " ".join(names)))
    return before + BEGIN + "\n".join(["", *lines, "", ""]) + END + after


def find_stale() -> list[str]:
    """Return what is not as it would be made now: wrong, missing, or of a model that is gone."""
    made = render_pages()
    wrong = [path for path, text in made.items() if _read(ROOT / path) != text]
    left = [path.relative_to(ROOT) for path in (ROOT / PAGES).glob("*.md")]
    return sorted(str(path) for path in {*wrong, *(path for path in left if path not in made)})


def write() -> None:
    """Write what is stale, and delete the pages of models that are gone."""
    made = render_pages()
    (ROOT / PAGES).mkdir(exist_ok=True)
    for name in find_stale():
        path = Path(name)
        if path in made:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(made[path], encoding="utf-8")
        else:
            (ROOT / path).unlink()


def main() -> int:
    """Write, or check; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the reference pages from the catalogue.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when stale")
    if not parser.parse_args().check:
        write()
        return 0
    wrong = find_stale()
    if wrong:
        print(f"not as their sources say: {', '.join(wrong)}\nmake them anew: {COMMAND}")
    return 1 if wrong else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
