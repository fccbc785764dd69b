"""What the page shows of models.

``cards``    Model cards as HTML: the chosen model with its facts, and all others in groups.
``facts``    What is known of each model at a provider: whether it fits, what is here already.
``samples``  Prompts and pictures to try, which work with the chosen model.
"""
