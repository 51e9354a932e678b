"""Start the demo: ``python app.py [--host HOST] [--port PORT]``, or HOST and PORT in the environment."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from workbench.errors import WorkbenchError
from workbench.ui import DEFAULT_HOST, DEFAULT_PORT, launch


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The Painter Psychology Workbench in the browser.")
    parser.add_argument(
        "--host",
        default=os.environ.get("HOST") or DEFAULT_HOST,
        help="address to listen on (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=os.environ.get("PORT") or DEFAULT_PORT, help="port (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65535:
        parser.error(f"expected a port from 1 to 65535 but got {options.port}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` stops it as tidily as Ctrl-C
    try:
        page = launch(options.host, options.port)
    except WorkbenchError as error:  # a damaged card, for one
        sys.exit(str(error))
    except OSError as error:
        where = f"{options.host}:{options.port}"
        sys.exit(f"Cannot listen on {where} ({error}). Choose another port with --port.")
    print(f"Painter Psychology Workbench: {page.local_url} (Ctrl-C stops it)", flush=True)
    page.block_thread()


if __name__ == "__main__":
    main()
