"""From bytes to frames: inspection, pictures, videos, timing.

``clips``       Reads what moves: videos, and animated GIF, WebP, AVIF and PNG pictures.
``file_kinds``  Recognises files that cannot be used, so that an error can name what was found.
``frames``      Loads pictures and frames for engines: decode, crop to a size, resample to a
                length or rate.
``images``      Pictures with Pillow: which formats are read, and how each of their kinds becomes
                RGB.
``inspection``  Inspects an input file: is it the kind that is needed, is it whole, is it within
                the limits?
``mp4_check``   Checks that fetched bytes are a whole mp4, by its boxes (size, four letters,
                content).
``sequences``   Videos that are given as their frames: a folder, a pattern, a list, or one array.
``sound``       Reads the sound of a video.
``timing``      When the frames of a source are shown.
``videos``      Decodes videos with PyAV, without access to any other file or address.
``rendering``   How a stored frame of a video becomes the RGB picture that a player shows.
``structure``   Checks what a file declares about itself before a decoder allocates memory for it.
"""
