"""The served page under attack: foreign pages, rebound names, floods of uploads, full disks, slow clients."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import platform_tasks
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.uploads import KEEP_SECONDS
from workbench.service.web import gate
from workbench.ui import app, launch

GOOD = "three blue herons"
ANY_DISK = {"free_bytes": 0, "jobs_a_minute": 10_000}


@pytest.fixture(scope="module", autouse=True)
def cold():
    """No networks are loaded: nothing here draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "_warm_up", lambda: None)
        yield


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    limits = Limits(**ANY_DISK, upload_bytes=3_000_000, upload_bytes_of_all=8_000_000)
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


def test_everybody_together_has_a_quota(visit, platform):
    answers = [upload(visit(), bytes(2_500_000)) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {200, 413} or answers[-1].status_code == 429
    assert sum(path.stat().st_size for path in uploaded(platform)) < 8_100_000
    platform.uploads.sweep(time.time() + KEEP_SECONDS + 1)


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
    platform.uploads.sweep(time.time() + KEEP_SECONDS + 60)
    assert not path.exists()


def test_a_killed_servers_uploads_are_gone_at_the_next_start(tmp_path):
    code = (
        "import sys, os, signal, pathlib; from workbench.service.platform import Platform\n"
        "platform = Platform(sys.argv[1])\n"
        "with platform.uploads.coming('a' + 32 * '0', 10) as folder:\n"
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
