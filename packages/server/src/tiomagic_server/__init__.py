"""The server for clients of OpenAI's and OpenRouter's video API: ``tiomagic serve``.

``access``       Who may ask for what: keys, host names, sizes and times of requests.
``answering``    What clients get: videos, models and errors, in their own forms.
``application``  The ASGI application over a ``TioMagic``: its routes and what guards them.
``asking``       Reads a request: from bytes to the call of a model.
``jobs``         The jobs of a server's clients, over ``tm``.
``metrics``      Metrics of a server, as Prometheus reads them.
``mcp``          Tools for agents, by the Model Context Protocol: ``tiomagic mcp``.
``options``      How a server runs: address, processes, limits.
``processes``    The processes of a server: they share a socket, and end together.
``page``         The page of ``tiomagic ui`` in the same process, and its login by key.
``probes``       Health and readiness, for whatever watches the server.
``routes``       The routes: create, read, list, delete, models.
``serving``      Listens and runs the application, in one process or several.
``webhooks``     A signed message to the client's address when its video is over.

The server keeps nothing itself: jobs, keys and videos are where ``tm`` has them, so that any
number of processes answer alike, and a restart loses nothing.
"""
