"""What can be made of a finished video: sheets of its frames, and files that other programs take.

``exports``  Exports a video: GIF, WebP, PNG, numbered frames, ProRes, FFV1.
``film``     A finished video in memory.
``maker``    The port ``Pictures`` with PyAV and Pillow.
``masked``   Shows a mask in red over a film.
``montage``  Several videos at once: their frames side by side, with labels.
``resizing`` Writes a finished mp4 anew at another width, with its recipe and its sound.
``sheet``    Pictures of many frames: the contact sheet of one video, and labelled pictures side
             by side.
``strip``    A strip of small pictures side by side, as a JPEG of a limited size.

Importing this package loads none of Pillow, PyAV and numpy.
"""
