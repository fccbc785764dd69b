"""From frames to an mp4.

``mp4``               Writes the finished mp4: H.264, sound if there is any, and the recipe in the
                      metadata.
``sound``             The sound beside a video: AAC, exactly as long as the frames.
``streaming_writer``  Encodes a clip while its frames are still being decoded, in a thread, and
                      writes the mp4.
"""
