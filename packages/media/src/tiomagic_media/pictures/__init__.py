"""What can be made of a finished video: sheets of its frames, and files that other programs take.

===========  ===================================================================================
``film``     :class:`Film`: the frames of a video and when they are shown
``sheet``    a picture of many frames with their times; labelled pictures side by side
``exports``  GIF, WebP, single frames as PNG, numbered frames, ProRes, lossless
``montage``  videos side by side, as frames
``maker``    :class:`PictureMaker`, the port ``Pictures`` over all of them
===========  ===================================================================================

Importing this package loads neither Pillow nor PyAV nor numpy.
"""
