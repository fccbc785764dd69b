"""The methods of ``tm``, and their asynchronous twin.

``aio``          ``AsyncTioMagic``: the methods of ``tm`` for services that run an event loop.
``arguments``    Parses the arguments of a call: flat keywords, or ``required_args`` and
                 ``optional_args``.
``batches``      The methods of ``tm`` that make many videos.
``client``       ``tm``: every feature of tiomagic as one method.
``continuing``   The method of ``tm`` that continues a video.
``costs``        What stored jobs have cost, and how much of the budgets is taken (``tm.costs``).
``jobs``         The methods of ``tm`` for stored jobs and recipes.
``masks``        ``tm.make_mask``: the mask of the person in a video, for ``pose_guidance``.
``models``       The methods of ``tm`` for models, their parameters and providers.
``plan``         The plan of a call (``tm.plan``, ``--dry-run``), and ``check_models``: what
                 fits here, what is here, for a table or a page.
``run``          Submitting jobs, and seeing them to their end when that is wanted.
``run_batches``  Runs batches of requests, and comparisons of their videos.
``run_options``  The run options of a call: provider, wait, progress, retry, tags, key.
``weights``      ``tm.download``, and which provider keeps weights on this machine.
``calls``        The four features as methods, typed, generated from the catalogue.
"""
