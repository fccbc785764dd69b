"""How a stored frame of a video becomes the RGB picture that a player shows.

================  ==============================================================================
``colour``        matrix, range, transfer curve, primaries and alpha to RGB
``orientation``   the display matrix: turned, mirrored, or both
``interlacing``   two half pictures in one frame become one whole picture
================  ==============================================================================
"""
