"""``python -m tiomagic``: the command line, where its program is not on the path."""

from tiomagic.cli.main import run

if __name__ == "__main__":
    run()
