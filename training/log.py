"""Loss logs: one small CSV a stage, appended to, so that a resumed run goes on."""

import csv
import time
from pathlib import Path


class LossLog:
    """Write rows of numbers to a CSV file and to the terminal."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path, self._columns = path, columns
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with path.open("w", newline="") as file:
                csv.writer(file).writerow(columns)

    def add(self, **values: float) -> None:
        """Append one row; a column that is not given stays empty."""
        row = [_short(values.get(name, "")) for name in self._columns]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        named = " ".join(f"{k}={v}" for k, v in zip(self._columns, row, strict=True) if v != "")
        print(time.strftime("%H:%M:%S"), named, flush=True)


def _short(value: float | str) -> float | str:
    return float(f"{value:.5g}") if isinstance(value, float) else value
