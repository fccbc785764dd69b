"""LoRA files: their tensors, the names that trainers use, and the layers of a model that match.

``changes``   Computes the change of one tensor of a model from its tensors in a LoRA file.
``families``  The layer names of each family's authors, from those of diffusers.
``fitting``   Matches the layers of a LoRA file with a model: which are applied, which are left
              out and why.
``messages``  Warnings about LoRA files and transformer files that are used only in part. Loads no
              torch.
``naming``    Finds layers of a model by any of the names that trainers use.
``offsets``   Applies changes to a model's tensors and removes them again, bit for bit.
``scaling``   The intended strength of a LoRA: alpha, from tensors, the header, or peft's
              configuration.
``tensors``   Classifies the tensors of a LoRA file by their names: layer and role. Loads no
              torch.
"""
