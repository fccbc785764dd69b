"""The caller's side: the connection to Modal, calls of the deployed app, and fetched results.

``connection``  The connection to Modal: one client, and a timeout for every request.
``remote``      Requests to the deployed app: start a call, poll it, cancel it, read its progress
                and result.
``retry``       The retry policy of requests to Modal: polls and downloads are retried,
                submissions never.
``spool``       The spool: a folder for fetched videos until the output store has taken them.
"""
