"""Where the time of the test suite goes: seconds per folder, and the slowest tests.

It reads what pytest itself has measured::

    uv run pytest -n auto --junitxml=suite.xml
    uv run python benchmarks/suite_durations.py suite.xml

Writes ``benchmarks/results/suite_durations.json``. Seconds of a test are wall time in its process;
with ``-n 2`` two tests run at once, so that they add up to about twice the time of the run.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import report

SLOWEST = 30


def summarize(path: Path) -> dict[str, Any]:
    """Return the number of tests, seconds in all and per folder, and the slowest tests."""
    suite = next(ET.parse(path).getroot().iter("testsuite"))
    tests, folders = [], Counter[str]()
    for case in suite.iter("testcase"):
        seconds = float(case.get("time", "0"))
        name = case.get("classname", "")
        tests.append((seconds, f"{name}::{case.get('name', '')}"))
        folders[".".join(name.split(".")[:2])] += seconds
    return {
        "tests": len(tests),
        "wall_s": round(float(suite.get("time", "0"))),
        "test_s": round(sum(seconds for seconds, _ in tests)),
        "folders_s": {name: round(seconds) for name, seconds in folders.most_common()},
        "slowest_s": {name: round(s, 1) for s, name in sorted(tests, reverse=True)[:SLOWEST]},
    }


def main() -> None:
    """Write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("junit", type=Path, help="the file of --junitxml")
    print(report.write("suite_durations", summarize(parser.parse_args().junit)))


if __name__ == "__main__":
    main()
