"""``python -m tests.media_files --files 1000 --seed 1``: the campaign, with its counts as JSON.

Memory is bounded to 4 GiB for the whole process, so that a file that takes more is found as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import av
from tests.media_files.campaign import MediaCampaign

RESULTS = Path(__file__).parent / "results"
MEMORY_LIMIT_BYTES = 4 * 2**30
"""Bytes of address space."""


def describe_machine() -> str:
    """Return the processor's name and the number of its cores."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="a folder for the counts")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="media-") as folder:
        campaign = MediaCampaign(Path(folder), options.seed)
        for index in range(options.files):
            campaign.run(index)
            if index % 50 == 49 or index == options.files - 1:
                write(campaign, options, round(time.monotonic() - began))


def write(campaign: MediaCampaign, options: argparse.Namespace, seconds: int) -> None:
    """Write what is known so far."""
    counts: dict[str, Any] = campaign.end()
    counts |= {
        "seed": options.seed,
        "seconds": seconds,
        "peak of memory in MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "system": f"{platform.system()}, Python {platform.python_version()}, PyAV {av.__version__}",
        "machine": describe_machine(),
        "complaints": campaign.problems,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(counts, indent=2) + "\n"
    (options.results / f"campaign-{options.seed}.json").write_text(text, encoding="utf-8")
    print(text, flush=True)


if __name__ == "__main__":
    main()
