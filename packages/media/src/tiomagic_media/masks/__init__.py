"""Masks: which parts of a video are replaced.

``masks``  Reads a mask from pictures, and grows it around a person.
"""
