"""A served rating study: raters apart, every answer kept, nothing let in that does not belong there."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from browsing import chromium
from PIL import Image
from rating_studies import PAIRS, SCALES, study, write_study

from workbench.data.rating_tables import read_ratings
from workbench.rating import Collection, load

httpx = pytest.importorskip("httpx")
GIVEN = {"calm": 62.5, "pleasure": 7, "mood": "serenity"}
SENT = {
    "values": GIVEN,
    "seconds": 2.5,
    "seconds_of": {"calm": 1.0, "pleasure": 1.5, "mood": 2.0},
    "hidden": 0,
}


@contextlib.contextmanager
def served(collection):
    """The address of a served study."""
    import uvicorn

    from workbench.rating.server import app

    server = uvicorn.Server(uvicorn.Config(app(collection), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def collection(tmp_path):
    made = Collection(study(tmp_path, "attention_every = 0"), tmp_path / "answers")
    yield made
    made.close()


@pytest.fixture
def address(collection):
    with served(collection) as found:
        yield found


def begin(address):
    """A rater's browser."""
    rater = httpx.Client(base_url=address, follow_redirects=True)
    ticket = re.search(r'name="ticket" value="(\w+)"', rater.get("/").text)[1]
    reply = rater.post("/begin", data={"ticket": ticket, "agree": "yes"})
    assert (reply.status_code, reply.url.path) == (200, "/study")
    return rater


def come_back(address, code):
    """Another browser of the rater's."""
    rater = httpx.Client(base_url=address, follow_redirects=True)
    return rater, rater.post("/resume", data={"code": code})


def test_raters_are_apart(address, collection):
    first, second = begin(address), begin(address)
    one, two = (rater.get("/trials").json() for rater in (first, second))
    assert one["code"] != two["code"]
    assert (one["rater"], two["rater"]) == (1, 2)
    assert two["code"] not in first.get("/study").text + first.get("/trials").text
    first.post("/answers", json={"trial": 0} | SENT)
    assert [t["index"] for t in first.get("/trials").json()["trials"]] == [1, 2, 3]
    assert [t["index"] for t in second.get("/trials").json()["trials"]] == [0, 1, 2, 3]
    stranger = httpx.Client(base_url=address)
    assert stranger.get("/trials").status_code == 401
    assert stranger.post("/answers", json={"trial": 1} | SENT).status_code == 401
    assert stranger.get(one["trials"][0]["pictures"][0]["src"]).status_code == 404
    assert first.get(one["trials"][0]["pictures"][0]["src"]).headers["content-type"] == "image/jpeg"
    for path in ("/experimenter", "/experimenter/ratings.csv", "/experimenter/answers.csv"):
        assert first.get(path).status_code == 404
        assert stranger.get(path).status_code == 404
    assert len(collection.answers()) == 3


def test_a_page_tells_neither_names_nor_styles(address):
    rater = begin(address)
    told = rater.get("/trials").text
    assert not re.search(r"\.png|original|study\.toml", told)


def test_consent_comes_first_and_nobody_begins_twice(address, collection):
    rater = httpx.Client(base_url=address, follow_redirects=True)
    ticket = re.search(r'name="ticket" value="(\w+)"', rater.get("/").text)[1]
    assert rater.post("/begin", data={"ticket": ticket}).status_code == 422
    assert rater.post("/begin", data={"agree": "yes"}).status_code == 422
    assert collection.progress() == []
    for _ in range(2):
        rater.post("/begin", data={"ticket": ticket, "agree": "yes"})
    assert len(collection.progress()) == 1
    assert "Begin" not in rater.get("/").text  # known already
    rater.post("/leave")
    assert "Begin" in rater.get("/").text
    assert rater.get("/study").url.path == "/"


def test_an_answer_sent_twice_counts_once(address, collection):
    rater = begin(address)
    for _ in range(2):
        assert rater.post("/answers", json={"trial": 0} | SENT).json() == {"answered": 1}
    changed = SENT | {"values": GIVEN | {"calm": 1}}
    assert rater.post("/answers", json={"trial": 0} | changed).json() == {"answered": 1}
    assert [row["calm"] for row in collection.ratings()] == [62.5]
    assert rater.post("/answers", json={"trial": 2} | SENT).status_code == 409
    assert len(collection.ratings()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'"x"', b"[" * 5000, b"\xff", b'{"trial": 0}',
        b'{"trial": true, "values": {}, "seconds": 1, "seconds_of": {}, "hidden": 0}',
        b'{"trial": 0, "values": [], "seconds": 1, "seconds_of": {}, "hidden": 0}',
        b'{"trial": 0, "values": {"calm": {}}, "seconds": 1, "seconds_of": {}, "hidden": 0}',
        b'{"trial": 0, "values": {"calm": 1, "pleasure": 1, "mood": "serenity"}, "seconds": NaN, '
        b'"seconds_of": {}, "hidden": 0}',
        b'{"trial": 0, "values": {"calm": 1, "pleasure": 1, "mood": "serenity"}, "seconds": 1, '
        b'"seconds_of": {"calm": "x"}, "hidden": 0}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_line(address, collection, body):
    reply = begin(address).post("/answers", content=body)
    assert reply.status_code == 422
    assert reply.text.startswith("Expected ")
    assert "\n" not in reply.text
    assert collection.answers() == []


def test_bodies_are_bounded(address):
    assert begin(address).post("/answers", content=b"x" * 30_000).status_code == 413


def test_codes_cannot_be_tried_one_by_one(address):
    known = begin(address).get("/trials").json()["code"]
    rater, reply = come_back(address, known.lower())
    assert reply.url.path == "/study"
    assert rater.get("/trials").json()["code"] == known
    replies = [come_back(address, f"AAAA-BBBB-CCCC-DDD{i}")[1] for i in "23456789ABC"]
    assert [r.status_code for r in replies] == [404] * 10 + [429]
    assert "no such code" in replies[0].text


def test_only_the_key_opens_the_experimenters_page(address, collection):
    begin(address).post("/answers", json={"trial": 0} | SENT)
    visitor = httpx.Client(base_url=address, follow_redirects=True)
    assert visitor.get("/experimenter?key=wrong").status_code == 404
    page = visitor.get(f"/experimenter?key={collection.key}")
    assert (page.status_code, page.url.query) == (200, b"")  # the key has left the address
    assert "1 of 4" in page.text
    table = visitor.get("/experimenter/ratings.csv")
    assert table.headers["content-disposition"] == 'attachment; filename="ratings.csv"'
    assert table.text.splitlines()[0] == "rater,picture,source,style,calm,pleasure,mood"
    assert visitor.get("/experimenter/secrets.csv").status_code == 404


def test_paths_lead_nowhere_else(address):
    rater = begin(address)
    for path in (
        "/pictures/../answers.sqlite", "/pictures/%2e%2e%2fanswers.sqlite", "/pictures/..%5canswers.sqlite",
        "/assets/../server.py", "/assets/%2e%2e/server.py", "/assets//etc/passwd",
        "/assets/jspsych/../../study.py",
        "/manikins/../1.svg", "/manikins/pleasure/9.svg", "/experimenter/..%2fanswers.csv", "/answers.sqlite",
    ):  # fmt: skip
        with contextlib.closing(httpx.Client(base_url=address, cookies=rater.cookies)) as raw:
            reply = raw.send(raw.build_request("GET", address + path))
        assert reply.status_code in (404, 405), path


def test_other_hosts_and_pages_are_refused(address, collection):
    rater = begin(address)
    answer = {"trial": 0} | SENT
    evil = {"Origin": "https://evil.example"}
    assert rater.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert rater.post("/answers", json=answer, headers=evil).status_code == 403
    assert rater.post("/begin", headers={"Origin": "null"}).status_code == 403
    assert rater.post("/answers", json=answer, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert collection.answers() == []
    for path in ("/", "/study", "/trials", "/assets/study.js", "/no"):
        policy = rater.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_cookies_are_out_of_scripts_reach(address):
    rater = httpx.Client(base_url=address)
    ticket = re.search(r'name="ticket" value="(\w+)"', rater.get("/").text)[1]
    cookie = rater.post("/begin", data={"ticket": ticket, "agree": "yes"}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_kill_the_server_and_every_acknowledged_answer_is_there(tmp_path):
    path = write_study(tmp_path, "attention_every = 0")

    def start():
        server = subprocess.Popen(
            [sys.executable, "-m", "workbench", "rate", str(path), "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        return server, re.search(r"http://[\d.:]+", server.stdout.readline())[0]

    server, address = start()
    try:
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):
                rater = begin(address)
                break
            time.sleep(0.1)
        code = rater.get("/trials").json()["code"]
        for trial in range(2):
            assert rater.post("/answers", json={"trial": trial} | SENT).json() == {"answered": trial + 1}
        server.send_signal(signal.SIGKILL)
        server.wait()
        server, address = start()
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):
                rater, reply = come_back(address, code)
                break
            time.sleep(0.1)
        assert reply.url.path == "/study"
        assert [t["index"] for t in rater.get("/trials").json()["trials"]] == [2, 3]
        assert rater.post("/answers", json={"trial": 1} | SENT).json() == {"answered": 2}  # sent again
        twin = subprocess.run(
            [sys.executable, "-m", "workbench", "rate", str(path), "--port", "0"],
            capture_output=True,
            text=True,
        )
        assert twin.returncode == 2
        assert "is being served already" in twin.stderr
    finally:
        server.kill()
        server.wait()
    collection = Collection(load(path), tmp_path / "study_answers")
    assert [(r["rater"], r["calm"]) for r in collection.ratings()] == [("r001", 62.5)] * 2


def test_who_says_nothing_is_given_up(collection, monkeypatch):
    """With the platform's deadlines."""
    import uvicorn

    from workbench.rating import serve
    from workbench.service import connections

    servers, addresses = [], []

    class Server(uvicorn.Server):
        def __init__(self, config):
            super().__init__(config)
            servers.append(self)

    monkeypatch.setattr(uvicorn, "Server", Server)
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)
    thread = threading.Thread(target=serve, args=(collection,), kwargs={"port": 0, "ready": addresses.append})
    thread.start()
    try:
        while not (servers and servers[0].started):
            time.sleep(0.02)
        with socket.create_connection(("127.0.0.1", int(addresses[0].rpartition(":")[2])), 30) as silent:
            silent.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            assert silent.recv(100) == b""
    finally:
        servers[0].should_exit = True
        thread.join()


def test_a_taken_port_is_one_line(collection, address):
    from workbench.core.errors import WorkbenchError
    from workbench.rating import serve

    port = int(address.rpartition(":")[2])
    with pytest.raises(WorkbenchError, match=rf"^Cannot listen on 127.0.0.1:{port} \([\w ]+\)\. Try another"):
        serve(collection, port=port)


XSS = "<img src=x onerror=document.title='hacked'>{{7*7}}</script><script>document.title='hacked'</script>"


@contextlib.contextmanager
def visitor(address, **options):
    """A browser's page that fails the test on an error of a script or a request to elsewhere."""
    with chromium() as browser:
        page = browser.new_context(**options).new_page()
        faults, elsewhere = [], []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith(address) else None)
        page.faults = faults
        yield page
        assert elsewhere == []


def enter(page, address):
    page.goto(address)
    page.check("[name=agree]")
    page.click("main > form button")
    page.click("#study .sheet button")


def due(page, number):
    """Wait until the trial of this number is shown and may be answered."""
    page.wait_for_selector(f"#study .head:has-text('{number} of')")
    page.wait_for_selector("#study form:not([inert])")


@pytest.mark.browser
def test_texts_are_texts(tmp_path):
    scales = SCALES.replace("How calm is it?", XSS).replace('low = "not"', f'low = "{XSS}"')
    settings = f'instructions = "{XSS}"\nthanks = "{XSS}"\nattention_every = 0\nwords = {{next = "{XSS}"}}'
    collection = Collection(study(tmp_path, settings, scales), tmp_path / "a")
    with served(collection) as address, visitor(address) as page:
        page.goto(address)
        page.check("[name=agree]")
        page.click("main > form button")
        page.wait_for_selector("#study .sheet")
        assert XSS in page.inner_text("#study")
        page.click("#study .sheet button")
        due(page, 1)
        assert XSS in page.inner_text("#study form")
        assert page.title() == "A study"
        assert page.faults == []


@pytest.mark.browser
def test_a_whole_study_on_a_phone(tmp_path):
    settings = 'break_every = 2\nattention_every = 3\npractice = "practice"'
    path = write_study(tmp_path, settings)
    (tmp_path / "practice").mkdir()
    shutil.copy(tmp_path / "pictures" / "0.png", tmp_path / "practice")
    collection = Collection(load(path), tmp_path / "a")
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    with served(collection) as address, visitor(address, **phone) as page:
        enter(page, address)
        for number in range(1, 7):
            while True:
                page.wait_for_selector(f"#study .head:has-text('{number} of'), #study .sheet button")
                if page.query_selector("#study .head"):
                    break
                page.tap("#study .sheet button")  # the end of the practice, a break
            due(page, number)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            if number == 1:
                page.tap("form > button")
                assert page.inner_text(".said") == "Please answer every question."
            if page.query_selector(".asked"):
                wanted = page.inner_text(".asked").rpartition(": ")[2]
                page.tap(f"label:has-text('{wanted}')")
            else:
                slider = page.locator("input[type=range]")
                box = slider.bounding_box()
                slider.tap(position={"x": box["width"] / 2, "y": box["height"] / 2})
                page.tap("fieldset.sam label >> nth=6")
                page.tap("label:has-text('Serenity')")
            for label in page.query_selector_all("form label"):
                assert label.bounding_box()["height"] >= 44
            page.tap("form > button")
        page.wait_for_selector("h1:has-text('Thank you!')")
        assert page.faults == []
    rows = collection.ratings()
    assert len(rows) == 4
    assert {(r["pleasure"], r["mood"]) for r in rows} == {(7, "serenity")}
    assert all(r["calm"] == pytest.approx(50, abs=2) for r in rows)
    (rater,) = collection.progress()
    assert (rater["is_done"], rater["checks_passed"], rater["checks_failed"]) == (True, 1, 0)
    assert all(0 < a["seconds"] <= a["trial_seconds"] < 60 for a in collection.answers())
    collection.export(tmp_path)
    assert read_ratings(tmp_path / "ratings.csv")["pleasure"].values.tolist() == [[7.0]] * 4


@pytest.mark.browser
@pytest.mark.parametrize("late", [0, 400], ids=["frames at once", "late frames"])
def test_a_whole_study_by_keyboard(tmp_path, late):
    collection = Collection(study(tmp_path, "attention_every = 0", pictures=2), tmp_path / "a")
    with served(collection) as address, visitor(address) as page:
        page.add_init_script(f"window.requestAnimationFrame = (then) => setTimeout(then, {late})")
        press = page.keyboard.press
        page.goto(address)
        press("Tab")
        press("Space")
        press("Tab")
        press("Enter")
        page.wait_for_selector("#study .sheet button")
        press("Enter")
        for number in (1, 2):
            due(page, number)
            press("Tab")
            press("ArrowRight")
            press("ArrowRight")
            press("Tab")
            press("3")
            press("4" if number == 1 else "5")
            press("Enter")
        page.wait_for_selector("h1:has-text('Thank you!')")
        assert page.faults == []
    found = [(r["calm"], r["pleasure"], r["mood"]) for r in collection.ratings()]
    assert found == [(54, 3, "serenity"), (54, 3, "desolation")]


@pytest.mark.browser
def test_pairs_by_keyboard_and_by_a_click(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0", PAIRS, 3), tmp_path / "a")
    with served(collection) as address, visitor(address) as page:
        enter(page, address)
        due(page, 1)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        due(page, 2)
        page.click("figure >> nth=0")
        page.click("form > button")
        due(page, 3)
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('Thank you!')")
    given = [a["value"] for a in collection.answers()]
    assert given == [2, 1, 2]


@pytest.mark.browser
def test_a_dead_server_and_a_closed_browser_lose_nothing(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0", PAIRS, 3), tmp_path / "a")
    with served(collection) as address, visitor(address) as page:
        enter(page, address)
        due(page, 1)
        page.route("**/answers", lambda route: route.abort())
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        page.wait_for_selector(".said:has-text('Not saved yet')")
        assert collection.answers() == []
        page.unroute("**/answers")
        again = page.context.new_page()  # the same browser later: the answer was on its way
        page.close()
        again.goto(f"{address}/study")
        again.click("#study .sheet button")
        due(again, 2)
    assert [a["value"] for a in collection.answers()] == [2]


@pytest.mark.browser
def test_a_picture_that_does_not_come_is_waited_for(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0", PAIRS, 3), tmp_path / "a")
    with served(collection) as address, visitor(address) as page:
        page.route("**/pictures/*", lambda route: route.abort())
        enter(page, address)
        page.wait_for_selector(".said:has-text('has not loaded')")
        assert page.query_selector("form[inert]")
        page.unroute("**/pictures/*")
        due(page, 1)


@pytest.mark.browser
def test_a_long_scroll_can_be_enlarged(tmp_path):
    made = study(tmp_path, "attention_every = 0", pictures=2)
    for i in range(2):
        Image.new("RGB", (6000, 600), "gray").save(tmp_path / "pictures" / f"{i}.png")
    collection = Collection(made, tmp_path / "a")
    assert {s.size for s in collection.stimuli.values()} == {(3873, 387)}  # 1.5 megapixels
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    with served(collection) as address, visitor(address, **phone) as page:
        enter(page, address)
        due(page, 1)
        page.focus("figure button")
        page.keyboard.press("Enter")
        assert page.locator("dialog img").bounding_box()["height"] == 387
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.keyboard.press("3")  # nothing is rated meanwhile
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
        assert page.query_selector("input:checked") is None
        assert page.faults == []


@pytest.mark.browser
def test_the_experimenters_page_lives(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0"), tmp_path / "a")
    with served(collection) as address, visitor(address) as page:
        page.goto(f"{address}/experimenter?key={collection.key}")
        assert "Nobody has begun yet." in page.inner_text("main")
        begin(address).post("/answers", json={"trial": 0} | SENT)
        page.wait_for_selector("td:has-text('1 of 4')", timeout=15_000)
        assert page.faults == []


def test_a_full_disk_takes_no_answer_and_breaks_nothing(tmp_path):
    """Answers that cannot be written are not acknowledged; those before stay, and with room it goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if (
        os.geteuid()
        or shutil.which("mount") is None
        or subprocess.run(mounting, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a small file system")
    collection = Collection(study(tmp_path, "attention_every = 0"), disk)
    try:
        with served(collection) as address:
            first = begin(address)
            assert first.post("/answers", json={"trial": 0} | SENT).json() == {"answered": 1}
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            assert shutil.disk_usage(disk).free == 0
            replies = [first.post("/answers", json={"trial": 1} | SENT)]
            newcomer = httpx.Client(base_url=address)
            ticket = re.search(r'name="ticket" value="(\w+)"', newcomer.get("/").text)[1]
            replies += [newcomer.post("/begin", data={"ticket": ticket, "agree": "yes"}) for _ in range(3)]
            assert {reply.status_code for reply in replies} == {503}  # on which a rater's page tries again
            assert replies[0].text == "Nothing can be written down at the moment. Try again later."
            assert len(first.get("/trials").json()["trials"]) == 3
            filler.unlink()
            assert first.post("/answers", json={"trial": 1} | SENT).json() == {"answered": 2}
            assert begin(address).get("/trials").json()["rater"] == 2
            assert len(collection.answers()) == 6
    finally:
        collection.close()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
