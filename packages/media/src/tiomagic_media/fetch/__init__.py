"""From what a user gives to bytes: addresses, downloads, sources.

``addresses``      Which IP addresses a download may connect to: public ones only (SSRF
                   protection).
``download``       Downloads a file from an address of the user: one deadline, limits, retries,
                   public hosts only.
``hub_telemetry``  Switches off the telemetry of the Hugging Face hub's client.
``network``        Connections of a download: only to allowed addresses, every wait bounded by the
                   deadline.
``retry``          The retry policy of downloads and polls: growing random pauses. Submissions are
                   never retried.
``sources``        Turns an input into a stream of bytes: a path, URL, data URL, bytes, file
                   object or PIL image.
"""
