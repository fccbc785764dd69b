"""The schemas: parameters with their limits, rules between them, and the check of a call.

``expert_arguments``  Expert arguments: Python objects of the caller's process, such as tensors
                      and functions.
``kinds``             Kinds of values (number, text, media …), and the conversion of a value
                      before limits apply.
``parameter``         One parameter of a model: kind, limits, default and its source, and the
                      check of a value.
``schema``            The schema of a model's feature: all parameters, the rules between them, the
                      check of a call.
``sizes``             Length and size in the user's terms: ``seconds``, ``aspect``,
                      ``resolution``.
"""
