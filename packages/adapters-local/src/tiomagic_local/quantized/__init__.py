"""Quantized weights: fewer bits on the disk and in memory, and the loss measured.

A layer of such a model keeps its numbers as they are stored (8 bits and a factor, or the packed
blocks of GGUF), and turns them into the type of the run each time it multiplies. So the video is
the same, bit for bit, as if the file had been read in full; what is lost was lost when the file was
made. A step multiplies each weight with thousands of tokens, so reading it costs little of a step.

::

    a file in place of a component   checkpoint: header, factors, GGUF
        └─► weights.single_file      compares it with the architecture, by its header alone
              └─► tensors            stored numbers, through the renaming of diffusers
                    └─► assembling   puts them into a model without values
                          └─► layers the layers that multiply with them

One kind of layer serves all formats, and it holds plain tensors of whole numbers. Offload, LoRA,
compiling and safetensors need nothing special for it, and no library asks such a tensor for a type
to compute in: diffusers and transformers take the first floating-point parameter for that, and
would find fp8.

A weight that is no matrix of a linear layer or an embedding, that the library keeps in fp32, or
whose factors are for columns or blocks, is turned into the type of the run when it is loaded.

Weights can also be made from full ones: each is rounded as it is read from its file, and written
into a cache beside the hub's, from which the next load reads it. The cache is safetensors, keyed by
the source, the format and the version of the rounding.

LoRA: low-rank changes lie beside the layer, as ever. All others are added to a weight each time it
is read, because there is no full weight that they could be added to.

``assembling``  Puts stored tensors into a model without values.
``components``  Loads a component in a format, making its files the first time.
``layers``      Linear layers and embeddings that keep their weight as it is stored.
``made_cache``  The cache of weights that were made from full ones, so that the next load reads
                the small ones: its folders, listed and removed.
``made_files``  Makes the files of weights in a format, and reads them.
``nf4``         NF4: four bits a number, by a table of sixteen values.
``rounding``    Rounds full weights to the formats that are made when a model is loaded.
``selection``   Which weights of a component are kept in fewer bits, and what is left of its size.
``tensors``     Tensors as they are stored, and their renaming by diffusers.
"""
