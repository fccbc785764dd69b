"""Executes a notebook: ``python -m tests.examples.execute NOTEBOOK RESULT``, in the working folder.

A process of its own, for Jupyter's client leaves sockets to the garbage collector. The result says
in its metadata how often each cell moved a bar.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


class UpdateCounter(NotebookClient):
    """Counts how often what a cell shows is replaced."""

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel."""
        if msg["msg_type"] == "update_display_data":
            cell.metadata["moves"] = cell.metadata.get("moves", 0) + 1
        return super().process_message(msg, cell, cell_index)


def main() -> None:
    """Execute the notebook and write it with its outputs."""
    source, result = map(Path, sys.argv[1:])
    notebook = nbformat.read(source, as_version=4)
    UpdateCounter(notebook, timeout=500, kernel_name="python3").execute()
    nbformat.write(notebook, result)


if __name__ == "__main__":
    main()
