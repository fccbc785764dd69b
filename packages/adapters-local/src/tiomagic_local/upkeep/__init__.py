"""Upkeep of the weights on this machine: download ahead, list, remove, verify. Loads no torch.

``contents``  The files of models in the hub's cache, each content once.
``keeper``    The keeper of weights: the port's implementation.
``removal``   Removes files of the cache that no other model needs.
"""
