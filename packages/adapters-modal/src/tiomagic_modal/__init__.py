"""The engines of tiomagic on GPUs rented from Modal.

``client``         The caller's side: connection, calls of the deployed app, and the results on
                   their way.
``constants``      Names that both sides know: the app, what belongs to it, and where things lie
                   in a container.
``container``      The app and what runs in its containers.
``deploy``         Deploying the app, and looking after what is deployed.
``errors``         From Modal's exceptions to tiomagic's. The most specific class in the table
                   wins.
``gpus``           Modal's GPUs: their names, how much they hold, and which one a model gets when
                   none is named.
``image_pins``     What the image holds. Made from uv.lock by scripts/pin_image.py; a test
                   compares.
``options``        What the caller can say about running on Modal.
``outcomes``       How a call that is over is told: the last rung of the poll, from an exception
                   to a report.
``payload_check``  What of a request does not travel to a container, said before anything is
                   rented.
``provider``       The port: runs jobs on Modal.
``rehearsal``      A rehearsal in a rented container: the GPU that a job would get, and no
                   weights.
``wire``           What travels between the caller and the container: plain data, and one
                   exception.

A container is a rented local GPU: it runs the same engines as the local provider does.

Importing this package, or ``tiomagic_modal.provider``, does not import Modal's own client.
"""
