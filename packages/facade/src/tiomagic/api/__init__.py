"""The methods of ``tm``, and their asynchronous twin.

``aio``            ``AsyncTioMagic``: the methods of ``tm`` for services that run an event loop.
``arguments``      What a call may be given, in the two ways that people write it.
``batch_methods``  The methods of ``tm`` that make many videos.
``batches``        Many requests at once, and comparisons of what they give.
``client``         ``tm``: every feature of tiomagic as one method.
``jobs``           The methods of ``tm`` for stored jobs and recipes.
``models``         The methods of ``tm`` for models, their parameters, and who runs them.
``plan``           What a call would make, and where, without making it.
``run``            Submitting jobs, and seeing them to their end when that is wanted.
``run_options``    How a call runs, as opposed to what it makes.
``calls``          The four features as methods, typed, generated from the catalogue.
"""
