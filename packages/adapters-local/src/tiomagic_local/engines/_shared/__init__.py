"""What engines of all families share.

``frame_sink``  Frames that are used while the rest of their clip is still being decoded: a way
                beside the ports.
``pipeline``    What the engines over a diffusers pipeline share: one call, from settings to
                frames.
``pixels``      From what a decoder gives, floats on a device, to the pixels of a clip.
``sibling``     Another pipeline over the same components, for repositories whose weights serve
                two of them.
``skeletons``   What the engines of pose guidance share: how the video of a motion is read.
``stream``      The frames of a call, taken from the VAE's decoder as it gives them.
``watch``       Sees how far a running pipeline is, and stops it when it is asked to.
"""
