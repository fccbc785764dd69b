"""How the shipped `doodle` model is made: its world, its training and its check."""
