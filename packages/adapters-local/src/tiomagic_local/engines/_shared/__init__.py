"""What engines of all families share.

``control_videos``  Makes the control video of a call: skeletons and edges are found, all others
                are as given.
``engine_errors`` Errors of pipelines, as a job's record has them: with advice, and a code.
``frame_sink``  Frames that are used while the rest of their clip is still being decoded: a way
                beside the ports.
``modular``     What the engines over a modular pipeline share: the call, its steps, its guidance.
``pipeline``    What the engines over a diffusers pipeline share: one call, from settings to
                frames.
``pixels``      From what a decoder gives, floats on a device, to the pixels of a clip.
``previews``    The previews of an engine's call.
``replacement`` Reads the background and the mask for engines that replace a person in a video.
``sibling``     Another pipeline over the same components, for repositories whose weights serve
                two of them.
``skeletons``   Reads the guiding video or skeletons for the engines of pose guidance: pace,
                colours, length.
``sound``       From what a decoder gives of the sound, floats on a device, to the samples of a
                clip.
``stream``      Streams the frames of a call from the VAE's decoder, while it decodes.
``watch``       Reports the progress of a running pipeline, and stops it on a cancel.
"""
