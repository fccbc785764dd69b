"""Every block of code in the README and on the site is run, as a reader would run it.

``doodle`` makes the README's first video of each feature; later runs, and those of large models and
of Modal, are played, after all that is checked before a run (``players.py``). ``tests/catalogue``
runs every model, and ``tests/modal`` talks to a server.
"""

from dataclasses import replace

import pytest
from docs import generate
from tests.documentation.blocks import ROOT, blocks, pages
from tests.documentation.conftest import PageRunner

from tiomagic_domain.features import Feature

# README.md and docs/jobs.md load torch, and the latter starts a worker: minutes on a busy machine.
pytestmark = pytest.mark.timeout(600)

LANGUAGES = {"python", "bash", "powershell", "text", "", "{eval-rst}", "{toctree}"}
LEFT_OUT = {
    "docs/commands.md": "is made from the commands, whose examples tests/facade/test_help.py reads",
    "docs/changelog.md": "includes CHANGELOG.md, which has no code",
    "docs/contributing.md": "includes CONTRIBUTING.md: its model is run by tests/catalogue",
}
REAL = {"README.md": set(Feature), "docs/local.md": {Feature.TEXT_TO_VIDEO}}
"""Pages whose first video of some features is made by ``doodle``."""
FAR_AWAY = {"docs/cli.md"}
"""Their detached jobs are played too: one page with a worker process, docs/jobs.md, is enough."""
NOT_RUN = {
    "needs two machines",
    "needs a Kubernetes cluster with GPUs",
    "installs a tool",
    "opens the player of this machine",
    "it serves until Ctrl-C; tests/ui visits it with a browser",
    "it serves until it is stopped; tests/server does",
    "a server and its client; tests/examples starts it and asks the same",
    "installs packages; CI does it with uv sync",
    "installs clients from registries; tests/server/test_clients.py reads what came out",
    "asks a vendor for money; tests/hosted does, a server of its own",
    "starts a cluster; tests/ray does, on loopback",
    "talks to Modal; tests/modal does, to a server of its own",
    "counts for minutes; tests/local/footprint compares cells",
    "needs a GPU",
    "needs the weights of a large model; tests/local/test_previews.py has small ones",
    "needs the weights of a large model; tests/local/speed/test_step_caches.py has small ones",
    "downloads a kernel; tests/local/speed/test_kernels.py has one of its own",
    "needs the weights of the segmenter; tests/local/test_masks.py has small ones",
    "needs files of some gigabytes; tests/local/quantized runs small ones",
    "downloads weights; tests/weights does it on loopback",
    "the hub is asked; tests/local/test_rehearsal.py does it on loopback",
}
"""All reasons for which a command of a page is not run."""


@pytest.mark.parametrize("page", sorted(set(pages()) - LEFT_OUT.keys()))
def test_what_a_page_says_works(page: str, page_runner: PageRunner) -> None:
    """From top to bottom, with nothing that the page does not give."""
    page_runner.prepare((ROOT / page).read_text(encoding="utf-8"))
    page_runner.wanted |= REAL.get(page, set())
    if page in FAR_AWAY:
        page_runner.environment["TIOMAGIC_PROVIDER"] = "modal"
    for block in blocks(page):
        assert block.language in LANGUAGES, block.where
        page_runner.type(block)
    assert not page_runner.wanted


MODELS = sorted(str(path) for path in generate.render_pages() if path.parent == generate.PAGES)


@pytest.mark.parametrize("page", MODELS)
def test_the_example_of_each_model_works(page: str, page_runner: PageRunner) -> None:
    """The call runs with ``tm`` and a provider; the same in a shell is parsed."""
    web = "https://example.com/"  # Nothing is fetched from there: its files are here.
    page_runner.prepare((ROOT / page).read_text(encoding="utf-8").replace(web, ""))
    exec("from tiomagic import tm; tm.configure(provider='local')", page_runner.names)
    for block in blocks(page):
        assert block.language in {"python", "bash", "text"}, block.where
        page_runner.type(replace(block, mark="parsed", code=block.code.replace(web, "")))


def test_what_is_not_run_has_a_reason_that_is_known() -> None:
    """A new exception is a decision: it is written above as well; one that is gone is taken out."""
    found = {block.reason for page in pages() for block in blocks(page) if block.mark}
    assert found == NOT_RUN


def test_commands_are_written_in_one_way() -> None:
    """Two pages begin with ``uv run``; then the environment is active, there and everywhere."""
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages()}
    counts = {page: text.count("uv run tiomagic") for page, text in texts.items()}
    assert {page: n for page, n in counts.items() if n} == {"README.md": 1, "docs/start.md": 1}
    for page in ("README.md", "docs/start.md"):
        first, after = texts[page].index("uv run tiomagic"), texts[page].index("bin/activate")
        assert first < after


def test_the_readme_is_short() -> None:
    """What does not fit has a page in docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_readme_has_the_command_that_checks_a_change() -> None:
    """The tests are run the same way by a newcomer and before each landing."""
    command = "uv run pytest -n auto"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_a_mistake_on_a_page_is_found(page_runner: PageRunner, tmp_path, monkeypatch) -> None:
    """A wrong option, a wrong name and a wrong argument each fail."""
    monkeypatch.setattr("tests.documentation.blocks.ROOT", tmp_path)
    wrong = {
        "bash": ["uv run tiomagic text-to-video a --sed 1", "uv run tiomagic make", "tiomagick x"],
        "python": ["from tiomagic import tm\ntm.text_to_vide('a')", "import tiomagic.nothing"],
    }
    for language, codes in wrong.items():
        for code in codes:
            (tmp_path / "page.md").write_text(f"# T\n\n```{language}\n{code}\n```\n")
            with pytest.raises(
                (AssertionError, AttributeError, ImportError, pytest.fail.Exception)
            ):
                page_runner.type(blocks("page.md")[0])
    (tmp_path / "page.md").write_text("<!-- parsed: x -->\n\n```bash\ntiomagic ui --prot 1\n```\n")
    with pytest.raises(Exception, match="prot"):
        page_runner.type(blocks("page.md")[0])


def test_the_pattern_reads_what_a_page_may_hold() -> None:
    """Indented blocks too, and the reason that stands before one."""
    found = blocks("docs/modal.md")
    assert found[0].code.startswith("uv venv")
    assert found[0].mark == "not run (whole)"
    assert {block.language for block in found} == {"bash", "python"}
