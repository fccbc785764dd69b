"""Parameters, what is legal for each, and the check of a whole call.

``expert_arguments``  Arguments that are objects of the caller's process: tensors, functions, and
                      the like.
``kinds``             Kinds of values, and what can be said of a value before any limit of a
                      parameter.
``parameter``         One parameter of a model: what it is, what is legal, and where its default
                      comes from.
``schema``            All parameters of one model for one feature, and the check of a whole call.
"""
