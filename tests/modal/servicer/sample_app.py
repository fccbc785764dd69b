"""A small app that does what a worker does: parameters, progress, files, large results, errors."""

import json
import os
import time
from pathlib import Path

import modal

NAME = "fake-sample"
VOLUME_NAME = "fake-sample-outputs"
MOUNT_PATH = "/outputs"

outputs = modal.Volume.from_name(VOLUME_NAME, create_if_missing=True)
image = modal.Image.debian_slim(python_version="3.11").env({"SAMPLE_HOME": f"{MOUNT_PATH}/home"})
app = modal.App(NAME, tags={"sample-version": "1.0.0"}, include_source=False)


class SampleError(Exception):
    """An error with one string, which survives the way home."""


def notes() -> modal.Dict:
    return modal.Dict.from_name("fake-sample-notes", create_if_missing=True)


@app.cls(
    image=image,
    volumes={MOUNT_PATH: outputs},
    gpu="T4",
    timeout=600,
    scaledown_window=60,
    startup_timeout=120,
)
class Sample:
    """One parameter, like a worker with one model."""

    model: str = modal.parameter()

    @modal.enter()
    def load(self):
        if self.model == "broken":
            raise SampleError("cannot load")
        if self.model == "slow":
            time.sleep(30)
        self.loaded_at = time.time()
        self.inputs = 0

    @modal.method()
    def echo(self, value):
        self.inputs += 1
        print(f"echo {value}")
        return {"value": value, "model": self.model, "inputs": self.inputs, "pid": os.getpid()}

    @modal.method()
    def count(self, steps, pause_s):
        """Put each step in the Dict under the call's id."""
        book = notes()
        key = modal.current_function_call_id()
        for step in range(steps):
            book[key] = {"step": step}
            time.sleep(pause_s)
        return steps

    @modal.method()
    def wait(self, seconds):
        """Sleep, and note a cancellation before letting it through."""
        book = notes()
        key = modal.current_function_call_id()
        book[key] = "started"
        try:
            for _ in range(int(seconds * 50)):
                time.sleep(0.02)
        except modal.exception.InputCancellation:
            book[key] = "cancelled"
            raise
        return "slept"

    @modal.method()
    def fail(self, text):
        raise SampleError(text)

    @modal.method()
    def bulk(self, size, *, given=b""):
        return {"data": b"x" * size, "given": len(given)}

    @modal.method()
    def write(self, name, text, *, commit):
        root = Path(json.loads(os.environ["TIOMAGIC_VOLUME_ROOTS"])[MOUNT_PATH])
        (root / name).write_text(text)
        if commit:
            outputs.commit()
        return sorted(path.name for path in root.iterdir())

    @modal.method()
    def see(self, names):
        """Return some environment variables."""
        return {name: os.environ.get(name) for name in names}
