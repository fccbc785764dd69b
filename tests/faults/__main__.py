"""``python -m tests.faults --runs 300 --seed 1``: the campaign, with its counts as JSON.

Where a small file system can be mounted (root on Linux), the disk runs full as well. With
``--server`` the database is a PostgreSQL on loopback, whose connections break.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import FAULTS, SERVER_FAULTS, Campaign
from tests.storage.postgresql import find_binaries, fresh_database, running_server

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
    parser.add_argument("--server", action="store_true", help="on PostgreSQL")
    options = parser.parse_args()
    if not options.server:
        series(options, None)
        return
    binaries = find_binaries()
    assert binaries is not None, "PostgreSQL is not installed"
    with running_server(binaries) as server, fresh_database(server) as url:
        series(options, url)


def series(options: argparse.Namespace, server: str | None) -> None:
    """Run one series and write its counts."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as outer:
        folder = Path(outer) / "place"
        folder.mkdir()
        small = mounted(folder)
        faults = SERVER_FAULTS if server else FAULTS
        names = [name for name in faults if small or name != "full_disk"]
        try:
            campaign = Campaign(folder, options.seed, server=server)
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
    store = "postgresql-" if server else ""
    (RESULTS / f"campaign-{store}{options.seed}.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
