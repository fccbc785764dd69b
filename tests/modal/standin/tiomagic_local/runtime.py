class Runtime:
    def __init__(self, options):
        self.runs = 0
