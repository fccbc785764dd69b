"""The environment of torch: devices, number types, free memory, library versions, output.

``devices``      Selects devices and number types (dtype), and measures their memory.
``imports``      Pauses the garbage collector while the model libraries are imported.
``machine``      Facts of this machine for ``tiomagic doctor``: device, memory, libraries, the hub's
                 token.
``main_memory``  The main memory of this machine, and what of it is free, as a container may use it.
                 No torch.
``quiet``        Silences the progress bars and logs of the model libraries within a block.
"""
