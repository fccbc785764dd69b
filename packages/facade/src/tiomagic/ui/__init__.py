"""The web page: ``tiomagic ui``.

::

    serve      starts it                                    web       … and guards it
    entering   what a browser enters, checked               media     where files are dropped
    page       the page and what its parts do to each other
    maker      the form of one model, in widgets            form     … as plain data
    live       what runs now, how far, and how long yet
    gallery    the jobs that are over                       compare  two of them, in step
    markup     jobs as HTML

Everything that is shown is read from the job store, so that a page may be closed, loaded again and
opened twice. Only ``look``, ``maker``, ``media``, ``page`` and ``serve``
know Gradio, and load it.
"""
