"""The parts of a job's life on Modal: its real client, and a server on loopback."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.faults import parts
from tests.modal.servicer import FakeModalProcess

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports import Provider
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.provider import ModalProvider

STEPS = (6, 60)
"""Short and long runs take turns: some are over before a fault is heard of."""
STANDIN_ORDERS = {"pause_s": 0.05, "frames": parts.FRAMES}
SETTINGS = {"width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 2}
STANDIN = Path(__file__).parents[1] / "modal" / "standin"


class RemoteProcessParts(parts.ProcessParts):
    """What one process has that runs its jobs on Modal."""

    lost_after_s = 8.0
    """Seconds for which a job whose submission went unanswered is looked for."""

    def providers(self, folder: Path) -> dict[str, Provider]:
        """Return Modal, at the server that the environment names."""
        token_id, secret = os.environ["MODAL_TOKEN_ID"], os.environ["MODAL_TOKEN_SECRET"]
        modal = ModalProvider(
            ModalOptions(token_id=token_id, token_secret=secret),
            folder / "spool",
            deadline_s=5.0,
            lost_after=timedelta(seconds=self.lost_after_s),
            now=self.clock.now,
        )
        return {"modal": modal}

    def submit(self, number: int, retry: int) -> Job:
        """Hand a job to Modal."""
        orders = {**STANDIN_ORDERS, "number": number, "steps": STEPS[number % 2]}
        return self.generation.submit(
            Feature.TEXT_TO_VIDEO,
            provider="modal",
            model="wan2.1-t2v-1.3b",
            arguments={"prompt": json.dumps(orders), **SETTINGS},
        )


def workspace_in(folder: Path) -> FakeModalProcess:
    """Return a server, not started, whose containers keep a diary beside its state."""
    environment = {
        "PYTHONPATH": os.pathsep.join([str(STANDIN), *filter(None, sys.path)]),
        "STANDIN_DIARY": str(folder / "diary"),
    }
    return FakeModalProcess(folder, container_env=environment, max_containers=2)
