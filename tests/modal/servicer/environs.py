"""What a container's process is given in place of Modal's machine.

There are no mounts. Each volume is a directory, and `TIOMAGIC_VOLUME_ROOTS` says where: a JSON
object from mount path to directory. An `ENV` of the image whose value lies under a mount path
(such as HF_HOME) is moved along. Of the test's own environment next to nothing gets in.
"""

import contextlib
import json
import os
import shlex
import signal
import sys
from pathlib import Path

from .rpc import TASK_HEADER
from .scheduler import Settings
from .state import FunctionRecord, State
from .volumes import VolumeStore

PASSED_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""All that a container sees of the test's own environment; coverage's variables besides."""


def image_env(state: State, image_id: str) -> dict[str, str]:
    """Collect the ENV lines of an image and of what it was built on."""
    image = state.images.get(image_id)
    if image is None:
        return {}
    found: dict[str, str] = {}
    for base in image.base_images:
        found |= image_env(state, base.image_id)
    for line in image.dockerfile_commands:
        if line.startswith("ENV "):
            for pair in shlex.split(line[4:]):
                name, equals, value = pair.partition("=")
                if equals:
                    found[name] = value
    return found


def container_env(
    record: FunctionRecord,
    task_id: str,
    folder: Path,
    *,
    state: State,
    volumes: VolumeStore,
    settings: Settings,
    server_url: str,
) -> dict[str, str]:
    """Make the environment of one container, whose own files are in `folder`."""
    own = os.environ
    env = {name: own[name] for name in PASSED_VARIABLES if name in own}
    env |= {name: value for name, value in own.items() if name.startswith("COVERAGE_")}
    roots = {
        mount.mount_path: str(volumes.view(task_id, mount.volume_id) / mount.sub_path.strip("/"))
        for mount in record.definition.volume_mounts
    }
    env |= {
        name: _replace_mount_path(value, roots)
        for name, value in image_env(state, record.definition.image_id).items()
    }
    for secret_id in record.definition.secret_ids:
        env |= state.secrets.get(secret_id, {})
    return env | {
        "HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p),
        "PYTHONUNBUFFERED": "1",
        "MODAL_IS_REMOTE": "1",
        "MODAL_TASK_ID": task_id,
        "MODAL_SERVER_URL": server_url,
        "MODAL_CONFIG_PATH": str(folder / "modal.toml"),
        "MODAL_CONTAINER_ARGUMENTS_PATH": str(folder / "arguments"),
        "MODAL_HEARTBEAT_INTERVAL": str(settings.heartbeat_s),
        "MODAL_OVERRIDE_HEADERS": f"{TASK_HEADER}:{task_id}",
        "TIOMAGIC_VOLUME_ROOTS": json.dumps(roots),
        **settings.container_env,
    }


def _replace_mount_path(value: str, roots: dict[str, str]) -> str:
    """Replace a mount path at the start of a value by its directory."""
    for mount_path, directory in roots.items():
        if value == mount_path or value.startswith(mount_path.rstrip("/") + "/"):
            return directory + value[len(mount_path.rstrip("/")) :]
    return value


def kill_leftover_containers(root: Path) -> None:
    """Kill the containers that a killed server left behind."""
    for note in root.glob("tasks/*/pid"):
        pid = int(note.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"modal._container_entrypoint" in command.read_bytes():
                os.killpg(pid, signal.SIGKILL)
        note.unlink()
