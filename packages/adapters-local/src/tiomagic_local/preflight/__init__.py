"""Preflight: what a run meets on this machine, and what it needs. Imports no torch.

``conditions``      The conditions of a run, from the card, the weights and the machine.
``gpus``            The GPUs of this machine, asked of NVIDIA's management library (NVML).
``machine``         The facts of this machine: GPUs, main memory, cores, the build of torch.
``run_time``        About how long a run takes, from its operations and the speed of the device.
``stored_weights``  The bytes of a model's weights: those that are here, and those to download.
"""
