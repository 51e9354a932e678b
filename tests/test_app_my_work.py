"""The tab "My work" from outside: each visitor's own jobs, to watch, open, cancel and delete."""

from __future__ import annotations

import re
import time

import clips
import pytest

from workbench.core.errors import WorkbenchError
from workbench.service.engines.local import LocalEngine
from workbench.service.limits import Limits
from workbench.service.platform import JobView, Platform
from workbench.service.storage import ResultFile
from workbench.ui import job_card, launch, my_work

gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")

FILTER = "colormatrix_warm"
PATIENCE = 240.0
PASSWORDS = {"ann": "three blue herons", "bob": "seven green frogs"}


@pytest.fixture(scope="module")
def engine():
    """One worker for all platforms of this file: it is dear to start."""
    made = LocalEngine(1)
    yield made
    made.close()


def serve(folder, engine, **options):
    limits = Limits(free_bytes=0, jobs_per_minute=10_000)
    platform = Platform(folder, engine, limits=limits, **options)
    return platform, launch(port=None, platform=platform)


@pytest.fixture(scope="module")
def served(tmp_path_factory, engine):
    platform, blocks = serve(tmp_path_factory.mktemp("data"), engine)
    yield platform, blocks
    blocks.close()
    platform.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return clips.make(tmp_path_factory.mktemp("clips") / "a <b> clip.mp4", 8)


def visitor(page, folder, **options):
    return gradio_client.Client(page.local_url, verbose=False, download_files=str(folder), **options)


def submit(client, path) -> str:
    file = gradio_client.handle_file(str(path))
    return client.predict(file, FILTER, 1, 1, 0, api_name="/submit_video")


def mine(client):
    return client.predict(api_name="/my_jobs")


def ended(client, job):
    while (found := next(j for j in mine(client) if j["id"] == job))["state"] in ("queued", "running"):
        time.sleep(0.1)
    return found


def fetch(page, client, address):
    return httpx.get(page.local_url.rstrip("/") + address, cookies=client.cookies)


def check_that_it_is_anns_alone(page, ann, bob, clip):
    job = submit(ann, clip)
    found = ended(ann, job)
    assert found["state"] == "done", found
    address = found["files"]["video.mp4"]
    assert fetch(page, ann, address).content[4:8] == b"ftyp"
    assert [j["id"] for j in mine(bob)] == []
    answers = {fetch(page, bob, a).text for a in (address, address.replace(job, "j" + 32 * "0"))}
    assert answers == {"There is no such file."}
    for name in ("cancel_job", "delete_job"):
        said = set()
        for asked in (job, "j" + 32 * "0", "../.."):
            with pytest.raises(gradio_client.exceptions.AppError) as caught:
                bob.predict(asked, api_name=f"/{name}")
            said.add(str(caught.value))
        assert said == {"Not done: There is no such job. Look at the list of your own jobs."}
    assert mine(ann)[0]["state"] == "done"
    ann.predict(job, api_name="/delete_job")
    assert mine(ann) == []
    assert fetch(page, ann, address).status_code == 404


@pytest.mark.slow
def test_two_sessions_see_their_own_work_only(served, clip, tmp_path):
    platform, page = served
    ann, bob = (visitor(page, tmp_path / name) for name in PASSWORDS)
    assert ann.cookies != bob.cookies
    check_that_it_is_anns_alone(page, ann, bob, clip)
    forged = dict(ann.cookies)
    forged[platform.tokens.cookie] = forged[platform.tokens.cookie][:-9] + "xxxxxxxxx"
    thief = visitor(page, tmp_path / "thief", httpx_kwargs={"cookies": forged})
    submit(ann, clip)
    assert mine(thief) == []


@pytest.mark.slow
def test_two_accounts_see_their_own_work_only(clip, tmp_path, engine):
    platform, page = serve(tmp_path / "data", engine, accounts=True)
    try:
        clients = []
        for name, password in PASSWORDS.items():
            platform.accounts.add(name, password)
            answer = httpx.post(page.local_url + "login", data={"name": name, "password": password})
            cookies = dict(answer.cookies)
            clients.append(visitor(page, tmp_path / name, httpx_kwargs={"cookies": cookies}))
        assert httpx.get(page.local_url + "config").status_code == 401
        check_that_it_is_anns_alone(page, *clients, clip)
        job = submit(clients[1], clip)
        ended(clients[1], job)
        owner = platform.tokens.read(clients[1].cookies[platform.tokens.cookie])[0]
        line = my_work.space(platform, owner, platform.jobs(owner))
        assert "Logged in as <strong>bob</strong>" in line
        assert "1 job, " in line
    finally:
        page.close()
        platform.close()


@pytest.mark.slow
def test_a_job_is_cancelled_by_its_owner(served, clip, tmp_path):
    _, page = served
    client = visitor(page, tmp_path)
    first, second = submit(client, clip), submit(client, clip)
    assert client.predict(second, api_name="/cancel_job")["state"] in ("cancelled", "running", "done")
    assert ended(client, second)["state"] in ("cancelled", "done")
    assert [j["id"] for j in mine(client)] == [second, first]  # newest first


def view(**changes):
    fields = {
        "id": "j" + 32 * "a",
        "kind": "stylize_video",
        "title": '"><img src=x onerror=alert(1)>.mp4',
        "options": {"style": FILTER, "strength": 0.5, "scale": 0.5, "temporal": 0.5},
        "state": "running",
        "stopping": False,
        "share": 0.25,
        "note": "30 of 120 frames",
        "ahead": 0,
        "eta": 90.0,
        "created": 0.0,
        "finished": None,
        "seconds": 0.0,
        "bytes": 2_100_000,
        "attempts": 1,
        "reason": None,
        "files": (),
    }
    return JobView(**(fields | changes))


def test_cards_say_it_in_words():
    running = my_work.card(view())
    assert "At work" in running
    assert "30 of 120 frames · about 1 min 30 s left" in running
    assert 'value="0.250"' in running
    assert "strength 0.5 · 50 % of the size · steadiness 0.5" in running
    assert 'data-action="cancel"' in running
    assert 'data-action="delete"' not in running
    stopping = my_work.card(view(stopping=True))  # said at once, before the frame in hand is done
    assert "Stopping" in stopping
    assert "Waiting, 2 ahead" in my_work.card(view(state="queued", share=0.0, ahead=2))
    failed = my_work.card(view(state="failed", reason="<b>Expected</b> a video.", finished=1.0))
    assert "<strong>Not drawn:</strong> &lt;b&gt;Expected&lt;/b&gt; a video." in failed
    remarked = {"state": "done", "reason": "1 passed over: a.txt.", "finished": 1.0}
    assert "<strong>Drawn, but:</strong> 1 passed over" in my_work.card(view(**remarked))
    assert "<strong>Read, but:</strong> 1 passed over" in my_work.card(view(kind="read_pictures", **remarked))
    files = (ResultFile("video.mp4", 9, ""), ResultFile("video.thumb.jpg", 9, ""))
    done = my_work.card(view(state="done", files=files, seconds=75.0, title="a.mov"))
    address = f"/jobs/j{32 * 'a'}/video"
    assert f'<img src="{address}.thumb.jpg"' in done
    assert f'href="{address}.mp4" download="a-{FILTER}.mp4"' in done
    assert f'data-src="{address}.mp4" data-media="video"' in done
    assert "1 min 15 s of work · 2.1 MB" in done
    sheet = (ResultFile("readings.thumb.jpg", 9, ""), ResultFile("dictionary.csv", 9, ""))
    sheet += (ResultFile("readings.csv", 9, ""), ResultFile("report.html", 9, ""))
    model = {"model": "mood_statistics"}
    read = view(state="done", kind="read_pictures", files=sheet, title="a.zip", options=model)
    read = my_work.card(read)
    assert 'class="row"' in read  # a long row of pictures is shown from its beginning
    names = re.findall(r'download="a-(\S+)"', read)  # what to look at first, what explains the rest last
    assert names == ["mood_statistics.html", "readings.csv", "dictionary.csv"], names
    for page in (running, failed, done):
        assert "<img src=x" not in page


def test_any_result_that_a_browser_shows_can_be_opened():
    def looked_at(*names):
        files = tuple(ResultFile(name, 9, "") for name in names)
        found = job_card.main_result(view(state="done", files=files))
        return found and (found[0].rpartition("/")[2], found[1])

    assert looked_at("drawings.thumb.jpg", "drawings.zip") == ("drawings.thumb.jpg", "img")
    assert looked_at("map.csv", "map.html", "map.thumb.jpg") == ("map.html", "iframe")
    assert looked_at("after.jpg", "before.jpg", "facts.json") == ("after.jpg", "img")
    assert looked_at("reading.json") is None


def test_jobs_are_filtered_sorted_and_paged():
    many = [
        view(id=f"j{n:032x}", title=f"{chr(122 - n)}.mov", created=float(n), bytes=n, state=state)
        for n, state in enumerate(["done", "failed", "running"] * 5)
    ]
    titles = [v.title[0] for v in my_work.arrange(many, state="done", order="name")]
    assert titles == sorted(v.title[0] for v in many if v.state == "done")
    assert [v.bytes for v in my_work.arrange(many, order="largest")] == list(range(14, -1, -1))
    assert my_work.arrange(many, order="newest") == my_work.arrange(many, order="oldest")[::-1]
    assert [v.state for v in my_work.arrange(many, state="stopped")] == ["failed"] * 5
    assert my_work.arrange(many, kind="map_pictures") == []
    with pytest.raises(WorkbenchError, match="from the lists"):
        my_work.arrange(many, order="; drop table")
    first, last = (my_work.gallery(many, page) for page in (0, 99))  # past the end is the last page
    assert (first.count("<li "), last.count("<li ")) == (12, 3)
    assert "1 of 2" in first
    assert "2 of 2" in last
    assert "No job is like that" in my_work.gallery([], has_others=True)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.6, "1 min"), (80, "1 min 20 s"), (700, "11 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds, words):
    assert job_card.duration(seconds) == words


def test_sizes():
    assert [job_card.size(n) for n in (0, 340_000, 2_000_000, 1.25e9)] == ["0 kB", "340 kB", "2 MB", "1.2 GB"]


# the page in a browser


@pytest.mark.browser
@pytest.mark.slow
def test_the_chosen_jobs_are_deleted_together(context, served, clip):
    platform, page = served
    tab = context.new_page()
    tab.goto(f"{page.local_url}#work")
    tab.wait_for_selector("#work-jobs .empty")
    cookie = next(c["value"] for c in context.cookies() if c["name"] == platform.tokens.cookie)
    owner = platform.tokens.read(cookie)[0]
    jobs = [
        platform.submit(owner, "stylize_video", [clip], {"style": FILTER}, title=f"{n:02}.mp4")
        for n in range(my_work.PAGE + 1)
    ]
    for job in jobs:
        assert platform.wait(owner, job, PATIENCE).ended
    tab.reload()
    tab.wait_for_function(f"document.querySelectorAll('#work-jobs .job').length === {my_work.PAGE}")
    tab.get_by_role("button", name="Later page").click()
    tab.wait_for_function("document.querySelectorAll('#work-jobs .job').length === 1")
    assert tab.inner_text("#work-jobs h3") == "00.mp4"  # the oldest
    tab.get_by_role("button", name="Earlier page").click()
    tab.wait_for_function(f"document.querySelectorAll('#work-jobs .job').length === {my_work.PAGE}")
    tab.get_by_label("Choose: 12.mp4").check()
    tab.get_by_label("All on this page").check()
    tab.get_by_label("Choose: 12.mp4").uncheck()
    tab.get_by_role("button", name="Delete the chosen").click()
    tab.wait_for_selector(f"text=Delete {my_work.PAGE - 1} jobs?")
    tab.get_by_role("button", name="Delete for good").click()
    tab.wait_for_function("document.querySelectorAll('#work-jobs .job').length === 2")
    assert [v.title for v in platform.jobs(owner)] == ["12.mp4", "00.mp4"]


@pytest.mark.browser
@pytest.mark.slow
def test_my_work_in_the_browser(tab, context, served, clip):
    platform, page = served
    tab.goto(f"{page.local_url}#work")
    tab.wait_for_selector("#work-jobs .empty")
    cookie = next(c["value"] for c in tab.context.cookies() if c["name"] == platform.tokens.cookie)
    owner = platform.tokens.read(cookie)[0]
    job = platform.submit(owner, "stylize_video", [clip], {"style": FILTER}, title="<b>clip</b>.mp4")
    tab.click("#about-button")
    tab.click("#work-button")  # sees the job, and from here on looks for itself
    tab.wait_for_selector("#work-jobs .pill.done")
    tab.wait_for_function("document.querySelector('#work-jobs .job-look img').naturalWidth > 0")
    assert tab.inner_text("#work-jobs h3") == "<b>clip</b>.mp4"
    found = pytest.importorskip("axe_playwright_python.sync_playwright").Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()

    stranger = context.new_page()
    stranger.goto(f"{page.local_url}#work")
    stranger.wait_for_selector("#work-jobs .empty")
    address = f"{page.local_url}jobs/{job}/video.mp4"
    assert stranger.request.get(address).status == 404
    assert tab.request.get(address).status == 200

    tab.get_by_role("button", name="Open: <b>clip</b>.mp4").click()
    tab.wait_for_function("document.querySelector('#job-show video').videoWidth === 64")
    tab.keyboard.press("Escape")
    for answer, left in (("Keep", 1), ("Delete for good", 0)):
        tab.get_by_role("button", name="Delete: <b>clip</b>.mp4").click()
        tab.get_by_role("button", name=answer).click()
        tab.wait_for_function(f"document.querySelectorAll('#work-jobs .job').length === {left}")
    assert platform.jobs(owner) == []
