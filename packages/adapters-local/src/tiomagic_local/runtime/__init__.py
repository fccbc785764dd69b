"""Loading a pipeline, keeping it, and running a request on it.

``component_reuse``  What the next model has as well, to the last bit: its text encoder is not
                     loaded again.
``loader``           From a folder of weights to a pipeline that is ready on its device.
``lora_adapters``    LoRAs on a loaded pipeline: put on, counted, and taken off again without a
                     trace.
``memory_plan``      Where the weights wait while they are not needed. Pure: knows numbers, not
                     torch.
``pipeline_cache``   The one pipeline that this process keeps loaded.
``run``              From a request to an mp4: the one function that runs a model, here and in a
                     rented container.
``vae_tiling``       Has a VAE work in tiles or on whole frames, from call to call.
"""
