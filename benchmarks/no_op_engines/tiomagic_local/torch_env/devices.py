"""No devices."""


def all_together():
    """Return that there is no group."""
