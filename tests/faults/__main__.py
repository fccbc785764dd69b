"""``python -m tests.faults --runs 300 --seed 1``: the campaign, with its counts as JSON.

Where a small file system can be mounted (root on Linux), the disk runs full as well.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import FAULTS, Campaign

RESULTS = Path(__file__).parent / "results"


def mounted(folder: Path) -> bool:
    """Return whether a small file system could be put at a folder."""
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no run after so long")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as outer:
        folder = Path(outer) / "place"
        folder.mkdir()
        small = mounted(folder)
        names = [name for name in FAULTS if small or name != "full_disk"]
        try:
            campaign = Campaign(folder, options.seed)
            for _ in range(options.runs):
                if time.monotonic() - began > options.seconds:
                    break
                campaign.run(campaign.chance.choice(names))
            counts = campaign.end()
        finally:
            log = Path(outer) / "children.log"
            if log.exists():
                print(log.read_text()[-4000:])
            if small:
                subprocess.run(["umount", "-l", str(folder)], check=False)
    counts |= {
        "seed": options.seed,
        "seconds": round(time.monotonic() - began),
        "system": f"{platform.system()}, Python {platform.python_version()}",
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(counts, indent=2) + "\n"
    (RESULTS / f"campaign-{options.seed}.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
