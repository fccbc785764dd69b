"""Skeletons: the pose estimator, and the drawings that models follow.

``animate_drawing``   Draws a pose as Wan Animate's own preparation does (Wan 2.2,
                      wan/modules/animate/preprocess).
``colour_order``      Detects whether the colours of drawn skeletons are RGB or BGR, and swaps
                      them.
``estimate``          Draws the skeleton of the person in a video, frame by frame.
``faces``             Cuts the face of a followed person out of each frame, for models that copy
                      its expression.
``models``            Finds or downloads the two networks of the pose estimator, and checks their
                      digests.
``networks``          The two networks of the pose estimator, run by onnxruntime.
``openpose_drawing``  Draws a pose as VACE's annotator does: OpenPose's colours on black.
"""
