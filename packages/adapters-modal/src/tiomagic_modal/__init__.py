"""The engines of tiomagic on GPUs rented from Modal.

``client``         The caller's side: the connection to Modal, calls of the deployed app, and
                   fetched results.
``commands``       The commands of ``tiomagic modal``.
``constants``      Names shared by caller and container: the app, its Dict, Volumes and secret,
                   keys and paths.
``container``      The Modal app and the worker in its containers.
``costs``          What a run is expected to cost, and what it has cost: container seconds times
                   a price.
``deploy``         Deploying the app, and administering what is deployed.
``errors``         Translates Modal's exceptions into tiomagic's. The most specific class of the
                   table wins.
``gpus``           The list of Modal's GPUs: names, memory, prices, and the default GPU of a
                   model. Add one here.
``image_pins``     The pins of the image, made from uv.lock by scripts/pin_image.py; a test
                   compares.
``options``        Settings of the Modal provider: GPU, timeout, idle window, token, environment.
``outcomes``       Turns the exception of a finished call into the job's report: failed, canceled,
                   timeout, memory.
``plugin``         The provider ``modal`` before it is built: its settings, what it can run, its
                   commands.
``preflight``      What a run meets on Modal, known without a request: the GPU, its memory, the
                   token.
``provider``       The port ``Provider`` for Modal: submit, poll and cancel jobs in rented
                   containers.
``rehearsal``      Rehearses a model in a rented container: on the GPU of a real job, without
                   weights.
``wire``           The wire format between caller and container: requests and results as plain
                   data, one exception.

A container is a rented local GPU: it runs the same engines as the local provider does.

Importing this package, or ``tiomagic_modal.provider``, does not import Modal's own client.
"""
