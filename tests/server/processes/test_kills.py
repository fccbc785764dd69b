"""A server that is killed again and again while clients work: what they were told is true."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.server.processes.clients import Clients
from tests.server.processes.killing import kill_at_random
from tests.server.processes.truth import HookTruth, Truth, read_hooks, read_truth

from tiomagic_server.webhooks.receivers import WebhookReceivers

if TYPE_CHECKING:
    from tests.server.hook_receiver import HookReceiver
    from tests.server.processes.commands import Forks, ServeCommand

KILLS = 5
"""``benchmarks/server_load.py --kills 50`` is the same with more of everything."""


@pytest.mark.timeout(1800)
def test_nothing_that_was_taken_is_lost_or_made_twice(
    run_command: Callable[..., ServeCommand], forks: Forks, hooks: HookReceiver
) -> None:
    """Each create is repeated with its key until there is an answer; each end has its webhook."""
    command = run_command(forks=forks, seconds=0.5, more=("--allow-private-webhooks",))
    hooks.secrets.append(WebhookReceivers(command.folder / ".tiomagic").add(""))
    clients = Clients([command.address], 10, 4, body={"callback_url": hooks.url})
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # Of a failure.
    chance, answered = random.Random(seed), clients.told.answers.total
    with kill_at_random([command], KILLS, chance, answered=answered, longest_life=15) as kills:
        told = asyncio.run(clients.run())
    assert kills.done == KILLS
    assert told.contradictions == []
    assert read_truth(command, told) == Truth(lost=[], twice=[], sent_twice=[])
    assert len(told.ends) == 40
    assert read_hooks(told, hooks) == HookTruth([], [], [], [])
    # Also of those that a server had stored and not sent when it was killed.
    assert set(told.ends.values()) == {"completed"}
