"""One contract, two engines: what every job of every engine does, from acceptance to its end."""

import os
import signal
import sys
import threading
import time
from fractions import Fraction
from types import SimpleNamespace

import platform_tasks
import pytest
from clips import decode, make, packets, read_counter

from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.core.extras import MissingExtraError
from workbench.service.engines import create
from workbench.service.engines.local import LocalEngine
from workbench.service.errors import EngineError, LimitError, StorageError, UnknownJobError
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import new_id

PATIENCE = 300.0  # seconds, on a machine that does other things too


@pytest.fixture(scope="module", params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def engine(request):
    if request.param == "ray":
        pytest.importorskip("ray", reason="Ray is not installed: pip install '.[cluster]'")
    made = create(request.param, 2)
    yield made
    made.close()


def test_an_engine_that_cannot_be_had_is_refused_in_one_line(monkeypatch):
    with pytest.raises(UnknownNameError, match=r"Unknown engine 'cloud'. Known: local, ray"):
        create("cloud", 1)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    for address in ("127.0.0.1:1", "127.0.0.1:99999"):
        with pytest.raises(EngineError, match=f"No Ray cluster answers at {address}") as refusal:
            create("ray", 1, address=address)
        assert "\n" not in str(refusal.value)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"needs ray, which is not installed. Run: pip install"):
        create("ray", 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, engine):
    """URL of the jobs' database, None for the folder's own."""
    if request.param == "sqlite":
        return None
    if not isinstance(engine, LocalEngine):
        pytest.skip("databases and engines know nothing of each other: one engine with each database")
    return request.getfixturevalue("postgres")


@pytest.fixture
def platform(engine, database, tmp_path):
    limits = Limits(cancel_seconds=3.0, free_bytes=0)
    options = {"limits": limits, "kinds": platform_tasks.KINDS, "database": database}
    with Platform(tmp_path / "data", engine, **options) as made:
        yield made


@pytest.fixture
def upload(tmp_path):
    path = tmp_path / "photo.bin"
    path.write_bytes(b"some bytes")
    return path


def until(platform, owner, job, ready):
    """The first view of the job that is ``ready``."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        view = platform.job(owner, job)
        if ready(view) or view.ended:
            return view
        time.sleep(0.02)
    raise AssertionError(f"waited in vain: {view}")


def pid_of(view) -> int:
    return int(view.note.removeprefix("pid "))


def test_a_job_makes_its_result(platform, upload):
    owner = new_id("a")
    job = platform.submit(owner, "echo", [upload], {"text": "hello"}, title="Mine\n")
    view = platform.wait(owner, job, PATIENCE)
    assert (view.state, view.share, view.attempts, view.reason) == ("done", 1.0, 1, None)
    assert view.title == "Mine"
    assert [made.name for made in view.files] == ["echo.bin"]
    assert view.bytes == len(b"some bytes") + len(b"hello|some bytes")
    path = platform.result(owner, job)
    assert path.read_bytes() == b"hello|some bytes"
    assert path.parent.parent.parent.name == owner
    assert sorted(p.name for p in path.parent.parent.iterdir()) == ["input", "result"]
    assert platform.jobs(owner) == [platform.job(owner, job)]


def test_progress_comes_in_order_and_ends(platform):
    owner = new_id("a")
    job = platform.submit(owner, "count", [], {"seconds": 1})
    views = list(platform.events(owner, job))
    assert views[-1].state == "done"
    shares = [view.share for view in views]
    assert shares == sorted(shares)
    assert len({share for share in shares if 0 < share < 1}) >= 3
    assert any(view.eta is not None and 0 < view.eta < 60 for view in views)
    assert all(view.state == "done" for view in platform.events(owner, job))  # ended: once, and over


def test_an_error_of_the_owners_is_told_and_not_tried_again(platform):
    owner = new_id("a")
    view = platform.wait(owner, platform.submit(owner, "refuse", []), PATIENCE)
    assert (view.state, view.attempts) == ("failed", 1)
    assert view.reason == "Expected something else but got this. Try another."
    with pytest.raises(WorkbenchError, match="Expected a finished job but it is failed"):
        platform.result(owner, view.id)


def test_a_bug_is_told_without_its_text(platform):
    owner = new_id("a")
    view = platform.wait(owner, platform.submit(owner, "bug", []), PATIENCE)
    assert view.state == "failed"
    assert "KeyError" in view.reason
    assert "secret" not in view.reason


def test_cancel_stops_at_the_next_step(engine, tmp_path, monkeypatch):
    owner, forced = new_id("a"), []
    limits = Limits(cancel_seconds=PATIENCE, free_bytes=0)
    with Platform(tmp_path / "data", engine, limits=limits, kinds=platform_tasks.KINDS) as platform:
        monkeypatch.setattr(engine, "kill", forced.append)
        job = platform.submit(owner, "count", [], {"seconds": 300})
        until(platform, owner, job, lambda v: v.share > 0)
        platform.cancel(owner, job)
        assert platform.wait(owner, job, PATIENCE).state == "cancelled"
        assert not forced  # it listened
        folder = platform.store.job(owner, job)
        assert list(folder.iterdir()) == [folder / "input"]
        platform.cancel(owner, job)  # has ended: nothing happens
        assert platform.job(owner, job).state == "cancelled"


def test_cancel_by_force_what_does_not_listen(platform):
    owner = new_id("a")
    job = platform.submit(owner, "hang", [])
    until(platform, owner, job, lambda v: v.share > 0)
    platform.cancel(owner, job)
    view = platform.job(owner, job)
    assert view.stopping or view.state == "cancelled"  # shown at once, long before it has stopped
    assert platform.wait(owner, job, PATIENCE).state == "cancelled"
    assert platform.wait(owner, platform.submit(owner, "who", []), PATIENCE).state == "done"


def test_what_hangs_is_stopped(platform):
    owner = new_id("a")
    view = platform.wait(owner, platform.submit(owner, "brief", []), PATIENCE)
    assert (view.state, view.attempts) == ("failed", 1)
    assert view.reason == "It took longer than 1 s and was stopped."


def test_a_killed_worker_is_replaced_and_its_job_done(platform):
    owner = new_id("a")
    job = platform.submit(owner, "count", [], {"seconds": 2})
    first = pid_of(until(platform, owner, job, lambda v: v.note.startswith("pid")))
    os.kill(first, signal.SIGKILL)
    second = until(platform, owner, job, lambda v: v.note.startswith("pid") and pid_of(v) != first)
    assert second.attempts == 2
    view = platform.wait(owner, job, PATIENCE)
    assert (view.state, view.attempts) == ("done", 2)
    assert [made.name for made in view.files] == ["whole.bin"]


def test_what_always_crashes_is_given_up_with_its_reason(platform):
    owner = new_id("a")
    view = platform.wait(owner, platform.submit(owner, "die", []), 2 * PATIENCE)
    assert (view.state, view.attempts) == ("failed", 3)
    assert view.reason.startswith("Given up after 3 attempts: its worker died (")


def test_workers_live_on_between_jobs(platform):
    """No more processes than workers, whatever the number of jobs: the models are loaded once in each."""
    owner = new_id("a")
    pids = set()
    for _ in range(8):
        job = platform.submit(owner, "who", [])
        assert platform.wait(owner, job, PATIENCE).state == "done"
        pids.add(platform.result(owner, job).read_text())
    assert len(pids) <= 2


def test_delete_leaves_nothing(platform, upload):
    owner = new_id("a")
    done = platform.submit(owner, "echo", [upload])
    platform.wait(owner, done, PATIENCE)
    runs = platform.submit(owner, "count", [], {"seconds": 300})
    until(platform, owner, runs, lambda v: v.share > 0)
    for job in (done, runs):
        platform.delete(owner, job)
        with pytest.raises(UnknownJobError):
            platform.job(owner, job)
    assert platform.jobs(owner) == []
    end = time.monotonic() + PATIENCE
    while (platform.store.root / "owners" / owner).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not (platform.store.root / "owners" / owner).exists()
    assert platform.usage(owner).bytes == 0


def test_pieces_are_put_together_in_order(platform, upload):
    owner = new_id("a")
    job = platform.submit(owner, "pieces", [upload])
    assert platform.wait(owner, job, PATIENCE).state == "done"
    assert platform.result(owner, job).read_text() == "0123"


def test_a_film_comes_back_with_every_frame_in_order(platform, tmp_path):
    """Ray draws it in four pieces on two CPUs; the sound is that of the whole."""
    source = make(tmp_path / "film.mp4", 20, options={"g": "5", "sc_threshold": "0"}, audio="aac")
    owner = new_id("a")
    job = platform.submit(owner, "film", [source], {"style": "colormatrix_negative"})
    view = platform.wait(owner, job, PATIENCE)
    assert (view.state, view.attempts) == ("done", 1), view.reason
    result = platform.result(owner, job)
    times, frames = decode(result)
    assert [read_counter(255 - frame) for frame in frames] == list(range(20))
    assert times == [Fraction(number, 25) for number in range(20)]
    assert [data for _, data in packets(result)] == [data for _, data in packets(source)]


def test_many_owners_at_once_stay_apart(platform, tmp_path):
    """Ten owners, five jobs each, from ten threads: each finds its own five results and no other."""
    owners = [new_id("a") for _ in range(10)]
    found = {}

    def use(number, owner):
        upload = tmp_path / f"{number}.bin"
        upload.write_bytes(f"owner {number}".encode())
        ids = [platform.submit(owner, "echo", [upload], {"text": f"{number}.{i}"}) for i in range(5)]
        for job in ids:
            platform.wait(owner, job, PATIENCE)
        found[number] = [platform.result(owner, job).read_text() for job in ids]

    threads = [threading.Thread(target=use, args=pair) for pair in enumerate(owners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [f"{n}.{i}|owner {n}" for i in range(5)] for n in range(10)}
    for owner in owners:
        assert len(platform.jobs(owner)) == 5


def test_refusals_come_before_acceptance(platform, upload, tmp_path):
    owner = new_id("a")
    with pytest.raises(UnknownNameError, match=r"Unknown kind of work 'paint'. Known: brief, bug"):
        platform.submit(owner, "paint", [upload])
    with pytest.raises(WorkbenchError, match=r"Unknown setting 'size'. Known: text."):
        platform.submit(owner, "echo", [upload], {"size": 3})
    with pytest.raises(WorkbenchError, match="Expected seconds to be between 0 and 600 but got nan"):
        platform.submit(owner, "count", [], {"seconds": float("nan")})
    with pytest.raises(WorkbenchError, match="Expected 1 files for echo but got 2"):
        platform.submit(owner, "echo", [upload, upload])
    with pytest.raises(StorageError, match="failed while taking the upload"):
        platform.submit(owner, "echo", [tmp_path / "missing.bin"])
    with pytest.raises(LimitError, match="Log in first"):
        platform.submit("somebody", "echo", [upload])
    assert platform.jobs(owner) == []
    assert list((platform.store.root / "incoming").iterdir()) == []
    assert list((platform.store.root / "owners").iterdir()) == []
