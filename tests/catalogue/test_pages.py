"""The reference pages say what the catalogue says, and name tests that exist."""

import json
import re
import subprocess
import sys

import pytest
from docs import benchmark_page, generate, parallel_table, pose_table
from tests.catalogue.extremes import CASES

from tiomagic.wiring.registry import providers_of


@pytest.fixture(scope="module")
def tests_page():
    """The page of the tests of all models."""
    return generate.render_pages()[generate.TESTS_PAGE]


def test_every_model_feature_and_provider_is_reached_by_a_test_that_exists(tests_page):
    """Pytest knows each test that a cell of the table names, and no combination lacks its cell."""
    named = re.findall(r"`(tests/\S+::\S+\[\S+\])`", tests_page)
    # Workers of a cluster run the engines of the local provider: tests/ray tries them there.
    cells = [name for card, _ in CASES for name in providers_of(card) if name != "ray"]
    assert len(named) == len(set(named)) == len(cells)
    files = sorted({name.partition("::")[0] for name in named})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-cov", *files],
        cwd=generate.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(named) <= set(done.stdout.splitlines()), done.stdout + done.stderr


def test_a_page_says_every_parameter_with_its_default_limits_and_source():
    """Nothing that the schema knows is left out."""
    pages = generate.render_pages()
    for card, feature in CASES:
        page = pages[generate.PAGES / f"{card.name}.md"]
        assert card.licence in page
        assert card.homepage in page
        for parameter in card.schema(feature).parameters:
            assert f"| `{parameter.name}`" in page
            assert parameter.description in page
            assert (parameter.source or "") in page
        for name in card.schema(feature).objects:
            assert f"`{name}`" in page


def test_the_measurements_are_those_of_the_results(tmp_path):
    """A whole run is its steps and a decoding, and what failed or was left out is not hidden."""
    step = {"first_step_s": 30.0, "decode_s": 5.0, "peak_denoising_gib": 31.0}
    step |= {"peak_decoding_gib": 33.25, "weights_gib": 27.0}
    modes = {
        "plain": {**step, "step_s_median": 4.0, "seconds_of_50_steps": 200.0},
        "exact": {**step, "step_s_median": 2.0, "seconds_of_50_steps": 100.0, "share_of_peak": 0.7},
        "turbo": {"failed": "RuntimeError: no"},
    }
    size = {"width": 832, "height": 480, "num_frames": 81}
    rows = [
        {"model": "wan2.1-t2v-14b", "settings": size, "modes": modes},
        {"model": "b", "left_out": "the time was over"},
    ]
    machine = {"gpu": {"name": "A card"}, "torch": "2.15", "cores": 2, "load_at_end": 1.0}
    result = {"card": {"matrix_tflop_a_second": 700.4}, "rows": rows, "machine": machine}
    folder = tmp_path / benchmark_page.RESULTS
    folder.mkdir(parents=True)
    whole = json.dumps({**result, "date": "2026-11-27"})
    (folder / "gpu_pipelines.json").write_text(whole)
    page = benchmark_page.render_benchmarks(tmp_path)
    exact = "| `exact` | 2.00 s | 30.0 s | 5.0 s | 105 s | 1.95 x | 70% | 33.2 GiB | 35.7 GiB |"
    failed, left_out = "| `turbo` | failed: RuntimeError: no |", "`b`: the time was over"
    for said in (exact, failed, left_out, "700 TFLOP/s", "A card"):
        assert said in page


def test_the_check_names_what_is_stale_and_the_command_that_helps(tmp_path, monkeypatch, capsys):
    """A page that is wrong, missing or left over fails; writing them mends all three."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    poses = tmp_path / generate.POSE_PAGE
    poses.parent.mkdir(parents=True)
    gpus = tmp_path / generate.PARALLEL_PAGE
    gpus.write_text(f"# G\n{parallel_table.BEGIN}old\n{parallel_table.END}end\n")
    poses.write_text(f"# P\n{pose_table.BEGIN}old\n{pose_table.END}end\n")
    (tmp_path / "README.md").write_text(f"# T\n{generate.BEGIN}old\n{generate.END}end\n")
    generate.write()
    assert generate.find_stale() == []
    (tmp_path / generate.PAGES / "doodle.md").write_text("wrong")
    (tmp_path / generate.PAGES / "gone.md").write_text("of a model that is gone")
    (tmp_path / generate.INDEX).unlink()
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    said = capsys.readouterr().out
    for name in ("doodle.md", "gone.md", "README.md", generate.COMMAND):
        assert name in said
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 0
    assert not (tmp_path / generate.PAGES / "gone.md").exists()
    assert (tmp_path / "README.md").read_text().endswith("end\n")
    assert poses.read_text().endswith("end\n")
    assert "`wan2.1-vace-14b`" in poses.read_text()
