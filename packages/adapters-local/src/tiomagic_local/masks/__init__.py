"""Masks of people in videos: the segmenter SAM 2.1, led by the points of the pose estimator.

``maker``      The port ``MaskMaker``: a video in, the mp4 of its mask out.
``segmenter``  SAM 2.1 on one picture: the points of a person in, a mask out.

SAM 2 with the same points is what Wan Animate's authors use. Its weights (Meta, Apache-2.0) are
safetensors, and its code is a part of transformers, which the engines need anyway. The weights are
fetched when the first mask is made.
"""
