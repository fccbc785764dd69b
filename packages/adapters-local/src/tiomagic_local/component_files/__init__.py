"""Files in place of components of a model: what is in them, whether they fit, and loading them.

``encoder_names``  The tensors of a text encoder's file, in the names of llama.cpp or ComfyUI, by
                   the names of transformers.
``kinds``          The class that a file's component has, and whether such a file is read.
``single_file``    Checks a file by its header, and loads a component from it.
"""
