"""From frames to an mp4.

``mp4``               The finished video: H.264 in an mp4, with its sound where there is one, and
                      the recipe inside.
``sound``             The sound beside a video: AAC, exactly as long as the frames.
``streaming_writer``  Writes a clip that may have been heard of before it was finished.
"""
