"""What makes a run faster: chosen for a call, recorded, and gone after it.

==============  =================================================================================
module          what it does
==============  =================================================================================
``attention``   the best exact attention that works on the device
``prompts``     remembers what the text encoders made of a prompt
``compiling``   compiles the transformer's repeated blocks, for runs that are long enough
``layout``      lays the weights of a VAE as a GPU reads them
``guidance``    makes the two passes of a guided step as one batch, where they are short
``caching``     leaves out most of the transformer where little changes between two steps; inexact
``fp8``         multiplies in eight bits; inexact
``parts``       finds the transformers of a pipeline; says what does not work on it
``applying``    puts these on a pipeline for the time of a call
==============  =================================================================================
"""
