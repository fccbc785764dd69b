"""Acceleration of a run: attention kernels, compiling, caches, CFG batching, fp8. Off after a call.

``apply``          Applies a call's acceleration options to its pipeline, and removes them
                   afterwards.
``attention``      Selects the attention backend (kernel): the best exact one that works, tried once
                   a process.
``cfg_batching``   CFG batching: runs both passes of a guided step (prompt, negative prompt) as one
                   batch of two.
``channels_last``  Stores the weights of a VAE channels last, the layout that GPU convolutions need.
``compilation``    Compiles the repeated blocks of a transformer (torch.compile), if the run is long
                   enough.
``components``     The components that acceleration applies to, and the error for an unsupported
                   option.
``flops``          Estimates the FLOPs of a run from the shapes of its model.
``fp8``            fp8 matrix products, for GPUs with fp8 in hardware: inexact.
``kernels``        The attention kernels: which cards each needs, whether it is exact, and where it
                   comes from.
``prompt_cache``   Caches encoded prompts of the text encoders.
``step_caches``    Step caches: blocks of the transformer are skipped in steps where little changes.
                   Not exact.
"""
