"""What ``tiomagic serve`` manages beside the server itself.

``keys``      ``tiomagic serve keys``: the keys of clients, their limits, and what is spent with
              them.
``options``   What can be said to ``tiomagic serve``.
``webhooks``  ``tiomagic serve webhooks``: who gets messages, their secrets, and what became of
              messages.
"""
