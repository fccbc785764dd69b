"""The routes of the server.

``answers``     What the descriptions of all routes share: errors, headers, bodies, and the key.
``context``     What every route needs: ``tm``, the desk, the caller, and threads to block in.
``creating``    Makes videos: create, remix, extend, and what no model here can do.
``following``   Follows videos to their end: events, and a request that waits for the video.
``models``      Lists the models.
``openrouter``  The same jobs in OpenRouter's form, under ``/api/v1``.
``reading``     Reads videos: retrieve, list, delete, content.
"""
