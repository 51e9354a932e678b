"""What the page costs under load: pictures a second, memory, files and connections held, faults survived.

The page is served by a process of its own, so that what is measured of it is its own; the visitors are
threads of this one. ``workbench bench platform`` writes the figures beside those of the platform.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from workbench.service.connections import HEADER_SECONDS, raise_file_limit

_HERE = "workbench.ui.loadtest"  # also when it runs as the program
_STYLE = "fsgan_comic"
_WAIT = 300.0  # seconds
Figures = Mapping[str, Callable[[Path], dict[str, float]]]


@dataclasses.dataclass(frozen=True)
class Load:
    """How much is asked of the page."""

    clients: int = 30
    pictures: int = 5  # of each client, one after the other
    side: int = 256  # pixels, of a picture
    rounds: int = 20  # of one picture a client
    idle: int = 1000  # connections that say nothing


class Refusal(Exception):
    """The page's words instead of a picture."""


class Visitor:
    """A program that keeps its cookie, as a browser does."""

    def __init__(self, url: str):
        self._client = httpx.Client(base_url=url, timeout=_WAIT)
        self._client.get("/").raise_for_status()

    def ask(self, photo: bytes) -> str:
        """Upload a photo and have it drawn; the address of the answer."""
        sent = self._client.post("/gradio_api/upload", files={"files": ("photo.png", photo)})
        file = {"path": sent.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}
        call = "/gradio_api/call/stylize"
        data = [file, _STYLE, 1.0, 0.0, "torch", 1.0, 0.0]
        asked = self._client.post(call, json={"data": data}).raise_for_status()
        return f"{call}/{asked.json()['event_id']}"

    def draw(self, photo: bytes) -> bytes:
        """The file of a photo's drawing.

        Raises:
            Refusal: there is none.
        """
        said = self._client.get(self.ask(photo)).text
        event, _, data = said.rpartition("event: ")[2].partition("\ndata: ")
        if event != "complete":
            raise Refusal(data)
        path = json.loads(data)[0]["path"]
        return self._client.get(f"/gradio_api/file={path}").raise_for_status().content


class Server:
    """The page in a process of its own, on the data folder ``folder``."""

    def __init__(self, folder: Path, workers: int):
        command = [sys.executable, "-m", _HERE, str(folder), str(workers)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.process = psutil.Process(self._process.pid)

    def workers(self) -> list[psutil.Process]:
        """The processes below it that compute."""
        return [p for p in self.process.children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]

    def megabytes(self) -> tuple[float, float]:
        """Resident memory in 10⁶ bytes: its own, and that of all below it."""
        below = 0
        for process in self.process.children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                below += process.memory_info().rss
        return self.process.memory_info().rss / 1e6, below / 1e6

    def connections(self) -> int:
        """Clients that it holds."""
        port = urlsplit(self.url).port
        return sum(
            c.status == psutil.CONN_ESTABLISHED and c.laddr.port == port
            for c in self.process.net_connections("tcp")
        )

    def kill(self) -> None:
        """As an emergency does, with what was begun."""
        below = self.process.children(recursive=True)
        self._process.kill()
        self._process.wait()
        psutil.wait_procs(below, timeout=60)

    def close(self) -> None:
        """Stop it, unless it was killed."""
        self._process.communicate()  # it stops when nobody can speak to it any more


def figures(workers: int, load: Load | None = None) -> Figures:
    """What is measured, each by a function of an empty folder."""
    load = load or Load()

    def on_a_server(measure: Callable[[Server, Load, bytes], dict[str, float]]):
        def run(folder: Path) -> dict[str, float]:
            with contextlib.closing(Server(folder, workers)) as server:
                return measure(server, load, _photo(load.side))

        return run

    def faults(folder: Path) -> dict[str, float]:
        return _faults(folder, workers, load)

    size = f"of {load.side} px"
    return {
        f"{load.clients} clients, {load.pictures} pictures {size} each": on_a_server(_crowd),
        f"{load.rounds} rounds of {load.clients} clients, 1 picture {size} each": on_a_server(_rounds),
        f"{load.idle} idle connections": on_a_server(_idle),
        "faults": faults,
    }


def _photo(side: int) -> bytes:
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def _all_draw(server: Server, clients: int, pictures: int, photo: bytes) -> tuple[list[float], int]:
    """(seconds of every picture, pictures that differ from the first), of ``clients`` at once."""

    def visit(_: int) -> list[tuple[float, bytes]]:
        visitor, found = Visitor(server.url), []
        for _ in range(pictures):
            start = time.perf_counter()
            drawn = visitor.draw(photo)
            found.append((time.perf_counter() - start, drawn))
        return found

    with ThreadPoolExecutor(clients) as pool:
        drawn = [one for found in pool.map(visit, range(clients)) for one in found]
    return [seconds for seconds, _ in drawn], sum(picture != drawn[0][1] for _, picture in drawn)


def _crowd(server: Server, load: Load, photo: bytes) -> dict[str, float]:
    Visitor(server.url).draw(photo)  # the worker has its model
    start = time.perf_counter()
    seconds, wrong = _all_draw(server, load.clients, load.pictures, photo)
    whole = time.perf_counter() - start
    own, below = server.megabytes()
    return {
        "pictures": float(len(seconds)),
        "pictures_per_second": len(seconds) / whole,
        "median_seconds": statistics.median(seconds),
        "p95_seconds": statistics.quantiles(seconds, n=20, method="inclusive")[-1],
        "pictures_mixed_up": float(wrong),
        "server_mb": own,
        "workers_mb": below,
    }


def _rounds(server: Server, load: Load, photo: bytes) -> dict[str, float]:
    Visitor(server.url).draw(photo)
    found: dict[str, float] = {}
    for number in range(1, load.rounds + 1):
        _all_draw(server, load.clients, 1, photo)
        own, below = server.megabytes()
        found |= {f"server_mb_{number}": own, f"workers_mb_{number}": below}
        found[f"files_{number}"] = float(server.process.num_fds())
        found[f"connections_{number}"] = float(server.connections())
    return found


def _idle(server: Server, load: Load, photo: bytes) -> dict[str, float]:
    """Many connections say nothing; somebody wants a picture meanwhile."""
    raise_file_limit()
    Visitor(server.url).draw(photo)
    place = urlsplit(server.url)
    before = server.process.num_fds()
    with contextlib.ExitStack() as stack:
        for _ in range(load.idle):
            stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=_WAIT))
        time.sleep(1.0)
        held, files = server.connections(), server.process.num_fds()
        start = time.perf_counter()
        _draw_at_last(server, photo)
        seconds = time.perf_counter() - start
        time.sleep(max(0.0, HEADER_SECONDS + 2.0 - seconds))
        left = server.connections()
    return {
        "connections_held": float(held),
        "files_before": float(before),
        "files_meanwhile": float(files),
        "seconds_to_a_picture": seconds,
        "connections_held_after_deadline": float(left),
    }


def _draw_at_last(server: Server, photo: bytes) -> bytes:
    """A picture, however often the connection is refused until then."""
    end = time.monotonic() + _WAIT
    while True:
        try:
            return Visitor(server.url).draw(photo)
        except (httpx.TransportError, httpx.HTTPStatusError, Refusal):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _faults(folder: Path, workers: int, load: Load) -> dict[str, float]:
    """Each fault, and whether a picture is drawn as before it: 1 or 0."""
    photo, large = _photo(load.side), _photo(8 * load.side)
    server = Server(folder, workers)

    def killed_workers() -> None:
        visitor = Visitor(server.url)
        with ThreadPoolExecutor(1) as pool:
            drawn = pool.submit(visitor.draw, large)
            time.sleep(1.0)
            for process in server.workers():
                process.kill()
            drawn.exception()  # the picture in hand may be lost, and then says so

    def damaged_picture() -> None:
        with contextlib.suppress(Refusal):
            Visitor(server.url).draw(b"no picture")

    def malformed_call() -> None:
        httpx.post(f"{server.url}gradio_api/call/stylize", content=b'{"data": [')

    def broken_upload() -> None:
        place = urlsplit(server.url)
        with socket.create_connection((place.hostname, place.port)) as sent:
            head = "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n"
            sent.sendall(head.encode() + bytes(1000))

    def clients_that_leave() -> None:
        for _ in range(8):
            Visitor(server.url).ask(large)

    def killed_server() -> None:
        nonlocal server
        Visitor(server.url).ask(large)
        server.kill()
        server = Server(folder, workers)

    faults = killed_workers, damaged_picture, malformed_call, broken_upload, clients_that_leave, killed_server
    found: dict[str, float] = {}
    try:
        expected = _draw_at_last(server, photo)
        for fault in faults:
            fault()
            found[f"survived_{fault.__name__}"] = float(_draw_at_last(server, photo) == expected)
    finally:
        server.close()
    return {"faults": float(len(faults)), "faults_survived": sum(found.values())} | found


@contextlib.contextmanager
def _page(folder: str, workers: int) -> Iterator[str]:
    from workbench.service.limits import Limits
    from workbench.service.platform import Platform
    from workbench.ui import launch

    with Platform(folder, workers=workers, limits=Limits(free_bytes=0)) as platform:
        page = launch(port=None, platform=platform)
        try:
            yield str(page.local_url)
        finally:
            page.close()


if __name__ == "__main__":
    with _page(sys.argv[1], int(sys.argv[2])) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()
