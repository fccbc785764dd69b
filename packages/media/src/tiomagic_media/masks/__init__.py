"""Masks: which parts of a video are replaced.

``masks``   Reads a mask from pictures, and grows it around a person.
``reader``  The port ``MaskReader``, light to import.
"""
