"""Start the demo: ``python app.py [--host HOST] [--port PORT] [--device DEVICE] [--mcp]``.

Larger or longer films than by default: ``--max-pixels``, ``--max-frames``, ``--max-seconds``.

The environment may say the same with HOST, PORT, or Gradio's own GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and
GRADIO_MCP_SERVER, as a Hugging Face Space does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from workbench.core import devices, options
from workbench.core.errors import WorkbenchError
from workbench.styles.options import VideoLimits
from workbench.ui import DEFAULT_HOST, DEFAULT_PORT, MCP_PATH, is_loopback, launch
from workbench.ui.stopping import Stopping

if TYPE_CHECKING:
    from workbench.service.platform import Platform


def _environment(*names: str) -> str | None:
    """The first of these variables that is set and not empty."""
    return next(filter(None, map(os.environ.get, names)), None)


def _read(arguments: list[str] | None) -> argparse.Namespace:
    """The arguments, checked; the film's limits among them as ``film``."""
    parser = argparse.ArgumentParser(description="The Painter Psychology Workbench in the browser.")
    parser.add_argument(
        "--host",
        default=_environment("HOST", "GRADIO_SERVER_NAME") or DEFAULT_HOST,
        help="address to listen on (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=_environment("PORT", "GRADIO_SERVER_PORT") or DEFAULT_PORT,
        help="port (default: %(default)s)",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        default=os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true",
        help="offer the API to assistants as tools too; needs the extra 'mcp'",
    )
    parser.add_argument(
        "--device",
        help="that drawings and readings are computed on: auto, cpu, cuda (cuda:1 …) or mps "
        "(default: WORKBENCH_DEVICE, or auto)",
    )
    limits = options.options(VideoLimits)
    for one in limits:
        words = f"{one.help} (default: %(default)s)"
        parser.add_argument(one.flag, type=one.type, default=one.default, help=words)
    given = parser.parse_args(arguments)
    if not 1 <= given.port <= 65535:
        parser.error(f"expected a port from 1 to 65535 but got {given.port}")
    try:
        devices.choose(given.device)
        given.film = options.build(VideoLimits, {one.name: getattr(given, one.name) for one in limits})
    except WorkbenchError as error:
        parser.error(str(error))
    return given


def main(arguments: list[str] | None = None) -> None:
    """Serve the page until it is stopped."""
    given = _read(arguments)
    if not given.mcp:
        sys.modules.setdefault("mcp", None)  # Gradio would import it unasked, for two seconds
    stopping = Stopping()
    with contextlib.ExitStack() as stack:
        try:
            platform = platform_at_home(stack, given.host, given.film)
            names = (
                [os.environ["SPACE_HOST"]] if "SPACE_HOST" in os.environ else []
            )  # of a Hugging Face Space
            chosen = {"platform": platform, "mcp_server": given.mcp, "public_hosts": names}
            page = launch(given.host, given.port, film=given.film, **chosen)
        except WorkbenchError as error:  # a damaged card, for one
            sys.exit(str(error))
        except OSError as error:
            where = f"{given.host}:{given.port}"
            sys.exit(f"Cannot listen on {where} ({error}). Choose another port with --port.")
        except KeyboardInterrupt:
            sys.exit("Stopped before the page was ready.")
        print(f"Painter Psychology Workbench: {page.local_url} (Ctrl-C stops it)", flush=True)
        if given.mcp:
            print(f"Tools for assistants (MCP): {page.local_url.rstrip('/')}{MCP_PATH}", flush=True)
        stopping.wait(page)


def platform_at_home(stack: contextlib.ExitStack, host: str, film: VideoLimits) -> Platform | None:
    """The platform on this user's data folder, so that jobs outlive the server.

    On a page that only this computer can reach, whatever is drawn belongs to one owner, in every browser.

    None if the folder cannot be used, mostly because another server does: the page then works in a temporary
    one.
    """
    from workbench.service.errors import StorageError
    from workbench.service.limits import Limits
    from workbench.service.platform import Platform, default_folder

    # the visitors of a page at home are its owner
    limits = Limits(keep_days_anonymous=Limits.keep_days, film=film)
    try:
        return stack.enter_context(Platform(default_folder(), limits=limits, local=is_loopback(host)))
    except StorageError as error:
        print(f"{error} Until this page is stopped, its jobs are kept in a temporary folder.", flush=True)
        return None


if __name__ == "__main__":
    main()
