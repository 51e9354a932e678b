"""The API as tools for assistants: what they read about them, what a call gives, and what accounts close."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from workbench.core.errors import WorkbenchError
from workbench.data.images import read_image
from workbench.service.errors import LimitError
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.previews import PreviewRunner
from workbench.service.uploads import KEEP_SECONDS
from workbench.service.web import gate
from workbench.ui import MCP_PATH, launch
from workbench.ui.examples import examples

INSTALLED = importlib.util.find_spec("mcp") is not None
needs_mcp = pytest.mark.skipif(not INSTALLED, reason="the extra 'mcp' is not installed")
FILTER = "colormatrix_warm"


@pytest.fixture(scope="module")
def page():
    blocks = launch(port=None, mcp_server=INSTALLED)
    yield blocks
    blocks.close()


def public_endpoints(page):
    return [fn for fn in page.fns.values() if fn.api_name and fn.api_visibility == "public"]


def test_an_assistant_reads_what_each_argument_is(page):
    from gradio.utils import get_function_description

    endpoints = public_endpoints(page)
    assert {"stylize", "classify", "explain"} <= {fn.api_name for fn in endpoints}
    for endpoint in endpoints:
        description, parameters, returns = get_function_description(endpoint.fn)
        assert len(description) > 40, endpoint.api_name
        assert returns, f"/{endpoint.api_name} does not say what it returns"
        for of_the_page in ("progress", "request"):
            parameters.pop(of_the_page, None)
        cut = [name for name, words in parameters.items() if len(words) < 10 or not words.endswith(".")]
        assert not cut, f"/{endpoint.api_name}: Gradio reads one line of each argument"
        assert not re.search(r":\w+:`", description), f"/{endpoint.api_name} shows markup to an assistant"


def test_without_the_package_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(WorkbenchError, match=r"needs mcp, which is not installed\. .*\[mcp\]"):
        launch(port=None, mcp_server=True)


def test_help_names_the_option():
    for command in (["app.py"], ["-m", "workbench.cli", "serve"]):
        done = subprocess.run(
            [sys.executable, *command, "--help"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).resolve().parent.parent,
            check=True,
        )
        assert "--mcp" in done.stdout


@needs_mcp
def test_tools_and_accounts_exclude_each_other(tmp_path):
    with (
        Platform(tmp_path, accounts=True, limits=Limits(free_bytes=0)) as platform,
        pytest.raises(WorkbenchError, match="Assistants cannot log in"),
    ):
        launch(port=None, platform=platform, mcp_server=True)


def _account(platform):
    """(owner, epoch) of somebody who has just logged in."""
    platform.accounts.add("ann", "four green herons")
    return platform.accounts.login("ann", "four green herons", "127.0.0.1")


@needs_mcp
def test_the_gate_closes_the_tools_like_everything_else(tmp_path):
    """Were they served behind accounts all the same, nobody would reach them without logging in."""
    import gradio as gr

    def shout(text: str) -> str:
        return text.upper()

    words = {"accept": "application/json, text/event-stream"}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    with Platform(tmp_path, accounts=True, limits=Limits(free_bytes=0)) as platform:
        page = gr.Interface(shout, "text", "text", analytics_enabled=False)
        page.launch(
            prevent_thread_lock=True,
            quiet=True,
            mcp_server=True,
            ssr_mode=False,
            app_kwargs={"middleware": [gate(platform)]},
        )
        try:
            with httpx.Client(base_url=page.local_url, headers=words, timeout=30) as visitor:
                assert visitor.post(MCP_PATH, json=ask).status_code == 401
                for path in ("schema", "sse", "http/", ""):
                    answer = visitor.get(f"{MCP_PATH}{path}")
                    assert answer.status_code == 401, path
                    assert answer.text == "Log in first."
                assert visitor.post(f"{MCP_PATH}messages/?session_id={'0' * 32}", json=ask).status_code == 401
            logged_in = {"cookie": f"{platform.tokens.cookie}={platform.tokens.issue(*_account(platform))}"}
            with httpx.Client(base_url=page.local_url, headers=words | logged_in, timeout=30) as ann:
                assert "shout" in ann.post(MCP_PATH, json=ask).text  # so it was the gate that said no
        finally:
            page.close()


def in_session(page, use):
    """What the coroutine function ``use`` makes of a session with the page's tools."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def run():
        async with (
            streamablehttp_client(page.local_url.rstrip("/") + MCP_PATH) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await use(session)

    return asyncio.run(run())


@needs_mcp
def test_the_tools_are_the_api(page):
    tools = {t.name: t for t in in_session(page, lambda s: s.list_tools()).tools}
    assert set(tools) == {"stylize_file", "classify_file", "explain_file"}, "no job of anybody is a tool"
    assert len(tools) == len(public_endpoints(page))
    assert "no diagnosis" in tools["classify_file"].description
    arguments = tools["stylize_file"].inputSchema["properties"]
    assert set(arguments) == {"image", "style", "strength", "preserve_color", "runtime", "detail", "deform"}
    assert all(a["description"] for a in arguments.values())


@needs_mcp
def test_a_tool_redraws_a_picture(page, tmp_path):
    import base64

    photo = tmp_path / "photo.png"
    read_image(examples()[0].path).resize((96, 64)).save(photo)
    given = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
    arguments = {"image": given, "style": FILTER, "strength": 1.0}
    result = in_session(page, lambda s: s.call_tool("stylize_file", arguments))
    assert not result.isError, result.content
    url = re.search(r"https?://\S+\.png", " ".join(c.text for c in result.content if c.type == "text"))[0]
    drawn = tmp_path / "drawn.png"
    drawn.write_bytes(httpx.get(url).content)
    assert Image.open(drawn).size == (96, 64)


@needs_mcp
def test_pictures_that_tools_are_given_count_as_uploads_and_go_like_them(tmp_path, monkeypatch):
    import base64

    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    file = io.BytesIO()
    Image.effect_noise((700, 700), 50).save(file, "PNG")
    given = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    arguments = {"image": given, "style": FILTER, "strength": 1.0}

    def refuse(*_, **__):  # nothing is drawn, once the picture is there
        raise LimitError("Too many people are waiting.")

    monkeypatch.setattr(PreviewRunner, "start", refuse)
    limits = Limits(free_bytes=0, upload_bytes=1_000_000)
    with Platform(tmp_path / "data", limits=limits) as platform:
        page = launch(port=None, platform=platform, mcp_server=True)
        try:
            before = platform.uploads.size()
            assert in_session(page, lambda s: s.call_tool("stylize_file", arguments)).isError
            assert platform.uploads.size() >= before + len(file.getvalue())
            assert not [path for path in elsewhere.rglob("*") if path.is_file()]
            ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
            ask["params"] = {"name": "stylize_file", "arguments": arguments}
            words = {"accept": "application/json, text/event-stream"}
            url = page.local_url.rstrip("/") + MCP_PATH
            answers = [httpx.post(url, json=ask, headers=words, timeout=300) for _ in range(4)]
            assert answers[-1].status_code == 429
            assert answers[-1].text.startswith("Your uploads fill the 1 MB that they may have.")
            end = time.monotonic() + 30  # the answer comes a moment before its request is closed
            while platform.uploads.size() and time.monotonic() < end:
                platform.uploads.sweep(time.time() + KEEP_SECONDS + 60)
                time.sleep(0.05)
            assert platform.uploads.size() == 0
        finally:
            page.close()


@needs_mcp
def test_a_tool_opens_no_file_of_the_server(page, tmp_path):
    private = tmp_path / "private.png"
    Image.new("RGB", (64, 64), "red").save(private)
    arguments = {"image": str(private), "style": FILTER, "strength": 1.0}
    result = in_session(page, lambda s: s.call_tool("stylize_file", arguments))
    assert result.isError
    assert "Invalid file" in result.content[0].text
