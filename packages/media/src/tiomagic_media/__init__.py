"""Pictures and videos: fetching and checking inputs, decoding them, writing the mp4.

``decode``    From bytes to frames: inspection, pictures, videos, timing.
``edges``     Finds the outlines in a video: Canny's method, white lines on black.
``encode``    From frames to an mp4.
``fetch``     From what a user gives to bytes: addresses, downloads, sources.
``joining``   Shots that go on: the end of a video, what follows joined to it, and loops.
``limits``    How large an input may be.
``masks``     Masks: which parts of a video are replaced.
``pictures``  What can be made of a finished video: sheets of its frames, and files that other
              programs take.
``pose``      Skeletons: the pose estimator, and the drawings that models follow.
``reader``    The port ``MediaReader`` on this machine: fetch an input, check it, store it by its
              hash.
``store``     Stores the bytes of inputs under their hash, so that a job can be run again.

Importing this package loads none of Pillow, PyAV and numpy.
"""

from tiomagic_media.limits import MediaLimits
from tiomagic_media.reader import LocalMediaReader

__all__ = ["LocalMediaReader", "MediaLimits"]
