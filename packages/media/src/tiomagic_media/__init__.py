"""Pictures and videos: fetching and checking inputs, decoding them, writing the mp4.

============  ==================================================================================
``reader``    :class:`LocalMediaReader`, the port ``MediaReader``: fetch, check, keep by hash
``limits``    :class:`MediaLimits`, how large an input may be
``images``    pictures with Pillow: which formats, how each becomes RGB
``clips``     videos with PyAV and animated pictures with Pillow: when each frame is shown
``frames``    what the engines use: load, crop to a size, fit to a length
``rendering`` how a stored frame becomes the RGB picture that a player shows
``structure`` what a file claims, read before a decoder believes it
``mp4``       H.264 with the recipe inside
``ahead``     the same for a clip whose frames are heard of while they are decoded
``pose``      skeletons from a video of somebody moving
============  ==================================================================================

Importing this package loads neither Pillow nor PyAV nor numpy.
"""

from tiomagic_media.limits import MediaLimits
from tiomagic_media.reader import LocalMediaReader

__all__ = ["LocalMediaReader", "MediaLimits"]
