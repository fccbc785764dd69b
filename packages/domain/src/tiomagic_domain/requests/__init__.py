"""From a call's arguments to a request that a provider can run.

``defaults``           Fills in what a call left open: the seed, and a size that suits the
                       picture.
``legacy_parameters``  The parameters of tiomagic 1.0.0 that this version does not have, and what
                       becomes of them.
``preparation``        From a call's arguments to a request that a provider can run, or one error
                       with every problem.
``received_recipes``   What of a recipe that somebody else may have written is used, and what is
                       not.
``rerun``              The arguments of a call that repeats another one: with changes, or on
                       another model.
``sizing``             Which size a video gets when the caller gives a picture instead of a width
                       and a height.
"""
