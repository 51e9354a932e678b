"""The served page under attack: foreign pages, rebound names, floods of uploads, full disks, slow clients."""

import asyncio
import contextlib
import io
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import platform_tasks
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from workbench.service import bodies, connections, web
from workbench.service.errors import LimitError
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.uploads import KEEP_SECONDS, Uploads
from workbench.service.web import gate, identify
from workbench.ui import launch

GOOD = "three blue herons"
ANY_DISK = {"free_bytes": 0, "jobs_per_minute": 10_000}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    limits = Limits(**ANY_DISK, upload_bytes=3_000_000, upload_bytes_in_total=8_000_000)
    with Platform(tmp_path_factory.mktemp("data"), kinds=platform_tasks.KINDS, limits=limits) as made:
        yield made


@pytest.fixture(scope="module")
def page(platform):
    blocks = launch(port=None, platform=platform, public_hosts=["paint.example.org"])
    yield blocks
    blocks.close()


@pytest.fixture
def visit(page):
    """Makes browsers: clients that keep their cookies and have loaded the page."""
    opened = []

    def visitor(**options):
        client = httpx.Client(base_url=page.local_url, timeout=60, **options)
        opened.append(client)
        assert client.get("/").status_code == 200
        return client

    yield visitor
    for client in opened:
        client.close()


def upload(client, data, name="photo.png"):
    return client.post("/gradio_api/upload", files={"files": (name, data)})


def uploaded(platform):
    return sorted(path for path in (platform.uploads.run / "uploads").rglob("*") if path.is_file())


def swept(platform, later):
    """What is left of all uploads ``later`` seconds from now.

    A visitor has the answer a moment before the server closes the request, whose folder is kept until then.
    """
    end = time.monotonic() + 30
    while True:
        platform.uploads.sweep(time.time() + later)
        if not (left := uploaded(platform)) or time.monotonic() > end:
            return left
        time.sleep(0.05)


def call(client, *data, name="my_jobs"):
    return client.post(f"/gradio_api/call/{name}", json={"data": list(data)})


def gated(platform, hosts=()):
    """A page of one route behind the gate, with nothing of Gradio."""

    def whoami(request):
        return JSONResponse({"owner": request.state.owner})

    routes = [Route("/{rest:path}", whoami, methods=["GET", "POST"])]
    application = Starlette(routes=routes, middleware=[gate(platform, hosts)])
    return TestClient(application, "http://localhost:7860", follow_redirects=False)


CROSS = [
    {"origin": "null"},
    {"origin": "http://localhost:8888"},
    {"origin": "http://127.0.0.1:7860"},
    {"origin": "https://localhost:7860"},
    {"origin": "http://localhost"},
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:7860.evil.example"},
    {"origin": "chrome-extension://abc"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
]


@pytest.mark.parametrize("headers", CROSS, ids=str)
def test_another_page_can_neither_call_nor_read(platform, headers):
    ours = gated(platform)
    for method, path in (
        ("POST", "/login"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/queue/data?session_hash=x"),
        ("GET", "/jobs/j/name"),
        ("GET", "/logout"),
        ("POST", "/gradio_api/mcp/"),
    ):
        answer = ours.request(method, path, headers=headers)
        assert (answer.status_code, "another one" in answer.text) == (403, True), (method, path)


def test_a_link_leads_to_the_page_but_not_behind_it(platform):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    ours = gated(platform)
    assert ours.get("/", headers=link).status_code == 200
    assert ours.post("/", headers=link).status_code == 403
    for path in ("/logout", "/jobs/x/y", "/gradio_api/file=/x"):
        assert ours.get(path, headers=link).status_code == 403


SAME = [
    {},
    {"origin": "http://localhost:7860"},
    {"origin": "http://LOCALHOST:7860", "sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
]


@pytest.mark.parametrize("headers", SAME, ids=str)
def test_our_own_page_and_programs_may_call(platform, headers):
    assert gated(platform).post("/gradio_api/run/x", headers=headers, json={}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:7860", 200),
        ("127.0.0.1:7860", 200),
        ("[::1]:7860", 200),
        ("192.168.1.5", 200),
        ("paint.example.org", 200),
        ("paint.example.org:8443", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("paint.example.org.evil.example", 421),
        ("localhost.evil.example:7860", 421),
        ("", 421),
        ("<script>", 421),
    ],
)
def test_a_name_that_an_attacker_points_here_gets_nothing(platform, host, status):
    """DNS rebinding: the browser takes evil.example for our origin, but says its name."""
    ours = gated(platform, ["paint.example.org"])
    for path in ("/", "/login", "/jobs/x/y", "/gradio_api/mcp/"):
        answer = ours.get(path, headers={"host": host})
        assert (answer.status_code == 421) == (status == 421), (path, answer.text)
        assert len(answer.text) < 500 or status == 200


def test_behind_a_proxy_that_ends_tls_the_named_host_is_the_origin(platform):
    ours = gated(platform, ["paint.example.org"])
    headers = {"host": "paint.example.org", "origin": "https://paint.example.org"}
    assert ours.post("/x", headers=headers).status_code == 200
    headers["origin"] = "https://other.example.org"
    assert ours.post("/x", headers=headers).status_code == 403


def test_an_upload_is_its_owners_and_its_path_cannot_be_guessed(visit):
    ann, bob = visit(), visit()
    paths = [upload(client, b"the same picture").json()[0] for client in (ann, ann, bob)]
    assert len(set(paths)) == 3
    assert ann.get(f"/gradio_api/file={paths[0]}").content == b"the same picture"
    for path in (paths[0], paths[0].replace("/uploads/", "/./uploads/"), paths[0].replace("/", "%2f")):
        answer = bob.get(f"/gradio_api/file={path}")
        assert (answer.status_code, answer.text) == (404, "There is no such file.")
    given = {"path": paths[0], "meta": {"_type": "gradio.FileData"}}
    for client, status in ((ann, 200), (bob, 404)):
        assert call(client, {"deep": [given]}, name="read").status_code == status


CLOSED = [
    ("POST", "process_recording"),  # ffmpeg opens it, in the server
    ("POST", "component_server"),  # lists folders
    ("POST", "component_server/"),
    ("GET", "dev/reload"),  # never ends
    ("GET", "deep_link?session_hash=x"),
    ("GET", "proxy=http://127.0.0.1/"),
    ("POST", "vibe-code"),
    ("GET", "vibe-code/"),
    ("GET", "runs"),
    ("GET", "profiling/traces"),
    ("GET", "token"),
    ("GET", ""),
]


@pytest.mark.parametrize(("method", "call"), CLOSED, ids=str)
def test_what_the_page_does_not_use_of_its_framework_is_closed(visit, platform, method, call):
    before = set(platform.store.root.rglob("*"))
    sent = {"files": {"video": ("a.mp4", b"x" * 1000)}} if method == "POST" else {}
    answer = visit().request(method, f"/gradio_api/{call}", **sent)
    assert (answer.status_code, answer.text) == (404, "There is no such call.")
    assert set(platform.store.root.rglob("*")) == before


def test_events_and_sessions_are_their_owners(visit):
    ann, bob = visit(), visit()
    event = call(ann).json()["event_id"]
    assert bob.get(f"/gradio_api/call/my_jobs/{event}").status_code == 404
    assert (
        bob.post(
            "/gradio_api/cancel", json={"session_hash": "b", "fn_index": 0, "event_id": event}
        ).status_code
        == 404
    )
    assert "event: complete" in ann.get(f"/gradio_api/call/my_jobs/{event}").text
    mine = {"data": [], "fn_index": 0, "session_hash": "of-ann"}
    ann.post("/gradio_api/queue/join", json=mine)
    assert bob.get("/gradio_api/queue/data", params={"session_hash": "of-ann"}).status_code == 404
    assert bob.post("/gradio_api/queue/join", json=mine).status_code == 404
    assert bob.get("/gradio_api/heartbeat/of-ann").status_code == 404


def test_a_program_without_cookies_gets_its_answer(page):
    event = httpx.post(f"{page.local_url}gradio_api/call/my_jobs", json={"data": []}).json()["event_id"]
    answer = httpx.get(f"{page.local_url}gradio_api/call/my_jobs/{event}", timeout=60)
    assert answer.text.splitlines() == ["event: complete", "data: [[]]", ""]


def test_an_owner_has_a_quota_of_uploads(visit):
    ann, bob = visit(), visit()
    assert upload(ann, bytes(2_000_000)).status_code == 200
    answer = upload(ann, bytes(2_000_000))
    assert answer.status_code == 413
    assert answer.text == "There is room for 1 MB but the upload is larger. Try a smaller one."

    def chunks():  # of a length that is not told
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(40):
            yield bytes(100_000)
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert ann.post("/gradio_api/upload", content=chunks(), headers=headers).status_code == 413
    assert upload(bob, bytes(2_800_000)).status_code == 200  # others are not hindered
    for number in range(1000):  # many small files take room too
        if upload(bob, b"x", f"{number}.png").status_code != 200:
            break
    assert 30 < number < 60


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"] * 3, [f"2001:db8::{n}" for n in range(3)]], ids=["IPv4", "IPv6"]
)
def test_new_cookies_get_no_more_room_at_one_address(tmp_path, addresses):
    """Of IPv6 one customer has a whole network."""
    limits = Limits(free_bytes=0, upload_bytes=2_000_000, upload_bytes_per_address=3_000_000)
    uploads = Uploads(tmp_path, b"secret", limits)
    for owner, address in zip(("first", "second"), addresses, strict=False):
        with uploads.receiving(owner, 0, address) as folder:
            (folder / "photo.png").write_bytes(bytes(1_500_000))
    with pytest.raises(LimitError, match="Too many uploads wait"):
        uploads.room("third", addresses[2])
    assert uploads.room("third", "10.0.0.2") == 2_000_000
    with uploads.receiving("fourth", 2_500_000, "10.0.0.3"):  # announced, and never sent
        assert uploads.room("fifth", "10.0.0.3") == 500_000
    assert uploads.room("fifth", "10.0.0.3") == 2_000_000
    uploads.sweep(time.time() + KEEP_SECONDS + 60)
    assert uploads.room("third", addresses[2]) == 2_000_000


def test_results_of_one_visitor_do_not_fill_the_disk(tmp_path):
    """A filter draws faster than six hours pass."""
    limits = Limits(free_bytes=0, result_bytes=1_000_000, result_bytes_in_total=1_500_000)
    uploads = Uploads(tmp_path, b"secret", limits)

    def draw(owner, age):
        folder = uploads.result_folder(owner)
        (folder / "picture.png").write_bytes(bytes(400_000))
        os.utime(folder, (time.time() - age,) * 2)
        return folder

    waiting = uploads.result_folder("many")  # of a task that has not been begun
    os.utime(waiting, (0, 0))
    many = [draw("many", age) for age in (50, 40, 30, 20)]
    one = draw("one", 60)
    uploads.trim()
    assert [folder.exists() for folder in many] == [False, False, True, True]
    assert one.exists()
    assert waiting.exists()
    others = [draw(f"cookie {number}", 10) for number in range(2)]
    uploads.trim()
    left = [folder for folder in (*many, one, *others) if folder.exists()]
    assert left == [many[3], *others]


def test_everybody_together_has_a_quota(visit, platform):
    answers = [upload(visit(), bytes(2_500_000)) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {200, 413} or answers[-1].status_code == 429
    assert sum(path.stat().st_size for path in uploaded(platform)) < 8_100_000
    assert not swept(platform, KEEP_SECONDS + 1)


def test_refused_and_broken_off_uploads_leave_nothing(visit, platform, page):
    ann = visit()
    before = uploaded(platform)

    def broken():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        yield bytes(500_000)
        raise ConnectionError("the visitor went away")

    headers = {"content-type": "multipart/form-data; boundary=x"}
    with pytest.raises(ConnectionError):
        ann.post("/gradio_api/upload", content=broken(), headers=headers)
    ann.post("/gradio_api/upload", content=b"--x\r\n\r\nnothing", headers=headers)
    end = time.monotonic() + 30
    while uploaded(platform) != before and time.monotonic() < end:
        time.sleep(0.05)
    assert uploaded(platform) == before


def test_old_uploads_go_and_new_ones_stay(visit, platform):
    path = Path(upload(visit(), b"some picture").json()[0])
    platform.uploads.sweep(time.time() + KEEP_SECONDS - 60)
    assert path.exists()
    assert not swept(platform, KEEP_SECONDS + 60)
    assert not path.exists()


def test_a_killed_servers_uploads_are_gone_at_the_next_start(tmp_path):
    code = (
        "import sys, os, signal, pathlib; from workbench.service.platform import Platform\n"
        "platform = Platform(sys.argv[1])\n"
        "with platform.uploads.receiving('a' + 32 * '0', 10) as folder:\n"
        "    (folder / 'tmpabc').write_bytes(bytes(1000))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=os.environ, timeout=120)
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 1
    (tmp_path / "cache" / "not-ours.txt").write_text("mine")
    with Platform(tmp_path, kinds=platform_tasks.KINDS):
        left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert left == ["not-ours.txt"]


def test_new_sessions_cost_no_more_memory_than_some(visit, page):
    """What the page keeps of sessions is bounded, however many a visitor makes up."""
    ann, bob = visit(), visit()
    bob.post("/gradio_api/queue/join", json={"data": [], "fn_index": 0, "session_hash": "of-bob"})
    for number in range(60):
        page.app.state_holder[f"made-up-{number}"]  # as any call of the page does
        ann.post(
            "/gradio_api/queue/join", json={"data": [], "fn_index": 0, "session_hash": f"made-up-{number}"}
        )
    kept = [name for name in page.app.state_holder.session_data if name.startswith("made-up-")]
    assert 0 < len(kept) <= 20
    assert page.app.state_holder.capacity <= 300


@pytest.fixture(scope="module")
def small_page(tmp_path_factory):
    """A page that keeps fourteen sessions."""
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (("SESSIONS", 14), ("KEPT", 8), ("CALLS", 4), ("KEPT_OF_ONE", 2)):
            patch.setattr(web, name, most)
        with Platform(tmp_path_factory.mktemp("small"), kinds=platform_tasks.KINDS) as platform:
            blocks = launch(port=None, platform=platform)
            yield blocks
            blocks.close()


@pytest.mark.parametrize("flood", ["cookies", "no cookie", "no session"])
def test_new_cookies_push_nobody_elses_session_out(small_page, flood):
    """Sessions are shared between addresses, whether one takes many cookies, shows none, or names none."""
    kept, job = small_page.app.state_holder, {"data": [], "fn_index": 0}
    names = []

    def join(client, session):
        assert client.post("/gradio_api/queue/join", json=job | {"session_hash": session}).is_success

    with (
        httpx.Client(
            transport=httpx.HTTPTransport(local_address="127.0.0.2"),
            base_url=small_page.local_url,
            timeout=60,
        ) as bob,
        httpx.Client(base_url=small_page.local_url, timeout=60) as attacker,
    ):
        for client in (bob, attacker):
            client.get("/")
        join(bob, flood)
        for number in range(12):
            if flood == "no session":
                names.append(call(attacker).json()["event_id"])
                continue
            names.append(f"{flood} {number}")
            if number % 2 == 0 or flood == "no cookie":
                attacker.cookies.clear()
            if flood == "cookies" and number % 2 == 0:
                attacker.get("/")
            join(attacker, names[-1])
        end = time.monotonic() + 60
        while names[-1] not in kept and time.monotonic() < end:
            time.sleep(0.05)
    assert flood in kept
    assert 0 < sum(name in kept for name in names) <= 8


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB in memory; skipped where one may not be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("needs the right to mount a small file system")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder], capture_output=True)
    if done.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_with_no_byte_free_the_server_answers_in_words_and_recovers(small_disk, monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    limits = Limits(**ANY_DISK)
    with Platform(small_disk, kinds=platform_tasks.KINDS, limits=limits) as platform:
        owner = platform.accounts.add("ann", GOOD).owner
        page = launch(port=None, platform=platform)
        monkeypatch.setenv("GRADIO_TEMP_DIR", os.environ["GRADIO_TEMP_DIR"])  # and put back afterwards
        try:
            with httpx.Client(base_url=page.local_url, timeout=60) as ann:
                assert ann.get("/").status_code == 200
                filler = small_disk / "filler"
                with filler.open("wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(4096))
                    except OSError:
                        pass
                assert shutil.disk_usage(small_disk).free == 0
                form = {"name": "ann", "password": GOOD}
                answers = [
                    upload(ann, bytes(100_000)),
                    ann.post("/login", data=form),
                    ann.post("/login", data=form | {"password": "wrong password"}),
                    call(ann),
                    ann.get("/jobs/j/name"),
                    ann.get("/logout"),
                ]
                for answer in answers:
                    assert answer.status_code != 500, answer.text
                assert answers[0].status_code == answers[3].status_code == 507
                assert answers[0].text == "The server's disk is nearly full. Come back later."
                assert ann.get("/").status_code == 200
                filler.unlink()
                assert upload(ann, bytes(100_000)).status_code == 200
                answer = ann.post("/login", data=form)
                assert (answer.status_code, answer.headers["location"]) == (303, "/")
                job = platform.submit(owner, "who", [])
                assert platform.wait(owner, job, 300).state == "done"
        finally:
            page.close()


def test_logging_out_ends_the_token_too(tmp_path):
    with Platform(tmp_path, kinds=platform_tasks.KINDS, accounts=True, limits=Limits(**ANY_DISK)) as platform:
        owner = platform.accounts.add("ann", GOOD).owner
        first, second = gated(platform), gated(platform)
        for visitor in (first, second):
            visitor.post("/login", data={"name": "ann", "password": GOOD})
        copied = {"cookie": f"{platform.tokens.cookie}={first.cookies[platform.tokens.cookie]}"}
        thief = gated(platform)
        assert thief.get("/x", headers=copied).json() == {"owner": owner}
        assert first.get("/logout").headers["location"] == "/login"
        assert thief.get("/x", headers=copied | {"accept": "*/json"}).status_code == 401
        assert second.get("/x").json() == {"owner": owner}  # another session of hers goes on


def test_hashes_hold_up_nobody_else(tmp_path):
    """Forty logins at once wait for each other, and other requests for none of them."""
    with (
        Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(**ANY_DISK)) as platform,
        gated(platform) as visitor,
        ThreadPoolExecutor(60) as pool,
    ):
        form = {"name": "ann", "password": "wrong password"}
        waiting = [pool.submit(visitor.post, "/login", data=form) for _ in range(60)]
        answers = [visitor.get("/x").status_code for _ in range(20)]
        codes = {future.result().status_code for future in waiting}
    assert set(answers) == {200}
    assert codes <= {401, 429}


def test_a_flood_of_logins_keeps_nobody_else_out(tmp_path):
    """One address fills no more than its share of the places where logins wait for their hash."""
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(**ANY_DISK)) as platform:
        platform.accounts.add("ann", GOOD)
        application = Starlette(middleware=[gate(platform)])

        async def post(address, password):
            transport = httpx.ASGITransport(application, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post("/login", data={"name": "ann", "password": password})

        async def attack():
            flood = [asyncio.create_task(post("10.0.0.1", "wrong password")) for _ in range(100)]
            await asyncio.sleep(0)
            anns = await post("10.0.0.2", GOOD)
            return anns, await asyncio.gather(*flood)

        anns, flood = asyncio.run(attack())
    assert anns.status_code == 303
    codes = [answer.status_code for answer in flood]
    assert set(codes) == {401, 429}
    assert codes.count(429) > 50


def test_a_browser_that_logged_in_is_not_locked_out_by_others_at_its_address(tmp_path):
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(**ANY_DISK)) as platform:
        owners = [platform.accounts.add(name, GOOD).owner for name in ("ann", "eve")]
        anns, eves = gated(platform), gated(platform)
        for browser, name in ((anns, "ann"), (eves, "eve")):
            assert browser.post("/login", data={"name": name, "password": GOOD}).status_code == 303
        assert [browser.get("/x").json()["owner"] for browser in (anns, eves)] == owners
        wrong = {"name": "ann", "password": "wrong password"}
        said = [eves.post("/login", data=wrong).text for _ in range(6)]
        assert ["Too many failed logins" in text for text in said] == [False] * 5 + [True]
        assert anns.get("/logout").status_code == 303
        good = {"name": "ann", "password": GOOD}
        assert gated(platform).post("/login", data=good).status_code == 401
        assert anns.post("/login", data=good).status_code == 303


@pytest.fixture
def served(monkeypatch):
    """A page of its own with short deadlines and few connections; gives (host, port) and the page."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 1.0)
    monkeypatch.setattr(connections, "MOST", 40)
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 1.0)

    blocks = launch(port=None)
    yield ("127.0.0.1", blocks.server_port), blocks
    blocks.close()


def ended(sock):
    """What came until the server closed the connection."""
    sock.settimeout(30)
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            found += data
    return found


def test_clients_that_say_nothing_or_very_little_are_given_up(served):
    address, _ = served
    silent = socket.create_connection(address)
    slow = socket.create_connection(address)
    slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    again = socket.create_connection(address)
    again.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in again.recv(65536)
    again.sendall(b"GET / HT")  # the second request comes slowly
    body = socket.create_connection(address)
    body.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\nname=")
    upload = socket.create_connection(address)
    upload.sendall(
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )

    def drip():  # a byte now and then, for ever
        with contextlib.suppress(OSError):
            while True:
                slow.sendall(b"x")
                time.sleep(0.2)

    threading.Thread(target=drip, daemon=True).start()
    assert [ended(sock) for sock in (silent, slow)] == [b"", b""]
    ended(again)
    for sock in (body, upload):
        assert b"408" in ended(sock).splitlines()[0]


def test_a_body_that_drips_is_given_up(served):
    """A byte before every deadline would hold a connection for ever."""
    address, _ = served
    sock = socket.create_connection(address)
    sock.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n")

    def drip():
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(b"x")
                time.sleep(0.2)

    threading.Thread(target=drip, daemon=True).start()
    assert b"408" in ended(sock).splitlines()[0]


def test_a_body_that_comes_for_ever_is_given_up(served, monkeypatch):
    """Fast enough to be no drip, it would keep the room that it announces from everybody."""
    monkeypatch.setattr(bodies, "MAX_SECONDS", 2.0)
    sock = socket.create_connection(served[0])
    sock.sendall(b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n")
    sock.sendall(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
    sock.sendall(b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n')

    def pour():
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(bytes(10_000))
                time.sleep(0.05)

    threading.Thread(target=pour, daemon=True).start()
    assert b"408" in ended(sock).splitlines()[0]


def test_many_held_connections_stop_nobody_for_long_and_fill_no_log(served, caplog):
    address, page = served
    held = [socket.create_connection(address) for _ in range(200)]
    for sock in held:
        with contextlib.suppress(OSError):  # closed already
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    end, status = time.monotonic() + 30, None
    while status != 200 and time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            status = httpx.get(page.local_url + "login").status_code
    assert status == 200
    lines = [
        record for record in caplog.records if record.name.startswith(("asyncio", "uvicorn", "workbench"))
    ]
    assert len(lines) <= 4
    assert all("\n" not in record.getMessage() for record in lines)
    for sock in held:
        sock.close()


def test_the_word_of_an_unnamed_proxy_on_the_clients_address_is_not_taken(tmp_path):
    """Else every guess comes from an address of its own."""
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(**ANY_DISK)) as platform:
        for proxies, last in (((), "Too many failed logins"), (("127.0.0.1",), "do not belong together")):
            page = launch(port=None, platform=platform, trusted_proxies=proxies)
            try:
                for number in range(6):
                    headers = {"x-forwarded-for": f"10.0.0.{number}"}
                    form = {"name": "ann", "password": "wrong password"}
                    answer = httpx.post(page.local_url + "login", data=form, headers=headers)
                assert last in answer.text
            finally:
                page.close()


def test_one_line_a_kind_of_trouble():
    now = [0.0]
    quiet = connections.RepeatFilter(60.0, lambda: now[0])

    def record(text, error=None):
        info = (type(error), error, None) if error else None
        return logging.LogRecord("asyncio", logging.ERROR, "x.py", 1, text, (), info)

    def passed(found):
        return found.getMessage() if quiet.filter(found) else None

    full = OSError(24, "Too many open files")
    assert (
        passed(record("accept failed\nhere", full))
        == "accept failed (OSError: [Errno 24] Too many open files)"
    )
    assert [passed(record("accept failed\nhere", full)) for _ in range(1000)] == [None] * 1000
    assert passed(record("another kind")) == "another kind"
    now[0] = 61.0
    assert passed(record("accept failed\nhere", full)).endswith("[1000 more of this kind]")


def test_an_error_is_told_in_words(visit):
    """Not null, without a path of the server, and without repeating all that was sent."""
    ann = visit()

    def answer(name, *data):
        event = call(ann, *data, name=name).json()["event_id"]
        return ann.get(f"/gradio_api/call/{name}/{event}").text

    assert "Expected 1 input but got 0. /gradio_api/info names them." in answer("cancel_job")
    assert "Expected 2 inputs but got 0." in answer("classify")
    assert {"cancel_job", "classify"} <= {
        name[1:] for name in ann.get("/gradio_api/info").json()["named_endpoints"]
    }
    photo = io.BytesIO()
    Image.new("RGB", (64, 64)).save(photo, "PNG")
    for data, name in ((photo.getvalue(), "photo.png"), (b"no picture", "photo.png")):
        path = upload(ann, data, name).json()[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        said = answer("classify", file, "x" * 5000)
        assert '"error": null' not in said
        assert len(said) < 1000
        assert path.rpartition("/")[0] not in said
    ann.post("/gradio_api/cancel", json={})  # malformed calls too
    assert '"error":null' not in ann.post("/gradio_api/run/my_jobs", json={"data": [1, 2, 3]}).text


def test_probes_learn_whether_the_server_works(tmp_path, monkeypatch):
    with Platform(tmp_path, kinds=platform_tasks.KINDS, accounts=True, limits=Limits(**ANY_DISK)) as platform:
        probe = gated(platform)
        assert (probe.get("/healthz").status_code, probe.get("/healthz").json()) == (200, {"status": "ok"})
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
            answer = probe.get("/healthz")
        assert (answer.status_code, answer.json()["wrong"]) == (503, {"disk": "is nearly full"})
    answer = probe.get("/healthz")  # the platform is closed
    assert (answer.status_code, "jobs" in answer.json()["wrong"]) == (503, True)


def test_prometheus_reads_what_the_server_does(tmp_path):
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(**ANY_DISK)) as platform:
        owner = platform.tokens.anonymous()[0]
        assert platform.wait(owner, platform.submit(owner, "who", []), 300).state == "done"
        routes = [Route("/{rest:path}", lambda request: JSONResponse({}))]
        application = Starlette(routes=routes, middleware=[gate(platform)])

        def get(path, client="127.0.0.1", **headers):
            asker = TestClient(application, "http://localhost", client=(client, 1))
            return asker.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

        get("/x")
        text = get("/metrics").text
        for refused in (get("/metrics", "10.0.0.1"), get("/metrics", x_forwarded_for="10.0.0.1")):
            assert refused.status_code == 403
    samples = {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["workbench_jobsdone"] == 1
    assert samples["workbench_jobsqueued"] == 0
    assert samples["workbench_workers"] == 1
    assert samples["workbench_http_requests_total2xx"] == 1
    assert samples["workbench_disk_free_bytes"] > 0


def test_a_result_is_its_owner_s_alone(platform, visit):
    """Who has learnt the path of another's drawing, from a log say, does not get the drawing."""
    ann, bob = visit(), visit()
    out = platform.uploads.result_folder(identify(platform, dict(ann.cookies)))
    Image.new("RGB", (8, 8), "red").save(out / "picture.png")
    path = f"/gradio_api/file={out / 'picture.png'}"
    assert ann.get(path).status_code == 200
    assert bob.get(path).status_code == 404
    assert httpx.get(f"{ann.base_url}{path.lstrip('/')}").status_code in (401, 404)
    twisted = f"/gradio_api/file={out.parent / 'x' / '..' / out.name / 'picture.png'}"
    assert bob.get(twisted).status_code in (403, 404)


def test_old_results_go_with_old_uploads(platform):
    folder = platform.uploads.result_folder("somebody")
    (folder / "picture.png").write_bytes(b"x")
    platform.uploads.sweep(time.time() + KEEP_SECONDS / 2)
    assert folder.is_dir()
    platform.uploads.sweep(time.time() + 2 * KEEP_SECONDS)
    assert not folder.exists()
