"""Models on this machine: diffusers behind the ports of tiomagic.

``acceleration``      Acceleration of a run: attention kernels, compiling, caches, CFG batching,
                      fp8. Off after a call.
``calibrate``         Calibrates a model for the step cache MagCache: ``python -m
                      tiomagic_local.calibrate MODEL``.
``checkpoint``        The format of weight files: headers, 8-bit factors, variants, completeness.
``component_files``   Files in place of components of a model: what is in them, and loading them.
``context_parallel``  Context parallelism: several GPUs of one machine make one video; each has a
                      part of the tokens.
``engines``           The engines: one module each, found by the name on a model's card.
``fit_preview``       Finds the colours of a model's latents, for previews: ``python -m
                      tiomagic_local.fit_preview``.
``footprint``         Estimates the GPU memory of a run, computed without any weights.
``jobs``              Jobs and processes of this machine: process identity, liveness, device
                      locks, the spool.
``lora``              LoRA files: their tensors, the names that trainers use, and the layers of a
                      model that match.
``masks``             Masks of people in videos: the segmenter SAM 2.1, led by the points of the
                      pose estimator.
``measuring_tool``    The arguments of the commands that measure a model once: ``fit_preview``,
                      ``calibrate``.
``memory``            The memory plan of a run: what is on the device, and where the rest waits.
``modular``           Modular pipelines of diffusers: blocks in place of one long call.
``options``           The settings of the local provider: weights, token, device.
``plugin``            The plug-in of the provider ``local``: its settings, models, devices, and
                      checks for ``doctor``.
``preflight``         Preflight: what a run meets on this machine, and what it needs. Imports no
                      torch.
``preview``           Previews of a run: a small picture of its latents every few steps.
``provider``          The provider ``local``: runs models in this process, on this machine.
``quantized``         Quantized weights: fewer bits on the disk and in memory, and the loss
                      measured.
``rank_main``         One of the other ranks: ``python -m tiomagic_local.rank_main <descriptor>
                      <parent>``.
``read_ahead``        Reads layers that stay in their files ahead of time, while the layers before
                      them run.
``rehearsal``         Rehearsal: checks whether a model can run here, before its weights are
                      downloaded.
``runtime``           The runtime: loads a pipeline, keeps it in a cache, plans its memory, and
                      runs requests.
``torch_env``         The environment of torch: devices, number types, free memory, library
                      versions, output.
``upkeep``            Upkeep of the weights on this machine: download ahead, list, remove,
                      verify.
``weights``           Finding and downloading weights: from a folder, the package, or the Hugging
                      Face hub.

Importing this package loads nothing of it.
"""
