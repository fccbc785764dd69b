"""The engines of tiomagic on GPUs rented from Modal.

A container is a rented local GPU: the worker runs the same engines as the local provider does.

================  ===============================================================================
``provider``      the port: check, submit, poll, cancel; imports neither torch nor the engines
``options``       what the caller can say: GPU, timeout, how long to stay warm
``gpus``          Modal's GPUs, and which one a model gets
``wire``          what travels between the two sides
``deployment``    brings the app up to date, never back
``worker``        runs in the container; the only module that knows ``tiomagic_local``
``desk``          the worker's end of the job: claim, progress, stored results
``errors``        from Modal's exceptions to tiomagic's
================  ===============================================================================

Importing this package, or ``tiomagic_modal.provider``, does not import Modal's own client.
"""
