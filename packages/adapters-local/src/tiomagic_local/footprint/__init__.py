"""What a video takes of a GPU's memory, computed without any weights.

::

    architectures.json ─► architectures ─► modules on the meta device ─► phases ─┐
                                                        counting (live bytes) ◄──┘
                                                               │
    estimates.json ◄── fitting ◄── benchmarks/memory.py ◄──────┘
          │
          └─► estimates ─► the planner (``memory``), the cards' GPUs, the table in the docs

``estimates`` is all that a run needs; it reads numbers and imports no torch.
"""
