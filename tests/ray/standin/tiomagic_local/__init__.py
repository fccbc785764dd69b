"""A stand-in for the engines of workers, in tests about everything but engines: starts at once.

A run takes the steps that its prompt says in JSON: ``{"steps": 3, "pause_s": 0.1}``. With
``STANDIN_DIARY`` each writes into this file when it begins, takes a step and ends.
"""
