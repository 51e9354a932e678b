"""The page's API as tools of the Model Context Protocol: what must hold before they are offered.

Gradio makes a tool of every named endpoint of the page, and of its docstring what an assistant reads about
it. The endpoint is :data:`workbench.ui.MCP_PATH`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core import extras
from workbench.core.errors import WorkbenchError

if TYPE_CHECKING:
    import gradio as gr

    from workbench.service.platform import Platform

# Gradio's tools call the page through one client of its own, so whoever asks without a cookie would share one
# owner, and see and delete each other's jobs.
OF_AN_OWNER = ("stylize_video", "submit_video", "my_jobs", "cancel_job", "delete_job")


def check(platform: Platform | None = None) -> None:
    """Refuse to offer tools that would fail at their first call.

    Args:
        platform: the service in front of the page, if there is one.

    Raises:
        WorkbenchError: the package ``mcp`` is not installed, or the platform lets in people with an account
            only: assistants have no way to log in, and the gate would turn away every call.
    """
    extras.require("mcp")
    if platform is not None and platform.named_only:
        raise WorkbenchError(
            "Expected --mcp or accounts but got both. Assistants cannot log in: serve the tools without "
            "accounts, on an address that only those you trust can reach."
        )


def offer(page: gr.Blocks) -> None:
    """Leave the endpoints that belong to an owner's jobs out of the tools; programs can still call them."""
    for endpoint in page.fns.values():
        if endpoint.api_name in OF_AN_OWNER:
            endpoint.api_visibility = "undocumented"


def is_own(page: gr.Blocks, session: str) -> bool:
    """Whether ``session`` is the one through which Gradio calls the page for all assistants."""
    client = getattr(page.mcp_server_obj, "_client_instance", None)
    return client is not None and client.session_hash == session
