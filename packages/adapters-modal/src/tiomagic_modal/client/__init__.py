"""The caller's side: connection, calls of the deployed app, and the results on their way.

``connection``  The wire to Modal: one client, and an answer within a bound or an error that says
                so.
``mp4_check``   Whether bytes are an mp4, by its boxes: size, four letters, content, one after the
                other.
``remote``      What is asked of a deployed app: start a call, look at it, stop it, read what it
                left.
``retry``       Asks Modal again for what can be asked twice: how a job is, and its video. Never a
                submission.
``spool``       Where finished videos are between Modal and their place in the output folder.
"""
