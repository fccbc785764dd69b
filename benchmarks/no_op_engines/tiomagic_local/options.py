"""Takes any option."""


class LocalOptions:
    """Takes any option."""

    def __init__(self, **options):
        self.options = options
