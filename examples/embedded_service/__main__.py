"""Start the service, and stop it with Ctrl-C or as a service manager does, with SIGTERM."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from examples.embedded_service.service import Service


def main() -> None:
    """Serve until somebody presses Ctrl-C or ends the process."""
    parser = argparse.ArgumentParser(prog="embedded_service", description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("clips"), help="jobs and videos")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    service = Service(given.folder, given.port)
    print(f"http://127.0.0.1:{service.server_port}", flush=True)
    try:
        service.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        service.server_close()


if __name__ == "__main__":
    main()
