"""The runtime: loads a pipeline, keeps it in a cache, plans its memory, and runs requests.

``call_loras``       Finds the files of the LoRAs of one call.
``component_reuse``  Reuses an identical text encoder when the next model is loaded.
``doubles``          Leaves out the frames of a clip that a viewer has seen already.
``loaded``           A model that is ready to run, as a run gets it from the pipeline cache.
``loader``           Loads a pipeline from a folder of weights and places it on its device.
``lora_adapters``    Applies LoRAs to a loaded pipeline, counts their layers, and removes them bit
                     for bit.
``memory_choice``    Measures what memory is free, on the device and of the machine, and chooses
                     the plan of a run.
``pipeline_cache``   The pipeline cache: keeps the last loaded model, and runs one generation at a
                     time.
``quantized_parts``  Loads the components of a pipeline that a run keeps in fewer bits, or leaves in
                     their files.
``run``              Runs a request: from the job to the finished mp4, here and in rented
                     containers.
``sources``          Where the parts of a model come from, and loading them, before a run gets the
                     model.
``vae_tiling``       Switches a VAE between tiles and whole frames, for each call.
"""
