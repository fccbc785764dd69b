"""A small sample of the campaign; ``python -m tests.faults`` runs all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SAMPLE = """
import sys
from pathlib import Path
from tests.faults.campaign import FAULTS, Campaign
campaign = Campaign(Path(sys.argv[1]), seed=20, lock_s=1.0)
for name in sorted(set(FAULTS) - {"full_disk"}):
    campaign.run(name)
counts = campaign.end()
assert counts["runs"] == len(FAULTS) - 1, counts
assert sum(counts["jobs"].values()) <= counts["runs"], counts
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the campaign forks")
def test_after_each_fault_the_truth_is_told(tmp_path: Path) -> None:
    """One run a fault: every job ends truly, every video is whole, and none is made twice."""
    folder = tmp_path / "place"
    folder.mkdir()
    # In a process of its own: a test runner has threads, and those who fork must not.
    done = subprocess.run(
        [sys.executable, "-c", SAMPLE, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
