"""Prepares requests: from a call's arguments to a request that a provider can run.

``asked_sizes``        Resolves ``seconds``, ``aspect`` and ``resolution`` to what the model makes.
``carrying``           Carries the choices of a call over to another model, and says what does not
                       fit.
``continuing``         Turns a call for a shot that goes on, or a loop, into one that a model
                       knows.
``defaults``           Fills in defaults of a call: the seed, a size that fits the picture,
                       few-step settings.
``lacking_inputs``     Names what takes an input that the model of a call does not.
``legacy_parameters``  Translates or refuses the parameters of tiomagic 1.0.0 that this version
                       does not have.
``preparation``        Validates a call and builds its request, or raises one error with every
                       problem.
``received_recipes``   Checks untrusted recipes: no paths, no addresses, no unapproved downloads.
``replacing``          Looks at a background and its mask before anything runs: what would be
                       replaced, and where.
``rerun``              The arguments of a rerun: a recorded call with changes, or on another
                       model.
``sizing``             Chooses a video's size from a picture's aspect ratio and a budget of
                       pixels.
``travelling``         Refuses what cannot be sent to another machine, before that costs anything.
``wire``               Requests, results and errors as plain data, for runs on another machine.
"""
