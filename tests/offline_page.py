"""The page with tools for assistants in a process of its own, used from end to end: ``offline_page.py DATA``.

Redraws a picture with each runtime, reads one, draws a film and asks for the tools; prints "done".
"""

import asyncio
import base64
import sys
from pathlib import Path

import clips
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.ui import MCP_PATH, launch


async def use_tool(page, arguments):
    async with (
        streamablehttp_client(page.local_url.rstrip("/") + MCP_PATH) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        return await session.call_tool("stylize_file", arguments)


def main(folder: Path) -> None:
    import gradio_client  # after the workbench has set the switches, which hold for this client too

    photo = folder / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((96, 64)).save(photo)
    clip = clips.make(folder / "clip.mp4", 4)
    with Platform(folder / "data", limits=Limits(free_bytes=0)) as platform:
        page = launch(port=None, platform=platform, mcp_server=True)
        client = gradio_client.Client(page.local_url, verbose=False, download_files=str(folder / "down"))
        file, film = gradio_client.handle_file(str(photo)), gradio_client.handle_file(str(clip))
        for runtime in ("torch", "onnx"):
            client.predict(file, "fsgan_pepper", 1, 0, runtime, api_name="/stylize")
        client.predict(file, api_name="/classify")
        client.predict(film, "colormatrix_warm", 1, 1, 0, api_name="/stylize_video")
        given = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
        result = asyncio.run(use_tool(page, {"image": given, "style": "colormatrix_warm", "strength": 1.0}))
        assert not result.isError, result.content
        page.close()
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
