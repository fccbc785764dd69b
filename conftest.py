"""What holds for every test of the repository: the lanes that ``-m`` chooses between."""

pytest_plugins = ["tests.lanes"]
