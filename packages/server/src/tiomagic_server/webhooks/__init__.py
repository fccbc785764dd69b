"""Webhooks: a signed message to the client's address when its video is over.

``dispatching``   Finds what is to be sent, and sends it, beside the other processes of the server.
``events``        What a message says: its type and data, in OpenAI's and in OpenRouter's form.
``receivers``     Who gets messages: addresses, and the secrets that sign.
``registering``   Stores the deliveries of a job before the job itself.
``schedule``      When an attempt is repeated, and when a delivery is given up.
``sending``       Signs a message and posts it to an address that may be reached.
"""
