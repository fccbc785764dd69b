"""No models."""


class Runtime:
    """Loads nothing."""

    def __init__(self, options):
        self.options = options
