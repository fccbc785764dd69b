"""The jobs of a server's clients, over ``tm``.

``callers``  Who sends a request, and which jobs are theirs.
``desk``     Submits, finds, lists, cancels and deletes the jobs of a caller.
``labels``   What the server writes on a job: whose it is, what it was remixed from.
``media``    The files of a finished job: video, thumbnail, sheet.
"""
