"""Models on this machine: diffusers behind the ports of tiomagic, and the media around them.

=============  ===================================================================================
``provider``   :class:`LocalProvider`, the port ``Provider``
``run``        ``run_request``, from a request to an mp4: what the provider and a container call
``runtime``    the one pipeline that is kept loaded, and the turn of each generation
``engines``    one module an engine: the feature ports over a pipeline of diffusers
``streaming``  frames that are used while their clip is still being decoded
``weights``    where weights come from; ``hub`` fetches them, ``loading`` loads them
``sharing``    what the next model takes over; ``stored_once`` does so for files of the hub's cache
``memory``     where weights wait while they are not needed; ``devices`` asks the machine
``spool``      finished videos until they are saved, and which of the ``processes`` makes which
``media``      inputs and the mp4
=============  ===================================================================================

Importing this package loads nothing of it.
"""
