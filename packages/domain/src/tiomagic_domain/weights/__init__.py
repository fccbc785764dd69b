"""Weights of a call: in which format, and from which files.

``formats``       The arguments ``quantization`` and ``quality``: which weights are kept in fewer
                  bits.
``given``         The argument ``weights``: files in place of components of a model.
``repositories``  Repositories of the hub with quantized files of a model's components.
``wan_files``     Repositories with Wan's components in GGUF.
"""
