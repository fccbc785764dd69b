"""Engines that return at once: what is left is the way to a worker and back."""
