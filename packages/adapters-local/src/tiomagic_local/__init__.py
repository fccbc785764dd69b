"""Models on this machine: diffusers behind the ports of tiomagic.

``acceleration``      What makes a run faster: chosen for a call, recorded, and gone after it.
``checkpoint``        Files of weights: what their headers say, before and while their tensors are
                      read.
``context_parallel``  One video made by several devices of one machine: each has all weights and a
                      part of the tokens.
``engines``           The engines: one module each, found by the name on a model's card.
``footprint``         What a video takes of a GPU's memory, computed without any weights.
``jobs``              Jobs as processes of this machine: who runs which, and where finished videos
                      wait.
``lora``              LoRA files: what they hold, how trainers name it, and which layers of a
                      model it is for.
``options``           What the user may say about running models here.
``plugin``            The provider ``local`` before it is built: its settings, what it can run, what
                      this machine has.
``provider``          The provider ``local``: runs models in this process, on this machine.
``rank_main``         One of the other ranks: ``python -m tiomagic_local.rank_main <descriptor>
                      <parent>``.
``rehearsal``         A dress rehearsal: does a model run here, before its weights are downloaded?
``runtime``           Loading a pipeline, keeping it, and running a request on it.
``torch_env``         What this machine and its installed torch can do.
``weights``           Where weights come from: a folder, the package, or the hub.

Importing this package loads nothing of it.
"""
