"""From bytes to frames: inspection, pictures, videos, timing.

``clips``       Everything that moves: videos, and animated GIF, WebP, AVIF and PNG pictures.
``file_kinds``  Names what a file is that cannot be used, so that an error can say what was found.
``frames``      What the engines do with media: load them, crop them to a size, fit them to a
                length.
``images``      Pictures with Pillow: which formats are read, and how each of their kinds becomes
                RGB.
``inspection``  Looks into a file: is it what it is meant to be, is it whole, and is it within the
                limits.
``sequences``   Videos that are given as their frames: a folder, a pattern, a list, or one array.
``timing``      When the frames of a source are shown.
``videos``      Videos with PyAV, reaching nothing but their own bytes.
``rendering``   How a stored frame of a video becomes the RGB picture that a player shows.
``structure``   What a file claims of itself, read from its own structure before a decoder
                believes it.
"""
