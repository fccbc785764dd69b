class Runtime:
    def __init__(self, options):
        self.device = options.device
