"""A small HTTP service around the domain of tiomagic, with a model and a provider of its own.

It stands on ``tiomagic_domain`` and ``tiomagic_storage`` alone: there is no ``tm`` in it.

==============  =====================================================================
``card``        the model: what may be asked of it
``drawing``     makes the frames and the mp4
``provider``    the port ``Provider``: draws in threads, remembers its runs
``parts``       the two small ports that the service fills itself: time and pictures
``service``     jobs over HTTP
==============  =====================================================================

Start it, and ask for a video::

    python -m examples.embedded_service --folder clips --port 8000
    jobs=localhost:8000/jobs
    curl -d '{"feature": "text_to_video", "arguments": {"prompt": "a red ball"}}' $jobs
    curl $jobs/<job_id>
    curl -o ball.mp4 $jobs/<job_id>/video
"""
