"""The four features as methods, typed, generated from the catalogue.

``async_methods``  The four features as methods to await, with every parameter of the shipped
                   models.
``methods``        The four features as methods, with every parameter of the shipped models.

``tiomagic.types`` has the names and arguments for your own annotations.
"""
