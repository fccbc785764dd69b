"""The four features as methods, typed: ``methods`` for ``tm``, ``async_methods`` for its twin.

``types`` has the names and arguments for your own annotations, ``settings`` those of
``tm.configure``. All but ``settings`` are generated from the catalogue.
"""
