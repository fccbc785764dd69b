"""What a video takes of a GPU's memory, computed without any weights.

::

    architectures.json ─► architectures ─► modules on the meta device ─► phases ─┐
                                                        counting (live bytes) ◄──┘
                                                               │
    estimates.json ◄── fitting ◄── benchmarks/memory.py ◄──────┘
          │
          └─► estimates ─► the planner (``memory``), the cards' GPUs, the table in the docs

``estimates`` is all that a run needs; it reads numbers and imports no torch.

``architectures``  The shapes of the large models, from the configurations that their authors
                   published.
``calls``          What each transformer is called with in one step, by its class.
``counting``       Counts the bytes that live at once while modules run on the meta device.
``estimates``      What the planner knows of a model's memory: a formula for each phase. Reads
                   numbers, no torch.
``fitting``        From what ``phases`` counts at a few sizes to the formulas of ``estimates``.
``phases``         One step and one decoding of a model on the meta device, and the most bytes
                   that each holds.
"""
