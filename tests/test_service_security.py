"""Nobody reads another's job, file, or its existence: by id, by URL, by path tricks or by a forged token."""

import os
import shutil
import time
from types import SimpleNamespace

import platform_tasks
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.service import audit, jobs
from workbench.service.accounts import Accounts
from workbench.service.database import Database
from workbench.service.errors import LimitError, StorageError, UnknownJobError, without_paths
from workbench.service.identity import COOKIE, Tokens
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import is_id, new_id
from workbench.service.tasks import TASKS
from workbench.service.web import gate, identify, result_url
from workbench.ui import my_work

PATIENCE = 300.0
SECRET = b"a face that only Ann may see"
GOOD = "three blue herons"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    limits = Limits(free_bytes=0, jobs_per_minute=10_000)
    with Platform(tmp_path_factory.mktemp("data"), kinds=platform_tasks.KINDS, limits=limits) as made:
        yield made


@pytest.fixture(scope="module")
def anns(platform, tmp_path_factory):
    """(Ann's owner id, her finished job)"""
    upload = tmp_path_factory.mktemp("up") / "face.bin"
    upload.write_bytes(SECRET)
    owner = new_id("a")
    job = platform.submit(owner, "echo", [upload])
    assert platform.wait(owner, job, PATIENCE).state == "done"
    return owner, job


def whoami(request):
    return JSONResponse({"owner": request.state.owner})


def client(platform, base_url="http://localhost", **options):
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route("/{rest:path}", whoami, methods=methods)], middleware=[gate(platform)])
    return TestClient(app, base_url, follow_redirects=False, **options)


ASKS = [
    lambda p, owner, job: p.job(owner, job),
    lambda p, owner, job: p.result(owner, job),
    lambda p, owner, job: p.cancel(owner, job),
    lambda p, owner, job: p.delete(owner, job),
    lambda p, owner, job: next(p.events(owner, job)),
    lambda p, owner, job: p.wait(owner, job, 1),
]


@pytest.mark.parametrize("ask", ASKS)
def test_a_foreign_job_and_an_absent_one_are_the_same(platform, anns, ask):
    _, job = anns
    said = set()
    for owner in (new_id("a"), new_id("u")):
        for asked in (job, new_id("j")):
            with pytest.raises(UnknownJobError) as error:
                ask(platform, owner, asked)
            said.add(str(error.value))
    assert len(said) == 1
    assert platform.jobs(new_id("a")) == []
    assert platform.job(*anns).state == "done"  # and it is still there


TRICKS = [
    "",
    ".",
    "..",
    "../..",
    "/etc/passwd",
    "j" + "0" * 31,
    "J" + "0" * 32,
    "%2e%2e",
    "j\0",
    "' or 1=1 --",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_ids_are_ids(platform, anns, trick):
    owner, job = anns
    for pair in ((owner, trick), (trick, job)):
        with pytest.raises(UnknownJobError):
            platform.job(*pair)
        with pytest.raises(StorageError, match="Expected ids made by the platform"):
            platform.store.job(*pair)
    with pytest.raises(UnknownJobError):
        platform.result(owner, job, trick or "..")
    with pytest.raises(LimitError):
        platform.submit(trick, "who", [])


def test_ids_cannot_be_guessed():
    ids = {new_id("j") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_id(value, "j") and len(value) == 33 for value in ids)
    for place in range(1, 33):
        assert len({value[place] for value in ids}) == 16  # every digit takes every value
    assert not is_id(new_id("j"), "au")
    assert not is_id(None, "j")
    assert not is_id(new_id("j") + "\n", "j")


def test_denials_are_in_the_log_but_cannot_fill_it(platform, anns):
    stranger = new_id("a")
    for _ in range(100):
        with pytest.raises(UnknownJobError):
            platform.job(stranger, anns[1])
    lines = audit.entries(platform.database, stranger)
    assert len(lines) == 60
    assert {(line.action, line.outcome) for line in lines} == {("job asked for", "refused")}


def test_who_sends_no_cookie_cannot_fill_the_log(tmp_path):
    """Each request makes a new visitor, who would have a share of lines of his own."""
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(free_bytes=0)) as platform:
        stranger = client(platform)
        for _ in range(250):
            assert stranger.get(result_url(new_id("j"), "x")).status_code == 404
            stranger.cookies.clear()
        assert len(audit.entries(platform.database)) == 200


def test_a_name_that_a_visitor_chose_never_touches_a_path(platform, tmp_path):
    owner = new_id("a")
    odd = tmp_path / "a;rm -rf $HOME.PnG"
    odd.write_bytes(b"x")
    job = platform.submit(owner, "echo", [odd], title="../../etc/passwd\x1b[31m<b>")
    view = platform.wait(owner, job, PATIENCE)
    assert view.title == "../../etc/passwd [31m<b>"
    assert [p.name for p in (platform.store.job(owner, job) / "input").iterdir()] == ["00.png"]


def test_files_are_for_this_user_only(platform, anns):
    assert platform.store.root.stat().st_mode & 0o077 == 0 or os.name == "nt"
    for folder in (platform.store.root / "owners", platform.store.job(*anns).parent):
        assert folder.stat().st_mode & 0o077 == 0
    assert (platform.store.root / "workbench.db").stat().st_mode & 0o077 == 0


def test_uploads_that_are_too_large_leave_nothing(platform, tmp_path):
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(1_000_001))
    before = set(platform.store.root.rglob("*"))
    with pytest.raises(LimitError, match="at most 1 MB but it is larger"):
        platform.submit(new_id("a"), "echo", [big])
    assert set(platform.store.root.rglob("*")) == before


def test_a_size_that_lies_is_counted(platform, tmp_path):
    """A pipe says that it has no bytes; what comes out of it counts."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pid = os.fork()
    if pid == 0:
        try:
            pipe.write_bytes(bytes(2_000_000))
        finally:
            os._exit(0)
    with pytest.raises(LimitError, match="at most 1 MB but it is larger"):
        platform.submit(new_id("a"), "echo", [pipe])
    os.waitpid(pid, 0)


def test_limits_of_an_owner(tmp_path):
    upload = tmp_path / "in.bin"
    upload.write_bytes(bytes(1000))
    limits = Limits(
        active_jobs=2, jobs_per_minute=4, owner_bytes=3000, free_bytes=0, jobs_per_minute_per_address=5
    )
    with Platform(tmp_path / "data", kinds=platform_tasks.KINDS, limits=limits) as platform:
        first, second, third = (new_id("a") for _ in range(3))
        busy = [platform.submit(first, "count", [], {"seconds": 600}) for _ in range(2)]
        with pytest.raises(LimitError, match="You have 2 jobs at work, which is the most"):
            platform.submit(first, "who", [])
        for job in busy:
            platform.delete(first, job)
        platform.wait(second, platform.submit(second, "echo", [upload], address="10.0.0.1"), PATIENCE)
        upload.write_bytes(bytes(1500))
        with pytest.raises(LimitError, match="of your space are left"):
            platform.submit(second, "echo", [upload], address="10.0.0.1")
        platform.submit(second, "who", [], address="10.0.0.1")
        platform.submit(second, "who", [], address="10.0.0.1")
        with pytest.raises(LimitError, match="at most 4 requests in 60 s"):
            platform.submit(second, "who", [], address="10.0.0.1")
        with pytest.raises(LimitError, match="at most 5 requests in 60 s"):  # a new cookie does not help
            platform.submit(third, "who", [], address="10.0.0.1")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_many_cookies_at_one_address_neither_fill_the_queue_nor_hold_others_up(tmp_path, database, request):
    limits = Limits(free_bytes=0, active_jobs_per_address=6, active_jobs=2)
    url = request.getfixturevalue("postgres") if database == "postgresql" else None
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=limits, database=url) as platform:
        many, owners = "2001:db8::1", [new_id("a") for _ in range(6)]  # and others of this customer's
        blocking = platform.submit(owners[0], "count", [], {"seconds": 600}, address=many)
        theirs = [
            platform.submit(owner, "who", [], address=f"2001:db8::{number}")
            for number, owner in enumerate(owners[1:], 2)
        ]
        with pytest.raises(LimitError, match="Too many jobs from your address are at work"):
            platform.submit(new_id("a"), "who", [], address=many)
        ann = new_id("a")
        job = platform.submit(ann, "who", [], address="198.51.100.7")
        platform.cancel(owners[0], blocking)
        mine = platform.wait(ann, job, PATIENCE)
        others = [platform.wait(*pair, PATIENCE) for pair in zip(owners[1:], theirs, strict=True)]
        assert {view.state for view in (mine, *others)} == {"done"}
        assert mine.finished < min(view.finished for view in others)


def test_one_job_cannot_fill_the_disk(tmp_path, monkeypatch):
    limits = Limits(free_bytes=1, owner_bytes=3_000_000)
    words = "Its result is larger than the 3 MB that are left of your space."
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=limits) as platform:
        owner = new_id("a")
        for kind, megabytes in (("grow", 1000), ("full", 4)):  # at work, and when it is done at once
            job = platform.submit(owner, kind, [], {"megabytes": megabytes})
            view = platform.wait(owner, job, PATIENCE)
            assert (view.state, view.attempts) == ("failed", 1)
            assert view.reason.startswith(words)
            assert not list(platform.store.job(owner, job).rglob("*.bin"))
        job = platform.submit(owner, "count", [], {"seconds": 600})
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
        view = platform.wait(owner, job, PATIENCE)
        assert (view.state, view.reason) == ("failed", "The server's disk is nearly full. Come back later.")


def test_old_jobs_go_and_those_of_removed_accounts(tmp_path):
    kinds = platform_tasks.KINDS
    with Platform(tmp_path, kinds=kinds, limits=Limits(free_bytes=0)) as platform:
        ann = platform.accounts.add("ann", GOOD).owner
        bob = platform.accounts.add("bob", GOOD).owner
        owners = [ann, bob, new_id("a")]
        for owner in owners:
            assert platform.wait(owner, platform.submit(owner, "who", []), PATIENCE).state == "done"
        platform.accounts.remove("bob")
    with Platform(tmp_path, kinds=kinds, limits=Limits(keep_days_anonymous=0)) as platform:
        assert [len(platform.jobs(owner)) for owner in owners] == [1, 0, 0]
        assert [p.name for p in (tmp_path / "owners").iterdir()] == [ann]


def test_a_clock_that_is_set_far_ahead_erases_nothing(tmp_path, monkeypatch):
    owner, real = new_id("a"), time.time
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(free_bytes=0)) as platform:
        job = platform.submit(owner, "who", [])
        assert platform.wait(owner, job, PATIENCE).state == "done"
    for days in (40, 40.01, 0, 0.5):
        monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86400)
        with Platform(tmp_path, kinds=platform_tasks.KINDS) as platform:
            assert platform.result(owner, job).is_file(), days
    for days in (0.9, 1.4, 2.3):  # when the clock goes right, what is old goes
        monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86400)
        with Platform(tmp_path, kinds=platform_tasks.KINDS) as platform:
            left = [view.id for view in platform.jobs(owner)]
    assert left == []


def test_a_clock_that_is_set_wrong_makes_nobody_a_new_visitor_and_no_ended_session_good(
    tmp_path, monkeypatch
):
    real = time.time
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(free_bytes=0)) as platform:
        made, ann = client(platform).get("/"), client(platform)
        visitor = client(platform, headers={"cookie": made.headers["set-cookie"].partition(";")[0]})
        platform.accounts.add("ann", GOOD)
        platform.accounts.add("bob", GOOD)
        ann.post("/login", data={"name": "ann", "password": GOOD})
        token = ann.cookies[platform.tokens.cookie]
        ann.get("/logout")
        for days in (40, -40, 0):
            monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86400)
            other = client(platform)
            other.post("/login", data={"name": "bob", "password": GOOD})
            other.get("/logout")
            assert visitor.get("/").json() == made.json(), days
        assert identify(platform, {platform.tokens.cookie: token}) is None
    monkeypatch.setattr(time, "time", lambda: real() + 40 * 86400)
    Platform(tmp_path, kinds=platform_tasks.KINDS).close()
    monkeypatch.setattr(time, "time", real)
    with Platform(tmp_path, kinds=platform_tasks.KINDS) as platform:
        assert identify(platform, {platform.tokens.cookie: token}) is None


def test_the_jobs_of_a_removed_account_are_stopped(tmp_path, monkeypatch):
    """By another process, as `workbench users remove` does it."""
    monkeypatch.setattr(jobs, "SEARCH_SECONDS", 0.2)
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(free_bytes=0)) as platform:
        owner = platform.accounts.add("ann", GOOD).owner
        running, waiting = (platform.submit(owner, "count", [], {"seconds": 600}) for _ in range(2))
        end = time.monotonic() + PATIENCE
        while platform.job(owner, running).share == 0 and time.monotonic() < end:
            time.sleep(0.05)
        other = Database(tmp_path / "workbench.db")
        Accounts(other).remove("ann")
        other.close()
        while platform.store.jobs() and time.monotonic() < end:
            time.sleep(0.05)
        assert platform.store.jobs() == set()
        for job in (running, waiting):
            with pytest.raises(UnknownJobError):
                platform.job(owner, job)
        somebody = new_id("a")  # and the worker is free again
        assert platform.wait(somebody, platform.submit(somebody, "who", []), PATIENCE).state == "done"


def test_messages_name_no_place_on_the_server():
    assert without_paths("No /home/ann/data/owners/a1/j2/input/00.png: bad") == "No 00.png: bad"
    assert without_paths(r"'C:\Users\ann\x.png' is damaged") == "'x.png' is damaged"
    for harmless in ("96 × 64 px", "See https://example.org/a/b", "1/2 and 3/4", "video/mp4", "a/b.png"):
        assert without_paths(harmless) == harmless


def test_a_long_name_is_not_repeated_whole():
    assert len(str(UnknownNameError("style", "x" * 100_000, ["a"]))) < 150


@pytest.mark.parametrize("style", ["/etc/passwd", "../x", "x.safetensors", "a b", "", 3, None, "x" * 65])
def test_a_style_is_a_name_and_no_path(style):
    with pytest.raises(WorkbenchError, match=r"Expected style to be (a name from the list|text)"):
        TASKS["stylize_picture"].check({"style": style})


@pytest.mark.parametrize(
    ("option", "value"),
    [("strength", 2), ("strength", float("nan")), ("strength", True), ("scale", 0), ("temporal", 1),
     ("runtime", "os.system"), ("chunk", [0]), ("_chunk", [0]), ("source", "/etc/passwd")],
)  # fmt: skip
def test_options_of_a_video_are_checked(option, value):
    with pytest.raises(WorkbenchError, match=r"Expected|Unknown"):
        TASKS["stylize_video"].check({option: value})


def test_unknown_kinds_name_only_what_is_offered(platform):
    with pytest.raises(UnknownNameError):
        platform.submit(new_id("a"), "os:system", [])


def test_each_visitor_is_somebody_else_and_stays_it(platform):
    one, two = client(platform), client(platform)
    owner = one.get("/").json()["owner"]
    assert is_id(owner, "a")
    assert one.get("/x").json()["owner"] == owner
    assert two.get("/").json()["owner"] not in (owner, None)
    cookie = client(platform, base_url="https://localhost").get("/").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"} <= {part.strip() for part in cookie.split(";")}


ODD_COOKIES = [
    'prefs={"a":1}',
    'prefs={"a":1}; other="x; y"',
    "=; ;;; a=b=c; \x01=2",
    "\u00e9=\u00e9",
    "x" * 5000,
    "; ".join(f"c{number}=v" for number in range(300)),
]


@pytest.mark.parametrize("odd", ODD_COOKIES, ids=range(len(ODD_COOKIES)))
def test_cookies_of_other_programs_do_not_hide_ours(platform, odd):
    """Browsers send the cookies of every port of 127.0.0.1 along, and they may be anything."""
    owner = new_id("a")
    ours = f"{platform.tokens.cookie}={platform.tokens.issue(owner)}"
    for header in (f"{odd}; {ours}", f"{ours}; {odd}"):
        headers = {"cookie": header.encode("utf-8")}
        for _ in range(2):
            answer = client(platform, headers=headers).get("/")
            assert answer.json() == {"owner": owner}
            assert "set-cookie" not in answer.headers


def test_two_servers_in_one_browser_keep_their_visitors_apart(platform, tmp_path):
    with Platform(tmp_path, kinds=platform_tasks.KINDS, limits=Limits(free_bytes=0)) as other:
        first, second = client(platform), client(other)
        mine, theirs = first.get("/").json(), second.get("/").json()
        first.cookies.update(second.cookies)
        second.cookies.update(first.cookies)
        assert len(first.cookies) == 2
        assert (first.get("/").json(), second.get("/").json()) == (mine, theirs)
    with Platform(tmp_path, kinds=platform_tasks.KINDS) as other:  # and over a restart
        again = client(other)
        again.cookies.update(first.cookies)
        assert again.get("/").json() == theirs


def test_a_cookie_of_the_old_name_is_good_and_gets_the_new_name(platform):
    owner = new_id("a")
    visitor = client(platform, headers={"cookie": f"{COOKIE}={platform.tokens.issue(owner)}"})
    answer = visitor.get("/")
    assert answer.json() == {"owner": owner}
    assert platform.tokens.read(answer.cookies[platform.tokens.cookie]) == (owner, 0)


def test_by_https_a_cookie_that_others_of_the_domain_can_plant_is_nobodys(platform):
    """Browsers take a name with ``__Host-`` from this very host by HTTPS only, and without a domain."""
    attackers, name = new_id("a"), platform.tokens.cookie
    planted = f"{name}={platform.tokens.issue(attackers)}; {COOKIE}={platform.tokens.issue(attackers)}"
    victim = client(platform, base_url="https://localhost", headers={"cookie": planted})
    answer = victim.get("/")
    assert answer.json()["owner"] != attackers
    made = answer.headers["set-cookie"]
    assert made.startswith(f"__Host-{name}=")
    assert {"Path=/", "Secure"} <= {part.strip() for part in made.split(";")}
    assert "domain" not in made.casefold()
    own = {"cookie": f"{planted}; {made.partition(';')[0]}"}
    again = client(platform, base_url="https://localhost", headers=own).get("/")
    assert again.json() == answer.json()
    assert "set-cookie" not in again.headers


def test_a_login_begins_a_new_session_whatever_cookie_was_there(platform):
    """A session that an attacker planted before is not the one that the account's owner goes on in."""
    platform.accounts.add("eve", GOOD)
    ann = platform.accounts.add("ann.of.the.cookies", GOOD).owner
    eve = platform.tokens.issue(*platform.accounts.login("eve", GOOD))
    victim = client(platform, headers={"cookie": f"{platform.tokens.cookie}={eve}"})
    answer = victim.post("/login", data={"name": "ann.of.the.cookies", "password": GOOD})
    token = answer.cookies[platform.tokens.cookie]
    assert token != eve
    assert platform.tokens.read(token)[0] == ann


def test_by_https_logging_out_ends_the_session(tmp_path):
    with Platform(
        tmp_path, kinds=platform_tasks.KINDS, accounts=True, limits=Limits(free_bytes=0)
    ) as platform:
        platform.accounts.add("ann", GOOD)
        visitor = client(platform, base_url="https://localhost")
        visitor.post("/login", data={"name": "ann", "password": GOOD})
        kept = visitor.cookies[f"__Host-{platform.tokens.cookie}"]
        gone = visitor.get("/logout").headers["set-cookie"]
        assert "Max-Age=0" in gone
        assert "Secure" in gone  # else browsers do not let it go
        assert identify(platform, {f"__Host-{platform.tokens.cookie}": kept}, is_secure=True) is None


def test_logging_out_without_an_account_loses_nothing(platform):
    visitor = client(platform)
    owner = visitor.get("/").json()
    for method in ("GET", "POST"):
        answer = visitor.request(method, "/logout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert visitor.get("/").json() == owner


def test_all_browsers_of_a_computer_are_one_local_owner(tmp_path):
    options = {"kinds": platform_tasks.KINDS, "limits": Limits(free_bytes=0), "local": True}
    with Platform(tmp_path, **options) as platform:
        first, second = client(platform).get("/"), client(platform).get("/")
        assert first.json() == second.json()
        assert "set-cookie" not in first.headers
        before = {"cookie": f"{COOKIE}={platform.tokens.issue(new_id('a'))}"}  # its work stays in sight
        assert client(platform, headers=before).get("/").json() != first.json()
        told = [my_work.space(platform, owner, []) for owner in (platform.local_owner, new_id("a"))]
        assert ["Every browser on this computer" in words for words in told] == [True, False]
        assert ["Only this browser" in words for words in told] == [False, True]
    with Platform(tmp_path, **options) as platform:
        assert client(platform).get("/").json() == first.json()
    with Platform(tmp_path, accounts=True, **options) as platform:
        assert client(platform).get("/").headers["location"] == "/login"


def test_forged_tokens_are_nobodys(platform, anns):
    owner, _ = anns
    good = platform.tokens.issue(owner)
    flipped = good[:-9] + ("A" if good[-9] != "A" else "B") + good[-8:]  # the last one has bits to spare
    forged = [Tokens(b"0" * 32).issue(owner), owner, "", "x" * 1000, good.split(".")[0], flipped, good + "x"]
    for token in forged:
        assert identify(platform, {platform.tokens.cookie: token}) is None, token
        answer = client(platform, headers={"cookie": f"{platform.tokens.cookie}={token}"}).get("/")
        assert answer.json()["owner"] != owner
    assert identify(platform, {platform.tokens.cookie: good}) == owner
    assert (
        client(platform, headers={"x-owner": owner, "session_hash": owner}).get("/").json()["owner"] != owner
    )
    no_account = platform.tokens.issue(new_id("u"))
    assert identify(platform, {platform.tokens.cookie: no_account}) is None


def test_result_files_are_served_to_their_owner_only(platform, anns):
    owner, job = anns
    url = result_url(job, "echo.bin")
    ann = client(platform, headers={"cookie": f"{platform.tokens.cookie}={platform.tokens.issue(owner)}"})
    answer = ann.get(url)
    assert (answer.status_code, answer.content) == (200, b"|" + SECRET)
    assert answer.headers["cache-control"] == "private, no-store"
    assert ann.get(url, headers={"range": "bytes=1-4"}).content == SECRET[:4]  # players seek
    assert ann.delete(url).status_code == 405
    stranger = client(platform)
    denied = [
        stranger.get(url),
        stranger.get(result_url(new_id("j"), "echo.bin")),
        ann.get(f"/jobs/{job}/%2e%2e/input/00.bin"),
        ann.get(f"/jobs/{job}/..%2finput%2f00.bin"),
        ann.get(f"/jobs/{job}/"),
        ann.get("/jobs/"),
        ann.get(f"/jobs/{job}/other.bin"),
    ]
    assert {(a.status_code, a.text) for a in denied} == {(404, "There is no such file.")}


def test_headers(platform):
    headers = client(platform).get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"


def test_with_accounts_only_those_who_have_logged_in_get_anything(tmp_path):
    limits = Limits(free_bytes=0)
    with Platform(tmp_path, kinds=platform_tasks.KINDS, accounts=True, limits=limits) as platform:
        owner = platform.accounts.add("ann", GOOD).owner
        visitor = client(platform)
        assert visitor.get("/").headers["location"] == "/login"
        assert visitor.get("/gradio_api/info", headers={"accept": "application/json"}).status_code == 401
        assert visitor.post("/gradio_api/queue/join").status_code == 401
        assert visitor.get("/jobs/x/y", headers={"accept": "*/json"}).status_code == 401
        assert visitor.get("/gradio_api/startup-events").json() == {"owner": None}
        anonymous = {"cookie": f"{platform.tokens.cookie}={platform.tokens.anonymous()[1]}"}
        assert client(platform, headers=anonymous).get("/").headers["location"] == "/login"
        with pytest.raises(LimitError, match="Log in first"):
            platform.submit(new_id("a"), "who", [])

        page = visitor.get("/login")
        assert 'type="password"' in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        wrong = visitor.post("/login", data={"name": "<b>", "password": "wrong password"})
        assert wrong.status_code == 401
        assert "<b>" not in wrong.text
        assert visitor.post("/login", content=b"x" * 5000).status_code == 413
        cross = {"origin": "https://elsewhere.example"}
        right = {"name": "ann", "password": GOOD}
        assert visitor.post("/login", data=right, headers=cross).status_code == 403

        done = visitor.post("/login", data=right)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert visitor.get("/").json() == {"owner": owner}
        assert platform.wait(owner, platform.submit(owner, "who", []), PATIENCE).state == "done"
        kept = visitor.cookies[platform.tokens.cookie]
        platform.accounts.set_password("ann", "four green herons")
        assert visitor.get("/").headers["location"] == "/login"  # a new password ends the session
        assert identify(platform, {platform.tokens.cookie: kept}) is None
        assert visitor.get("/logout").headers["location"] == "/login"
