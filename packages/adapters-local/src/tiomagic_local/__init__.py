"""Models on this machine: diffusers behind the ports of tiomagic.

``acceleration``      Acceleration of a run: attention kernels, compiling, caches, CFG batching,
                      fp8. Off after a call.
``checkpoint``        The format of weight files: headers, 8-bit factors, variants, completeness.
``context_parallel``  Context parallelism: several GPUs of one machine make one video; each has a
                      part of the tokens.
``engines``           The engines: one module each, found by the name on a model's card.
``footprint``         Estimates the GPU memory of a run, computed without any weights.
``jobs``              Jobs as processes of this machine: who runs which, and where finished videos
                      wait.
``lora``              LoRA files: their tensors, the names that trainers use, and the layers of a
                      model that match.
``options``           What the user may say about running models here.
``plugin``            The provider ``local`` before it is built: its settings, what it can run, what
                      this machine has.
``provider``          The provider ``local``: runs models in this process, on this machine.
``rank_main``         One of the other ranks: ``python -m tiomagic_local.rank_main <descriptor>
                      <parent>``.
``rehearsal``         Rehearsal: checks whether a model can run here, before its weights are
                      downloaded.
``runtime``           Loading a pipeline, keeping it, and running a request on it.
``torch_env``         The environment of torch: devices, number types, free memory, library
                      versions, output.
``weights``           Finding and downloading weights: from a folder, the package, or the Hugging
                      Face hub.

Importing this package loads nothing of it.
"""
