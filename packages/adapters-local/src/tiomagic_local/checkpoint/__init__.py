"""The format of weight files: headers, 8-bit factors, variants, completeness.

``factors``        Reads weights that are stored in 8 bits with a scale factor for each matrix
                   (fp8_scaled).
``folders``        Components of a folder: builds them without values, and checks that loaded
                   ones are whole.
``gguf_files``     The header and the tensors of a GGUF file, read by the format's own library.
``header``         The header of a safetensors file: names, types and shapes of its tensors. Loads
                   no torch.
``other_formats``  Error texts for weight files in formats that are not read.
``pipeline_index`` The index of a pipeline's folder: its class, and the class of each component.
``variants``       Variants of weights, such as ``diffusion_pytorch_model.fp16.safetensors``,
                   whole or in shards.
``weight_files``   Opens a file of weights, in safetensors or GGUF.
"""
