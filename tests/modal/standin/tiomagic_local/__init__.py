"""A stand-in for the engines in containers of tests about everything but engines: starts at once.

A run does what its prompt says in JSON: ``{"steps": 3, "pause_s": 0.1, "error": "TimeoutError"}``.
With ``"frames": 5`` its video is a real one.
"""
