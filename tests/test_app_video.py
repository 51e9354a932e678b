"""The tab "Redraw a video" from outside: its API through gradio_client, its page through a real browser."""

from __future__ import annotations

import time
from pathlib import Path

import clips
import numpy as np
import pytest
from browsing import hold_next

from workbench.core.errors import WorkbenchError
from workbench.service.storage import new_id
from workbench.service.tasks import TASKS
from workbench.styles.stylize import DEFAULT_STYLE
from workbench.ui import job_panel, video

gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")

FILTER = "colormatrix_warm"
KIND = "stylize_video"
PATIENCE = 240.0
LONG = 400  # frames: more than a network draws before it is told to stop


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return clips.make(tmp_path_factory.mktemp("clips") / "short.mp4", 8)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A clip that takes a while to draw."""
    options = {"preset": "ultrafast", "g": "250"}
    return clips.make(tmp_path_factory.mktemp("clips") / "long.mp4", LONG, (320, 240), options=options)


def visitor(page, folder):
    return gradio_client.Client(page.local_url, verbose=False, download_files=str(folder))


def ask(client, path, style=FILTER, strength=1, scale=1, steadiness=0, api_name="/stylize_video"):
    return client.submit(
        gradio_client.handle_file(str(path)),
        style,
        strength,
        scale,
        steadiness,
        api_name=api_name,
    )


def refusal(client, *arguments, **options) -> str:
    """The one line with which a call is refused."""
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        ask(client, *arguments, **options).result(PATIENCE)
    assert "\n" not in str(caught.value)
    assert "verbose error reporting" not in str(caught.value)
    return str(caught.value)


def jobs_of(client):
    return client.predict(api_name="/my_jobs")


@pytest.mark.slow
def test_a_video_is_drawn_and_bad_ones_are_refused_in_words(page, short, tmp_path):
    client = visitor(page, tmp_path)
    asked = ask(client, short)
    result = Path(asked.result(PATIENCE))
    assert result.name == f"short-{FILTER}.mp4"
    _, before = clips.decode(short)
    times, after = clips.decode(result)
    assert [clips.read_counter(frame) for frame in after] == list(range(8))
    assert float(times[-1]) == pytest.approx(7 / 25)
    assert np.abs(after[5].astype(int) - before[5]).mean() > 2  # warmer than it was
    job = jobs_of(client)[0]
    assert (job["state"], job["title"], job["options"]["style"]) == ("done", "short.mp4", FILTER)
    assert list(job["files"]) == ["video.mp4"]

    text, sound = tmp_path / "text.mp4", tmp_path / "still.mp4"
    text.write_text("<b>not a video</b>")
    sound.write_bytes(short.read_bytes()[:200])
    assert "text.mp4 is not one" in refusal(client, text)
    assert "still.mp4 is not one" in refusal(client, sound)
    assert "Unknown style 'nosuch'" in refusal(client, short, "nosuch")
    assert "strength to be between 0 and 1" in refusal(client, short, strength=2)
    assert "scale to be a number" in refusal(client, short, scale="large")
    assert "temporal to be between 0 and 0.99" in refusal(client, short, steadiness=-1)
    inside = httpx.post(
        f"{page.local_url}gradio_api/call/submit_video",
        json={"data": [{"path": __file__}, FILTER, 1, 1, 0]},
    ).json()["event_id"]
    answer = httpx.get(f"{page.local_url}gradio_api/call/submit_video/{inside}", timeout=60).text
    assert "event: error" in answer
    assert len(jobs_of(client)) == 1


@pytest.mark.slow
def test_progress_and_cancelling_the_call(page, platform, long, tmp_path):
    client = visitor(page, tmp_path)
    asked = ask(client, long, DEFAULT_STYLE)
    seen = set()
    while not any(0.001 < share < 1 for share in seen):
        assert not asked.done()
        time.sleep(0.05)
        data = asked.status().progress_data
        seen |= {unit.progress for unit in data or () if unit.progress is not None}
    asked.cancel()
    job = wait_for_end(client)
    assert (job["state"], job["files"]) == ("cancelled", {})


def wait_for_end(client, number=0):
    while (job := jobs_of(client)[number])["state"] in ("queued", "running"):
        time.sleep(0.1)
    return job


def test_the_estimate_is_in_words():
    facts = {"frames": 1000}
    drawn = {"seconds_a_frame": 0.25, "width": 640, "height": 360}
    assert video.estimate(facts, drawn) == "About **4 min 13 s** for 1,000 frames at 640 × 360 px."
    assert "choose a smaller size" in video.estimate({"frames": 100_000}, drawn)
    assert "does not say how many" in video.estimate({"frames": None}, drawn)


@pytest.mark.slow
def test_the_frame_to_try_is_what_the_job_draws(platform, tmp_path):
    """The one at that time, drawn as the job will draw it."""
    from PIL import Image

    clip = clips.make(tmp_path / "clip.mp4", 50)
    for seconds, number in ((0.0, 0), (0.4, 10), (1.0, 25), (9.0, 49)):
        options = {"style": FILTER, "strength": 0.0, "scale": 1.0, "temporal": 0.5, "at": seconds}
        out = tmp_path / f"at{number}"
        out.mkdir()
        platform.previews.start(TASKS["preview_video"], [clip], options, out).result(PATIENCE)
        with Image.open(out / "after.jpg") as after:
            assert clips.read_counter(np.asarray(after)) == number
    with pytest.raises(WorkbenchError, match="is not one"):
        platform.previews.start(TASKS["video_facts"], [__file__], None, tmp_path / "none").result(PATIENCE)


# the page in a browser


@pytest.mark.browser
@pytest.mark.slow
def test_redraw_a_video_in_the_browser(tab, page, short, long, tmp_path):
    tab.goto(f"{page.local_url}#video")
    bad = tmp_path / "bad.mp4"
    bad.write_text("not a video")
    tab.set_input_files("#video-input input[type=file]", str(bad))
    tab.wait_for_selector("text=bad.mp4 is not one")
    assert not tab.get_by_text("not playable").count()  # the player's own words, which say less
    tab.reload()
    tab.wait_for_selector("#video-input input[type=file]", state="attached")
    tab.set_input_files("#video-input input[type=file]", str(long))
    tab.wait_for_selector("#video-preview img")
    tab.wait_for_function(
        "document.querySelector('#video-estimate').innerText.includes('for 400 frames at 320')"
    )
    tab.get_by_role("button", name="Draw the video").click()
    tab.wait_for_selector("#video-job .pill.running")
    tab.reload()  # loses nothing
    tab.wait_for_function("/of 400 frames/.test(document.querySelector('#video-job')?.innerText)")
    share = float(tab.get_attribute("#video-job progress", "value"))
    assert 0 <= share < 1
    tab.get_by_role("button", name="Cancel: long.mp4").click()
    tab.wait_for_selector("#video-job .pill.cancelled")
    tab.locator("#video-input").get_by_role("button", name="Clear").click()  # the long one came back, too
    tab.set_input_files("#video-input input[type=file]", str(short))
    tab.wait_for_selector("#video-facts:has-text('short.mp4')")
    tab.get_by_role("button", name="Draw the video").click()
    tab.wait_for_selector("#video-job video")
    tab.wait_for_function("document.querySelector('#video-job video').videoWidth === 64")  # it plays here
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download: short.mp4").click()
    assert download.value.suggested_filename == "short-fsgan_comic.mp4"
    _, frames = clips.decode(download.value.path())
    assert len(frames) == 8


@pytest.mark.browser
@pytest.mark.slow
def test_the_frame_to_try_is_that_of_the_last_video_chosen(context, page, short, long):
    tab = context.new_page()
    tab.goto(f"{page.local_url}#video")
    until_held, let_go = hold_next(tab, page, "try_frame")
    tab.set_input_files("#video-input input[type=file]", str(long))
    tab.wait_for_selector("#video-facts:has-text('long.mp4')")
    until_held()
    tab.locator("#video-input").get_by_role("button", name="Clear").click()
    tab.set_input_files("#video-input input[type=file]", str(short))
    tab.wait_for_selector("#video-facts:has-text('short.mp4')")
    tab.wait_for_timeout(1000)  # a frame of the second is asked for, too
    let_go()
    tab.wait_for_function("document.querySelector('#video-preview img')?.naturalWidth === 64")


@pytest.mark.browser
@pytest.mark.slow
def test_a_job_steadier_than_the_slider_goes_shows_its_end(context, page, platform, short):
    """A program may ask for more, and the page would refuse a number that its slider does not have."""
    tab = context.new_page()
    tab.goto(f"{page.local_url}#video")
    cookie = next(c["value"] for c in context.cookies() if c["name"] == platform.tokens.cookie)
    owner = platform.tokens.read(cookie)[0]
    platform.submit(owner, "stylize_video", [short], {"style": FILTER, "strength": 0.5, "temporal": 0.97})
    tab.reload()
    tab.wait_for_selector("#video-job .pill")
    for name, value in (("Strength", "0.5"), ("Steadiness", "0.9")):
        one = f"one.ariaLabel.includes('{name}') && one.value === '{value}'"
        tab.wait_for_function(f"[...document.querySelectorAll('input[type=number]')].some(one => {one})")


def test_nobody_is_shown_the_video_of_another(platform, short):
    owner, other = new_id("a"), new_id("a")
    job = platform.submit(owner, "stylize_video", [short], {"style": FILTER})
    assert job_panel.in_hand(platform, owner, None, KIND).id == job
    assert job_panel.in_hand(platform, other, None, KIND) is None
    assert job_panel.in_hand(platform, other, job, KIND) is None
    platform.delete(owner, job)
    assert job_panel.in_hand(platform, owner, job, KIND) is None
