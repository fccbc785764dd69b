"""The page for services keeps its word: what it runs needs no facade, and names what it uses."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.documentation.blocks import ROOT, blocks

from tiomagic_domain.features import Feature

PAGE = "docs/embedding.md"

ALONE = """\
import sys


class Wall:
    def find_spec(self, name, path=None, target=None):
        absent = {"tiomagic", "tiomagic_local", "tiomagic_media", "tiomagic_modal"}
        if name.partition(".")[0] in absent:
            raise ImportError(f"{name} is not installed")


sys.meta_path.insert(0, Wall())
"""

WORKER = """\
import sys, time
from datetime import UTC, datetime
from pathlib import Path

import service_worker


class Clock:
    def now(self):
        return datetime.now(UTC)

    def monotonic(self):
        return time.monotonic()

    def sleep(self, seconds):
        time.sleep(seconds)


if __name__ == "__main__":
    service_worker.main(Path(sys.argv[1]), Clock())
"""


def test_the_page_needs_the_domain_and_the_storage_alone(tmp_path: Path) -> None:
    """Its blocks run where the facade and the adapters cannot be imported.

    Only the worker's process needs ``tiomagic_local``, for what it asks the system.
    """
    code = [block.code for block in blocks(PAGE) if block.language == "python"]
    here = [text for text in code if not text.startswith("# service_worker.py")]
    assert len(here) == len(code) - 1
    script = tmp_path / "page.py"
    script.write_text("\n".join([ALONE, *here]), "utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout


def test_the_worker_of_the_page_runs_a_queued_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service stores the job and returns; a real worker process brings it to its end."""
    (module,) = [b.code for b in blocks(PAGE) if b.code.startswith("# service_worker.py")]
    (tmp_path / "service_worker.py").write_text(module, "utf-8")
    (tmp_path / "run_worker.py").write_text(WORKER, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import run_worker
    import service_worker

    folder = tmp_path / "service"
    folder.mkdir()
    generation, _background, repository = service_worker.parts(folder, run_worker.Clock())
    job = generation.submit(
        Feature.TEXT_TO_VIDEO,
        provider="local",
        model="wan2.1-t2v-1.3b",
        arguments={"prompt": "a fox"},
        detach=True,
    )
    assert job.status == "queued"
    worker = subprocess.Popen(
        [sys.executable, tmp_path / "run_worker.py", folder], cwd=tmp_path, stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 240
        while not (stored := repository.get(job.job_id)).status.is_terminal:
            assert worker.poll() is None, worker.communicate()[1]
            assert time.monotonic() < until, stored
            time.sleep(0.05)
    finally:
        worker.terminate()
        _, said = worker.communicate(timeout=120)
        repository.close()
        sys.modules.pop("service_worker", None)
        sys.modules.pop("run_worker", None)
    assert (stored.status, worker.returncode, said) == ("completed", 0, b"")
    assert Path(str(stored.result_video)).is_file()


@pytest.mark.parametrize(
    "module",
    [
        "tiomagic_domain.media",
        "tiomagic_domain.jobs.recipe",
        "tiomagic_domain.features",
        "tiomagic_domain.catalogue.settings",
        "tiomagic_domain.workers.service",
        "tiomagic_domain.testing",
        "tiomagic_storage.open_repository",
        "tiomagic.types",
    ],
)
def test_what_an_adapter_needs_is_on_an_api_page(module: str) -> None:
    """``Media``, ``VideoFile``, ``build_recipe``, ``INPUTS``, settings, testing, storage."""
    pages = [path.read_text("utf-8") for path in (ROOT / "docs" / "api").glob("*.md")]
    wanted = rf"\.\. auto\w+:: {re.escape(module)}$"
    assert any(re.search(wanted, page, re.MULTILINE) for page in pages)
