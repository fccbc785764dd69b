"""What holds for every test of the repository: its lane, and what coverage measures."""

pytest_plugins = ["tests.lanes", "tests.measured"]
