"""The schemas: parameters with their limits, rules between them, and the check of a call.

``expert_arguments``  Expert arguments: Python objects of the caller's process, such as tensors
                      and functions.
``keyframes``         The argument ``keyframes``: pictures at moments of the video, on the grid of
                      the model.
``kinds``             Kinds of values (number, text, media …), and the conversion of a value
                      before limits apply.
``nested_media``      Pictures within a list: an argument such as ``keyframes``, whose entries
                      each have a picture.
``parameter``         One parameter of a model: kind, limits, default and its source, and the
                      check of a value.
``rules``             Rules between several parameters of a call.
``schema``            The schema of a model's feature: all parameters, the rules between them, the
                      check of a call.
``sizes``             Length and size in the user's terms: ``seconds``, ``aspect``,
                      ``resolution``.
"""
