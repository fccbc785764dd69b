"""``python -m tests.faults --runs 300 --seed 1``: the campaign, with its counts as JSON.

Where a small file system can be mounted (root on Linux), the disk runs full as well. With
``--server`` the database is a PostgreSQL on loopback, whose connections break; with ``--modal`` the
jobs run on Modal, whose server is on loopback and dies; with ``--ray`` on a Ray cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults.breaking import FAULTS, HARMLESS_FAULTS, NAMESPACE_FAULTS, SERVER_FAULTS
from tests.faults.campaign import Campaign, Fault
from tests.faults.cluster import (
    CLUSTER_FAULTS,
    HARMLESS,
    NETWORK_FAULTS,
    ClusterCampaign,
    cluster_in,
)
from tests.faults.remote import REMOTE_FAULTS, RemoteCampaign
from tests.faults.remote_parts import workspace_in
from tests.faults.spaces import can_unshare
from tests.ray.networks import NetworkSpace, can_make_networks
from tests.storage.postgresql import create_database, find_binaries, run_server

RESULTS = Path(__file__).parent / "results"


def mount_small_disk(folder: Path) -> bool:
    """Return whether a small file system could be put at a folder."""
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
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
    parser.add_argument("--only", action="append", help="a fault; all when left out")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--server", action="store_true", help="on PostgreSQL")
    where.add_argument("--modal", action="store_true", help="on Modal")
    where.add_argument("--ray", action="store_true", help="on a Ray cluster")
    run_series(parser.parse_args())


def run_series(options: argparse.Namespace) -> None:
    """Run one series and write its counts."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as outer:
        os.environ["XDG_RUNTIME_DIR"] = outer  # Its devices are nobody else's.
        folder = Path(outer) / "place"
        folder.mkdir()
        small = mount_small_disk(folder)
        try:
            with prepare_campaign(options, folder) as (campaign, faults):
                harmless = HARMLESS if options.ray else HARMLESS_FAULTS
                campaign.harmless_faults = frozenset() if options.modal else harmless
                wanted = options.only or list(faults)
                names = [name for name in wanted if small or name != "full_disk"]
                names = [name for name in names if can_unshare() or name not in NAMESPACE_FAULTS]
                left: list[str] = []
                for _ in range(options.runs):
                    at = time.monotonic()
                    if at - began > options.seconds:
                        break
                    left = left or campaign.chance.sample(names, len(names))
                    name = left.pop()
                    campaign.run(name, faults[name])
                    print(f"{name}: {time.monotonic() - at:.1f} s", flush=True)
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
    kinds = {"modal-": options.modal, "postgresql-": options.server, "ray-": options.ray}
    kind = next((name for name, is_meant in kinds.items() if is_meant), "")
    (RESULTS / f"campaign-{kind}{options.seed}.json").write_text(text, encoding="utf-8")
    print(text)


@contextmanager
def prepare_campaign(
    options: argparse.Namespace, folder: Path
) -> Iterator[tuple[Campaign, Mapping[str, Fault]]]:
    """Give a campaign of the kind that is asked for, with what can be broken in it."""
    if options.modal:
        state_dir = folder.parent / "modal"
        with workspace_in(state_dir) as workspace:
            yield RemoteCampaign(folder, options.seed, workspace, state_dir), REMOTE_FAULTS
    elif options.ray:
        with ExitStack() as stack:
            can_cut = can_make_networks()
            space = stack.enter_context(NetworkSpace()) if can_cut else None
            cluster, diary = stack.enter_context(cluster_in(folder.parent, space))
            faults = {k: v for k, v in CLUSTER_FAULTS.items() if can_cut or k not in NETWORK_FAULTS}
            yield ClusterCampaign(folder, options.seed, cluster, space, diary), faults
    elif options.server:
        binaries = find_binaries()
        assert binaries is not None, "PostgreSQL is not installed"
        with run_server(binaries) as server, create_database(server) as url:
            yield Campaign(folder, options.seed, server=url), SERVER_FAULTS
    else:
        yield Campaign(folder, options.seed), FAULTS


if __name__ == "__main__":
    main()
