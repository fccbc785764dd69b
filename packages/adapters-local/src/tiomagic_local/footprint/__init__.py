"""Estimates the GPU memory of a run, computed without any weights.

::

    architectures.json ─► architectures ─► modules on the meta device ─► phases ─┐
                                                        counting (live bytes) ◄──┘
                                                               │
    estimates.json ◄── fitting ◄── benchmarks/memory.py ◄──────┘
          │
          └─► estimates ─► the planner (``memory``), the cards' GPUs, the table in the docs

``estimates`` is all that a run needs; it reads numbers and imports no torch.

``architectures``  The architectures of the large models, from their authors' published
                   configurations.
``calls``          The arguments of one transformer step on the meta device, by class.
``counting``       Counts the peak of live bytes while modules run on the meta device.
``estimates``      Memory estimates of models for the planner: a formula for each phase. Loads no
                   torch.
``fitting``        Fits the formulas of ``estimates`` to the counts of ``phases`` at a few sizes.
``phases``         Measures the peak memory of each phase of a model, on the meta device.
``sharing``        How many devices can share a video of a model. Loads no torch.
"""
