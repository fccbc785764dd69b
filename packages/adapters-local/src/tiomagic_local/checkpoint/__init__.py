"""Files of weights: what their headers say, before and while their tensors are read.

``factors``        Weights that are stored in eight bits with a factor beside each matrix.
``folders``        Whether a component that was loaded from a folder is whole, and its numbers
                   what they say.
``header``         The header of a safetensors file: names, types and shapes of its tensors. Loads
                   no torch.
``other_formats``  What is said of files in other formats than safetensors. Reads none of them.
``variants``       Weights in a variant, as ``diffusion_pytorch_model.fp16.safetensors``, whole or
                   in shards.
"""
