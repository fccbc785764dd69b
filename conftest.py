"""What holds for every test of the repository: the lanes that ``-m`` chooses between, and
what coverage measures."""

pytest_plugins = ["tests.lanes", "tests.measured"]
