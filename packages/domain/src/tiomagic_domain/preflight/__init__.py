"""Preflight: what a run would take, whether it can work, and what would work in its place.

``judgement``      Judges the conditions of a run: what cannot work, and what may go wrong.
``measured_time``  The time of a run from the measured runs of the same model.
``preflight``      The result: facts, checks, verdict and alternatives, as plain data too.
``speeds``         The speeds of GPUs, and what a run takes beside the steps of its model.

The provider gives the facts (:class:`tiomagic_domain.ports.preflight.RunConditions`); the use case
is :mod:`tiomagic_domain.usecases.preflight`.
"""
