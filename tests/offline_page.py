"""The page with tools for assistants in a process of its own, used from end to end: ``offline_page.py DATA``.

Opens every tab in a browser, uses the API with every runtime, the tools for assistants, and every task;
prints "done". What the browser asks for is added to the record of :mod:`test_offline`; what it asks of its
own maker is not the page's, so the browser itself is not watched.
"""

import asyncio
import base64
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import clips
from browsing import chromium
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import new_id
from workbench.service.tasks import TASKS
from workbench.styles.names import RUNTIMES
from workbench.ui import MCP_PATH, launch

PATIENCE = 300.0  # seconds
OPTIONS = {"explain_picture": {"method": "occlusion"}}  # of a task, else its own


def visit(page, photo: Path, clip: Path) -> None:
    """Every tab in a browser, with a picture, a painting and a film."""

    def note(url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            with open(os.environ["CONNECTIONS_FILE"], "a", encoding="utf-8") as record:
                record.write(f"name {urlsplit(url).hostname}\n")

    own = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    with chromium(env=own) as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.set_default_timeout(1e3 * PATIENCE)
        tab.on("request", lambda request: note(request.url))
        tab.on("websocket", lambda socket: note(socket.url))
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-result img")
        tab.set_input_files("#redraw input[type=file]", str(photo))
        tab.wait_for_function("document.querySelector('#redraw-caption').innerText.startsWith('96 × 64 px')")
        buttons = tab.get_by_role("tab")
        for number in range(buttons.count()):
            buttons.nth(number).click()
            tab.wait_for_timeout(1000)
        tab.goto(f"{page.local_url}#read")
        tab.set_input_files("#read input[type=file]", str(photo))
        tab.wait_for_selector("#read-compare table")
        tab.goto(f"{page.local_url}#video")
        tab.set_input_files("#video-input input[type=file]", str(clip))
        tab.wait_for_selector("#video-preview img")
        tab.get_by_role("button", name="Draw the video").click()
        tab.wait_for_selector("#video-job video")


def use_api(page, photo: Path, clip: Path, folder: Path) -> None:
    """What programs call, with every runtime."""
    import gradio_client  # after the workbench has set the switches, which hold for this client too

    client = gradio_client.Client(page.local_url, verbose=False, download_files=str(folder))
    file, film = gradio_client.handle_file(str(photo)), gradio_client.handle_file(str(clip))
    for runtime in RUNTIMES:
        client.predict(file, "fsgan_comic", 1, 0, runtime, api_name="/stylize")
    client.predict(file, api_name="/classify")
    client.predict(film, "colormatrix_warm", 1, 1, 0, 1, 0.25, api_name="/stylize_video")
    client.predict(api_name="/my_jobs")


async def use_tool(page, photo: Path) -> None:
    """What assistants call."""
    given = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
    async with (
        streamablehttp_client(page.local_url.rstrip("/") + MCP_PATH) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        arguments = {"image": given, "style": "colormatrix_warm", "strength": 1.0}
        result = await session.call_tool("stylize_file", arguments)
        assert not result.isError, result.content


def submit_all(platform: Platform, photo: Path, clip: Path) -> None:
    """Every task there is, as a job."""
    owner = new_id("a")
    for kind in TASKS:
        given = clip if "video" in kind else photo
        view = platform.wait(owner, platform.submit(owner, kind, [given], OPTIONS.get(kind)), PATIENCE)
        assert view.state == "done", (kind, view.reason)


def main(folder: Path) -> None:
    photo = folder / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((96, 64)).save(photo)
    clip = clips.make(folder / "clip.mp4", 4)
    with Platform(folder / "data", limits=Limits(free_bytes=0)) as platform:
        page = launch(port=None, platform=platform, mcp_server=True)
        visit(page, photo, clip)
        use_api(page, photo, clip, folder / "down")
        asyncio.run(use_tool(page, photo))
        submit_all(platform, photo, clip)
        page.close()
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
