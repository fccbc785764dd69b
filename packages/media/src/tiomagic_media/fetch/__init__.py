"""From what a user gives to bytes: addresses, downloads, sources.

``addresses``      Which addresses a download may connect to.
``download``       Fetches a file from an address that a user gave, within bounds.
``hub_telemetry``  Keeps the hub's client from telling more than it is asked for.
``network``        Connections of a download: only to where it may go, and no wait beyond its
                   deadline.
``retry``          Asks again for what can be had twice: files, and how a job is. Never to start
                   work.
``sources``        Turns whatever a user gives as a picture or a video into a stream of bytes.
"""
