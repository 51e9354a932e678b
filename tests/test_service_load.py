"""Two hundred jobs of twenty people at once, what they cost, and a page behind the gate."""

import csv
import subprocess
import sys
import threading

import httpx
import numpy as np
import platform_tasks
import pytest
from PIL import Image

from workbench.core.errors import VideoError
from workbench.service import loadtest
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import is_id, new_id

PATIENCE = 300.0


def test_200_jobs_of_20_owners_at_once(tmp_path):
    """Each of twenty threads finds its own ten results, byte by byte, and no other."""
    with Platform(tmp_path / "data", workers=2, limits=loadtest.LIMITS, kinds=loadtest.KINDS) as platform:
        warm = new_id("a")
        platform.wait(warm, platform.submit(warm, "rest", [], {"seconds": 0}), PATIENCE)
        found = loadtest.throughput(platform, 200, tmp_path)
        assert found["jobs_mixed_up_or_lost"] == 0
        assert found["jobs_per_second"] > 1
        assert found["server_mb_peak"] - found["server_mb_before"] < 100
        assert found["workers_mb_peak"] < 2 * 150  # two small processes, whatever the number of jobs
        assert platform.database.integrity() == "ok"
        assert len([*platform.store.root.glob("owners/*/*/result/echo.bin")]) == 200


def test_a_queue_costs_no_memory_and_is_served_in_turn(tmp_path):
    """Waiting jobs are rows; the one of another owner does not wait for all of them."""
    limits = Limits(active_jobs=500, jobs_per_minute=1000, free_bytes=0)
    before = threading.active_count()
    with Platform(tmp_path, workers=1, limits=limits, kinds=platform_tasks.KINDS) as platform:
        greedy, modest = new_id("a"), new_id("a")
        many = [platform.submit(greedy, "count", [], {"seconds": 0.2}) for _ in range(100)]
        one = platform.submit(modest, "who", [])
        assert platform.job(greedy, many[-1]).ahead >= 20
        view = platform.wait(modest, one, PATIENCE)
        assert view.state == "done"
        ends = [platform.job(greedy, job).finished for job in many]
        assert sum(end is not None and view.created < end < view.finished for end in ends) <= 2
        assert ends.count(None) >= 20
        assert threading.active_count() - before < 20  # an actor for each job that runs, not that waits


def test_the_service_loads_nothing_heavy():
    code = (
        "import sys, workbench.service.platform, workbench.service.web\n"
        "import workbench.service.engines.local, workbench.service.engines.cluster\n"
        "import workbench.service.loadtest\n"
        "print(*{'torch', 'gradio', 'ray', 'cv2', 'av', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A platform with the real kinds of work, and a picture."""
    folder = tmp_path_factory.mktemp("real")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC).save(folder / "photo.jpg")
    with Platform(folder / "data", limits=Limits(free_bytes=0)) as platform:
        yield platform, folder / "photo.jpg"


@pytest.mark.slow
def test_real_work(real):
    import json

    from workbench.data.images import read_image
    from workbench.data.moods import MOODS
    from workbench.styles.stylize import stylize

    platform, photo = real
    owner = new_id("a")
    drawn = platform.submit(owner, "stylize_picture", [photo], {"strength": 0.5})
    read = platform.submit(owner, "classify_picture", [photo])
    wrong = platform.submit(owner, "stylize_picture", [photo], {"style": "none_such"})
    text = photo.with_name("text.png")
    text.write_text("no picture")
    unreadable = platform.submit(owner, "stylize_picture", [text])
    assert platform.wait(owner, drawn, PATIENCE).state == "done"
    result = np.asarray(Image.open(platform.result(owner, drawn)))
    expected = np.asarray(stylize(read_image(photo), strength=0.5))
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert platform.wait(owner, read, PATIENCE).state == "done"
    reading = json.loads(platform.result(owner, read).read_text())
    assert set(reading["probabilities"]) == set(MOODS)
    reason = platform.wait(owner, wrong, PATIENCE).reason
    assert "'none_such'" in reason
    assert "fsgan_comic" in reason
    refused = platform.wait(owner, unreadable, PATIENCE)
    assert (refused.state, refused.attempts) == ("failed", 1)
    assert refused.reason.startswith("Expected 00.png to be a picture")


@pytest.mark.slow
def test_real_video(real, tmp_path, monkeypatch):
    """A clip redrawn whole, and in pieces that are put together: the same frames."""
    import av

    from workbench.service import video_tasks
    from workbench.service.engines.worker import Context
    from workbench.service.tasks import FilmOptions

    platform, _ = real
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            pixels = np.full((48, 64, 3), 10 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    owner = new_id("a")
    preview = platform.submit(owner, "preview_video", [clip], {"style": "colormatrix_sepia"})
    job = platform.submit(owner, "stylize_video", [clip], {"style": "colormatrix_sepia"})
    view = platform.wait(owner, preview, PATIENCE)
    assert [made.name for made in view.files] == ["after.jpg", "before.jpg", "facts.json"], view.reason
    view = platform.wait(owner, job, PATIENCE)
    assert view.state == "done", view.reason

    def levels(path):
        with av.open(str(path)) as container:
            return [round(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]

    whole = levels(platform.result(owner, job))
    assert len(whole) == 20

    options = FilmOptions(**platform.job(owner, job).options)
    monkeypatch.setattr(video_tasks, "CHUNK_FRAMES", 5)
    pieces = video_tasks.split((clip,), options)
    assert len(pieces) == 4
    parts = []
    for number, piece in enumerate(pieces):
        parts.append(tmp_path / f"part{number}")
        parts[-1].mkdir()
        video_tasks.stylize((clip,), piece, Context(parts[-1]))
    out = tmp_path / "out"
    out.mkdir()
    video_tasks.join((clip,), pieces, parts, Context(out))
    assert np.abs(np.subtract(levels(out / "video.mp4"), whole)).max() <= 2
    with pytest.raises(VideoError, match="4 pieces of a film but number 3 does not say which"):
        video_tasks.join((clip,), [*pieces[:2], options, pieces[3]], parts, Context(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


OWNER = new_id("a")


def drawn(platform, clip, **options):
    return platform.wait(OWNER, platform.submit(OWNER, "stylize_video", [clip], options), PATIENCE)


@pytest.mark.slow
def test_a_film_that_was_cut_off_says_so(real, tmp_path):
    """A third of the file is missing: what is there is drawn, and the owner is told what is not."""
    import clips

    platform, _ = real
    whole = clips.make(tmp_path / "whole.mp4", 100, container_options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    view = drawn(platform, cut, style="colormatrix_sepia")
    frames = len(clips.decode(platform.result(OWNER, view.id, "video.mp4"))[1])
    assert view.state == "done"
    assert 10 < frames < 90
    assert f"{frames} frames of the 100 that it announces could be read" in view.reason
    assert drawn(platform, whole, style="colormatrix_sepia").reason is None


@pytest.mark.slow
def test_a_film_that_shows_nobody_says_so_in_the_portrait_style(real, tmp_path):
    import clips

    platform, _ = real
    clip = clips.make(tmp_path / "nobody.mp4", 5)
    view = drawn(platform, clip, style="drawn_portrait")
    assert view.state == "done"
    assert view.reason.startswith(
        "Expected a face but found none in the film, so the film was drawn as a scene."
    )
    assert drawn(platform, clip, style="colormatrix_sepia", strength=0).reason is None  # as it was asked for


@pytest.mark.slow
def test_the_page_behind_the_gate(real, monkeypatch):
    from workbench.ui import launch

    platform, _ = real
    prepared = []
    monkeypatch.setattr(type(platform.previews), "prepare", lambda self: prepared.append(self))
    page = launch("127.0.0.1", None, platform=platform)
    try:
        assert prepared == [platform.previews]  # before the first visitor needs the usual models
        first = httpx.get(page.local_url)
        assert first.status_code == 200
        owner = platform.tokens.read(first.cookies[platform.tokens.cookie])[0]
        assert is_id(owner, "a")
        assert first.headers["x-content-type-options"] == "nosniff"
        again = httpx.get(page.local_url + "config", cookies=dict(first.cookies))
        assert again.status_code == 200
        assert "set-cookie" not in again.headers
    finally:
        page.close()


@pytest.mark.slow
def test_the_load_test_writes_every_figure_once(tmp_path, monkeypatch):
    for figure in ("overhead", "beside_a_large_one"):  # they load the model
        monkeypatch.setattr(loadtest, figure, lambda *_: {"added_seconds": 0.0})
    for _ in range(2):
        loadtest.measure(tmp_path / "platform.csv", "local", workers=1, jobs=20)
    with (tmp_path / "platform.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [(row["figure"], row["quantity"]) for row in rows]
    assert len(names) == len(set(names))
    assert {figure for figure, _ in names} == {
        "throughput",
        "queued memory",
        "overhead",
        "small beside large",
        "recovery",
    }
    values = {row["quantity"]: float(row["value"]) for row in rows}
    assert values["jobs_mixed_up_or_lost"] == 0
    assert values["queued_jobs"] == 20
    assert 0 < values["restart_seconds"] < values["restart_to_work_seconds"]
    loads = [float(row["value"]) for row in rows if row["quantity"] == "load_average_before"]
    assert loadtest.load_before(tmp_path / "platform.csv") == max(loads) >= 0
    assert len(loads) == 5


@pytest.fixture(scope="module")
def page_figures():
    pytest.importorskip("gradio")
    from workbench.ui.loadtest import Load, figures

    return list(figures(1, Load(clients=3, pictures=2, side=64, rounds=2, idle=20)).values())


@pytest.mark.slow
def test_a_crowd_on_the_page_is_measured(page_figures, tmp_path):
    found = page_figures[0](tmp_path)
    assert (found["pictures"], found["pictures_mixed_up"]) == (6, 0)
    assert 0 < found["median_seconds"] <= found["p95_seconds"]
    assert found["pictures_per_second"] > 0


@pytest.mark.slow
def test_what_the_page_holds_after_each_round_is_measured(page_figures, tmp_path):
    found = page_figures[1](tmp_path)
    for number in (1, 2):
        assert found[f"server_mb_{number}"] > 50
        assert found[f"files_{number}"] > found[f"connections_{number}"] >= 0


@pytest.mark.slow
def test_idle_connections_are_held_until_their_deadline(page_figures, tmp_path):
    found = page_figures[2](tmp_path)
    assert found["connections_held"] >= 20
    assert found["files_meanwhile"] > found["files_before"]
    assert found["connections_held_after_deadline"] < 5


@pytest.mark.slow
def test_the_page_survives_every_fault(page_figures, tmp_path):
    found = page_figures[3](tmp_path)
    assert found["faults_survived"] == found["faults"] > 5, found
