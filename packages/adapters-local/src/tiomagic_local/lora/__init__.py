"""LoRA files: what they hold, how trainers name it, and which layers of a model it is for.

``changes``   The change of one tensor of a model, from what a LoRA file has of it.
``families``  How the authors of each family name the layers that diffusers has other names for.
``fitting``   Which layers of a LoRA file a model has, and which are left out.
``messages``  What is said of LoRAs, and of a transformer's file, that are used in part. Loads no
              torch.
``naming``    The layers of a model by all names that trainers give them.
``offsets``   Changes of a model's tensors that come off again, to the last bit.
``scaling``   How strong a LoRA is meant to be: alpha, in the file's tensors, in its header or
              beside it.
``tensors``   What the tensors of a LoRA file are, by their names alone. Loads no torch.
"""
