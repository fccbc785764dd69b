"""Modular pipelines of diffusers: blocks in place of one long call.

A usual pipeline loads itself, moves its weights and calls back after each step. A modular one does
none of that: ``load_components`` fills it, a manager or hooks move its weights, and its steps are
seen at its scheduler. Here is what they need in place of it, once for all of them; the engine
``engines._shared.modular`` calls them, and all the rest (LoRAs, acceleration, memory plans, the
rehearsal) works on their components as on those of any pipeline::

    weights ─► load_modular ─► offload_whole / offload_blocks ─► ModularEngine ─► a call
                 (runtime.loader picks the way by the class's name)   └─► quiet_blocks

A model plugs in with a module in ``engines``: a subclass of ``ModularEngine`` with the name of the
pipeline's class, what goes in (``_conditions``) and what comes out (``output``). ``minimax_h3`` is
an example with more: two schedulers, of which ``scheduler`` counts the steps and ``_set_up`` renews
the other, sound beside the video (``_clip``), and a processor of its own (``components``).

``blocks``     Walks over the blocks of a modular pipeline, and keeps their progress bars quiet.
``loading``    Loads a modular pipeline from a folder: no code from it is run.
``placement``  Moves the weights of a modular pipeline between the device and main memory.
"""
