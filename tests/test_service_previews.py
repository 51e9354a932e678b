"""Tasks for somebody who waits: in turn, small before large, stopped when nobody waits, and each apart."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import platform_tasks
import pytest
from clips import make

from workbench.core.errors import CancelledError, UnknownNameError, WorkbenchError
from workbench.service import video_tasks
from workbench.service.engines.worker import Context, run_task
from workbench.service.errors import LimitError
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.previews import LARGE, QUICK, PreviewRunner
from workbench.service.storage import new_id
from workbench.service.tasks import TASKS, WARM_UP, as_json
from workbench.styles.options import VideoLimits

PATIENCE = 120.0
TASK = platform_tasks.KINDS


def no_folder():
    raise AssertionError("everything has somebody who waits for it")


@pytest.fixture(scope="module")
def runner():
    made = PreviewRunner(no_folder, Limits(cancel_seconds=1.0), threads=1)
    yield made
    made.close()


@pytest.fixture
def start(runner, tmp_path):
    """Start a task by name; what a test leaves running is stopped."""
    begun = []

    def one(task, options=None, inputs=(), owner="a", **who):
        task = TASK[task] if isinstance(task, str) else task
        out = tmp_path / f"out{len(begun)}"
        out.mkdir(exist_ok=True)
        begun.append(runner.start(task, inputs, options, out, owner, **who))
        return begun[-1]

    yield one
    for preview in begun:
        preview.cancel()


def until(ready):
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_result_and_words_on_the_way(start):
    preview = start("count", {"seconds": 0.5})
    said = set()
    until(lambda: said.add(preview.note) or preview.ended)
    assert (preview.result() / "whole.bin").read_bytes() == b"half"
    assert any(note.startswith("pid") for note in said)
    assert preview.share == 1


def test_what_brings_its_worker_down_is_told_to_its_owner_and_harms_nobody(start, tmp_path):
    """A decoder that reads where it must not, and one that ends its process: all others live."""
    upload = tmp_path / "evil.png"
    upload.write_bytes(b"x")
    evil = start("crash", inputs=[upload], owner="evil"), start("die", owner="evil")
    good = [start("who", owner=f"good{number}") for number in range(3)]
    for preview in evil:
        with pytest.raises(WorkbenchError, match=r"crashed the worker \(its worker died \(signal SIG"):
            preview.result(PATIENCE)
        assert not preview.work.out.exists()
    for preview in good:
        assert int((preview.result(PATIENCE) / "who.txt").read_text()) != os.getpid()


def test_a_refusal_is_told_word_by_word_and_a_bug_without_its_text(start):
    with pytest.raises(WorkbenchError, match=r"Expected something else but got this. Try another\."):
        start("refuse").result(PATIENCE)
    with pytest.raises(WorkbenchError, match="KeyError") as told:
        start("bug").result(PATIENCE)
    assert "secret" not in str(told.value)


def test_what_takes_too_long_is_stopped(start):
    with pytest.raises(WorkbenchError, match="longer than 1 s"):
        start("brief").result(PATIENCE)


def test_small_ones_do_not_wait_for_a_large_one(start):
    """What says that it takes long moves to another worker, and the quick one goes on."""
    large = start("take_time", {"seconds": 300})
    until(lambda: large.share > 0)
    assert large.lane == LARGE
    for number in range(3):
        small = start("count", {"seconds": 0.1}, owner=f"b{number}")
        small.result(PATIENCE)
        assert small.lane == QUICK
    assert not large.ended
    next_large = start("take_time", {"seconds": 0.1})
    until(lambda: next_large.lane == LARGE)
    assert next_large.words == "1 picture before yours"
    large.cancel()
    next_large.result(PATIENCE)


def test_owners_are_served_in_turn(start):
    """Five of one do not hold up the one of another, who came last; and each is told how many come before."""
    first = start("count", {"seconds": 0.5}, owner="greedy")
    until(lambda: first.share > 0)
    many = [start("count", {"seconds": 0.3}, owner="greedy") for _ in range(5)]
    one = start("who", owner="modest")
    assert one.words == "1 picture before yours"  # the one that runs
    assert many[0].words == "2 pictures before yours"
    one.result(PATIENCE)
    assert not any(preview.ended for preview in many)


def test_the_address_counts_before_the_owner(start):
    """A visitor with a new cookie for each request is one visitor."""
    first = start("count", {"seconds": 0.5}, owner="x0", address="1.1.1.1")
    until(lambda: first.share > 0)
    many = [start("count", {"seconds": 0.3}, owner=f"x{n}", address="1.1.1.1") for n in range(1, 6)]
    one = start("who", owner="modest", address="2.2.2.2")
    one.result(PATIENCE)
    assert not any(preview.ended for preview in many)


@pytest.mark.parametrize("first", ["1.1.1.1", "2001:db8::1"])
def test_nobody_waits_for_more_than_his_share(tmp_path, first):
    second = first.replace("db8::1", "db8::2")  # the same customer's
    runner = PreviewRunner(
        no_folder, Limits(previews=2, previews_per_address=3, previews_in_total=4), threads=1
    )
    try:

        def ask(owner, address):
            out = tmp_path / f"{owner}{time.monotonic_ns()}"
            out.mkdir()
            return runner.start(TASK["hang"], (), None, out, owner, address)

        mine = [ask("a", first), ask("a", second)]
        with pytest.raises(LimitError, match="You wait for 2 pictures, which is the most"):
            ask("a", "2")
        ask("b", second)
        with pytest.raises(LimitError, match="Too many people are waiting"):
            ask("c", first)
        ask("c", "2")
        with pytest.raises(LimitError, match="Too many people are waiting"):
            ask("d", "3")
        mine[1].cancel()
        ask("d", "3")
    finally:
        runner.close()


def test_who_leaves_is_waited_for_by_nobody(runner, start):
    """A closed page: what runs ends at its next step, what waits is never begun; other pages go on."""
    first = start("count", {"seconds": 300}, owner="a", page="closed")
    until(lambda: first.share > 0)
    second = start("count", {"seconds": 300}, owner="a", page="closed")
    other = start("who", owner="a", page="open")
    stranger = start("who", owner="b", page="closed")  # another visitor's page cannot be closed by its name
    runner.stop_page("a", "closed")
    for preview in (first, second):
        with pytest.raises(CancelledError):
            preview.result(0)
    other.result(PATIENCE)
    stranger.result(PATIENCE)
    until(lambda: not first.work.out.exists())
    assert not second.work.out.exists()


def test_what_does_not_listen_is_stopped_by_force(start):
    deaf = start("hang")
    until(lambda: deaf.share > 0)
    deaf.cancel()
    assert deaf.ended  # a sign at once
    start("who", owner="next").result(PATIENCE)


def test_a_cancelled_coroutine_stops_its_task(start):
    """As when a caller breaks off a call."""

    async def wait():
        with start("count", {"seconds": 300}) as preview:
            while not await preview.wait(0.1):
                if preview.share > 0:
                    asyncio.current_task().cancel()
        return preview

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(wait())
    start("who", owner="next").result(PATIENCE)


def test_refusals_come_before_any_work(start, tmp_path):
    upload = tmp_path / "large.bin"
    upload.write_bytes(b"x" * 1_000_001)
    with pytest.raises(LimitError, match="at most 1 MB"):
        start("echo", inputs=[upload])
    with pytest.raises(WorkbenchError, match="Unknown setting 'size'"):
        start("count", {"size": 1})


def test_nothing_is_begun_on_a_server_that_stops(tmp_path):
    runner = PreviewRunner(no_folder, threads=1)
    hangs = runner.start(TASK["hang"], (), None, tmp_path / "a")
    runner.close()
    with pytest.raises(WorkbenchError, match="is being stopped"):
        hangs.result(0)
    with pytest.raises(WorkbenchError, match="is being stopped"):
        runner.start(TASK["who"], (), None, tmp_path)


def test_a_killed_server_leaves_nothing_of_its_previews(tmp_path):
    code = """
import os, signal, sys, time
import platform_tasks
from workbench.service.platform import Platform
platform = Platform(sys.argv[1])
out = platform.uploads.result_folder("somebody")
preview = platform.previews.start(platform_tasks.KINDS["count"], (), {"seconds": 600}, out)
while not (out / "half.bin").exists():
    time.sleep(0.01)
print(out, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    out = Path(killed.stdout.strip())
    assert killed.returncode == -signal.SIGKILL
    assert (out / "half.bin").is_file()
    with Platform(tmp_path):
        assert not out.exists()
        assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_options_survive_the_database(task):
    """What is written down of a job is what its task takes again."""
    chosen = task.check()
    assert task.check(as_json(chosen)) == chosen
    assert not [name for name in as_json(chosen) if name.startswith("_")]


def test_a_large_photo_takes_the_lane_of_large_ones(runner, start, tmp_path):
    from PIL import Image

    paths = []
    for name, size in (("small", (40, 30)), ("large", (2000, 1200))):
        paths.append(tmp_path / f"{name}.png")
        Image.new("RGB", size, "red").save(paths[-1])
    options = {"style": "colormatrix_warm", "compare": True}
    small, large = (start(TASKS["stylize_picture"], options, [path]) for path in paths)
    small.result(PATIENCE)
    made = large.result(PATIENCE)
    assert (small.lane, large.lane) == (QUICK, LARGE)
    with Image.open(made / "picture.png") as whole, Image.open(made / "after.jpg") as shown:
        assert (whole.size, shown.size) == ((2000, 1200), (1600, 960))


@pytest.mark.parametrize("what", ["drawing", "reading"])
def test_the_usual_models_are_loaded_in_advance_and_leave_nothing(what, tmp_path):
    context = Context(tmp_path / "out")
    context.out.mkdir()
    assert run_task(WARM_UP.run, (), WARM_UP.check({"what": what}), context) == ("done", "")
    assert not context.out.exists()


def test_the_device_of_the_server_is_that_of_its_workers(start, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    runner = PreviewRunner(no_folder, threads=1)
    try:
        task = dataclasses.replace(TASK["who"], run="platform_tasks:device")
        folder = runner.start(task, (), None, Path(tmp_path)).result(PATIENCE)
        assert (folder / "device.txt").read_text() == "cpu"
    finally:
        runner.close()


def test_the_servers_limits_of_a_film_hold_whatever_a_visitor_asks(tmp_path):
    clip = make(tmp_path / "clip.mp4")
    limits = Limits(free_bytes=0, film=VideoLimits(max_pixels=64 * 48 - 1))
    owner, words = new_id("a"), "has 64×48. Export it with smaller frames, or start the workbench"
    with Platform(tmp_path / "data", limits=limits) as platform:
        job = platform.submit(owner, "stylize_video", [clip], {"style": "affine_tilt", "scale": 0.25})
        for kind, options in (("video_facts", {}), ("preview_video", {"style": "affine_tilt"})):
            waiting = platform.previews.start(TASKS[kind], [clip], options, tmp_path / kind)
            with pytest.raises(WorkbenchError, match=words):
                waiting.result(PATIENCE)
        with pytest.raises(UnknownNameError):
            platform.submit(owner, "stylize_video", [clip], {"_limits": {"max_pixels": 10**9}})
        ended = platform.wait(owner, job, PATIENCE)
        assert (ended.state, words in ended.reason) == ("failed", True)


def test_larger_limits_of_a_server_let_a_film_through(tmp_path):
    clip = make(tmp_path / "clip.mp4", 30)
    film = VideoLimits(max_pixels=64 * 48, max_frames=30)
    options = TASKS["preview_video"].check({"style": "affine_tilt", "at": 1.0}, Limits(film=film))
    made = Context(tmp_path)
    assert run_task(TASKS["preview_video"].run, (clip,), options, made) == ("done", "")
    narrow = TASKS["stylize_video"].check({"temporal": 0.0}, Limits(film=VideoLimits(max_frames=29)))
    with pytest.raises(WorkbenchError, match=r"at most 29 frames but clip\.mp4 has 30"):
        video_tasks.split((clip,), narrow)
