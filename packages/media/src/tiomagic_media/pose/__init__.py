"""Skeletons: the pose estimator, and the drawings that models follow.

``animate_drawing``   Draws a pose as Wan Animate's own preparation does (Wan 2.2,
                      wan/modules/animate/preprocess).
``colour_order``      The order of the colours in a video of skeletons: found by looking, and
                      turned round.
``estimate``          Skeletons from a video of somebody moving.
``faces``             Cuts the face of a followed person out of each frame, for models that copy
                      its expression.
``models``            Where the two networks of the pose estimator come from.
``networks``          The two networks of the pose estimator, run by onnxruntime.
``openpose_drawing``  Draws a pose as VACE's annotator does: OpenPose's colours on black.
"""
