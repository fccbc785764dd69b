class Runtime:
    def __init__(self, options):
        self.runs = 0
        self.device = options.device or "stand-in"
