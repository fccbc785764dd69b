"""What makes a run faster: chosen for a call, recorded, and gone after it.

``apply``              Puts what a call asked for on its pipeline, and takes it off again.
``attention``          The best exact attention for a device: found out once, by trying.
``cfg_batching``       Makes the two passes of a guided step, with the prompt and with the
                       negative one, as one batch.
``channels_last``      Lays the weights of a VAE as the convolutions of a GPU read them: channels
                       last.
``compilation``        Compiles the blocks that a transformer repeats, when a run is long enough
                       to pay for it.
``components``         What of a pipeline is made faster, and how something that does not work on
                       it is refused.
``first_block_cache``  First-block cache: where little changes between two steps, most of the
                       transformer is left out.
``flops``              How much arithmetic a run is, from the shapes of its model. Pure but for
                       reading them.
``fp8``                Multiplies in fp8, for cards that do it in hardware: inexact.
``prompt_cache``       Remembers what the text encoders made of a prompt.
"""
