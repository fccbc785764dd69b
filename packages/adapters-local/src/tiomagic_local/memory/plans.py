"""The memory plans: what is on the device during a run, and where the rest waits.

=================  ======================================  ========================  =============
plan               what lies on the device                 where the others wait     speed
=================  ======================================  ========================  =============
``resident``       all weights, all the time               there are none            fastest
``model_offload``  one component at a time                 in main memory            a little less
``group_offload``  a few layers at a time, and the VAE     in main memory            slow
``disk_offload``   a few layers at a time, and the VAE     in their files            slowest
=================  ======================================  ========================  =============

"""

from __future__ import annotations

from enum import StrEnum


class MemoryPlan(StrEnum):
    """What is on the device during a run."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model_offload"
    GROUP_OFFLOAD = "group_offload"
    DISK_OFFLOAD = "disk_offload"


BY_LAYERS = frozenset({MemoryPlan.GROUP_OFFLOAD, MemoryPlan.DISK_OFFLOAD})
"""Plans with a few layers at a time on the device: the smallest there are."""
WAITING = frozenset({MemoryPlan.MODEL_OFFLOAD, MemoryPlan.GROUP_OFFLOAD})
"""Plans whose weights wait in main memory."""
