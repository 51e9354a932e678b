"""Whatever is killed, whenever: every accepted job is finished, resumed or failed with its reason."""

import contextlib
import dataclasses
import errno
import multiprocessing
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import platform_tasks
import psutil
import pytest
from sqlalchemy.exc import OperationalError

from workbench.service import jobs
from workbench.service.database import Database
from workbench.service.errors import StorageError
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.records import Records
from workbench.service.storage import Store, new_id

HERE = Path(__file__).parent
PATIENCE = 300.0
LIMITS = Limits(free_bytes=0, active_jobs=300, jobs_per_minute=10_000)


def start(data, **options):
    return Platform(data, kinds=platform_tasks.KINDS, limits=options.pop("limits", LIMITS), **options)


def serve(data, *arguments):
    """A server process that has said that it is ready."""
    server = subprocess.Popen(
        [sys.executable, str(HERE / "service_server.py"), str(data), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
    )
    assert server.stdout.readline() == "ready\n"
    return server


def gone(process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_kill_the_server_and_nothing_is_lost(tmp_path):
    owner = new_id("a")
    server = serve(tmp_path / "data", "1", owner)
    workers = psutil.Process(server.pid).children(recursive=True)
    assert workers
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    psutil.wait_procs(workers, timeout=20)
    assert all(gone(worker) for worker in workers)  # none goes on without its server

    database = Database(tmp_path / "data" / "workbench.db")
    assert database.integrity() == "ok"
    states = sorted(job.state for job in Records(database, LIMITS).list(owner))
    assert states.count("running") == 1
    assert len(states) == 4
    database.close()

    with start(tmp_path / "data", workers=2) as platform:
        views = platform.jobs(owner)
        assert len(views) == 4
        for view in views:
            if view.options.get("seconds") == 600:
                platform.cancel(owner, view.id)
        ends = [platform.wait(owner, view.id, PATIENCE) for view in views]
        assert sorted(view.state for view in ends) == ["cancelled", "cancelled", "done", "done"]
        assert all(view.files for view in ends if view.state == "done")
        left = [p.name for p in platform.store.root.glob("owners/*/*/*")]
        assert set(left) <= {"input", "result"}


def test_a_job_that_takes_the_server_down_every_time_is_given_up(tmp_path):
    owner = new_id("a")
    with start(tmp_path) as platform:
        job = platform.submit(owner, "count", [], {"seconds": 600})
    database = Database(tmp_path / "workbench.db")  # as if killed during its third attempt
    records = Records(database, LIMITS)
    for _ in range(3):
        claimed = records.claim()
        assert claimed.id == job
        if claimed.attempts < 3:
            records.requeue(job, "", 0.0)
    database.close()
    with start(tmp_path) as platform:
        view = platform.job(owner, job)
        assert (view.state, view.reason) == ("failed", "Given up after 3 attempts: the server was stopped.")


def test_a_result_that_was_published_but_not_written_down_is_kept(tmp_path):
    owner = new_id("a")
    with start(tmp_path) as platform:
        job = platform.submit(owner, "count", [], {"seconds": 600})
    database, store = Database(tmp_path / "workbench.db"), Store(tmp_path)
    Records(database, LIMITS).claim()
    attempt = store.attempt(owner, job)
    (attempt / "whole.bin").write_bytes(b"whole")
    store.publish(owner, job, attempt)
    (store.attempt(owner, job) / "half.bin").write_bytes(b"half")  # a straggler
    unknown = new_id("j")
    (tmp_path / "owners" / owner / unknown).mkdir()  # files whose row was never written
    (tmp_path / "incoming" / secrets.token_hex(16)).mkdir()
    database.close()
    with start(tmp_path) as platform:
        assert platform.job(owner, job).state == "done"
        assert platform.result(owner, job).read_bytes() == b"whole"
        assert [p.name for p in (tmp_path / "owners" / owner).iterdir()] == [job]
        assert [p.name for p in (tmp_path / "owners" / owner / job).iterdir()].count("result") == 1
        assert not list(tmp_path.glob("owners/*/*/try-*"))
        assert not list((tmp_path / "incoming").iterdir())
        assert [p.name for p in tmp_path.glob("quarantine/*/*/*")] == [unknown]


def test_a_clean_stop_costs_no_attempt(tmp_path):
    owner = new_id("a")
    with start(tmp_path) as platform:
        job = platform.submit(owner, "count", [], {"seconds": 1})
        end = time.monotonic() + PATIENCE
        while platform.job(owner, job).share == 0 and time.monotonic() < end:
            time.sleep(0.01)
    with start(tmp_path) as platform:
        view = platform.wait(owner, job, PATIENCE)
        assert (view.state, view.attempts) == ("done", 1)


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux only")
def test_where_memory_ends_the_worker_goes_and_not_the_server(tmp_path):
    owner = new_id("a")
    with start(tmp_path) as platform:
        job = platform.submit(owner, "who", [])
        platform.wait(owner, job, PATIENCE)
        worker = platform.result(owner, job).read_text()
        score = int(Path(f"/proc/{worker}/oom_score_adj").read_text())
    assert score >= int(Path("/proc/self/oom_score_adj").read_text()) + 300


def test_one_server_a_folder(tmp_path):
    with start(tmp_path), pytest.raises(StorageError, match="in use by another server"):
        start(tmp_path)
    start(tmp_path).close()  # given free again


def test_workers_killed_at_random_times(tmp_path):
    """Fifteen jobs while a killer runs: each ends, no result is half, the database is whole."""
    rng, owner = random.Random(0), new_id("a")
    with start(tmp_path, workers=2) as platform:
        ids = [platform.submit(owner, "count", [], {"seconds": 0.4}) for _ in range(15)]
        stop = threading.Event()

        def kill():
            for _ in range(4):
                if stop.wait(rng.uniform(0.5, 1.5)):
                    return
                with contextlib.suppress(psutil.Error):  # one that has just died by itself
                    workers = [
                        p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())
                    ]
                    if workers:
                        rng.choice(workers).kill()

        killer = threading.Thread(target=kill)
        killer.start()
        views = [platform.wait(owner, job, PATIENCE) for job in ids]
        stop.set()
        killer.join()
        for view in views:
            assert view.state == "done" or view.reason.startswith("Given up after 3 attempts")
            assert [made.name for made in view.files] == (["whole.bin"] if view.state == "done" else [])
        assert sum(view.state == "done" for view in views) >= 12
        assert platform.database.integrity() == "ok"
        assert not list(platform.store.root.glob("owners/*/*/try-*"))


def test_a_worker_that_does_not_start_is_started_again(tmp_path, monkeypatch):
    """Killed meanwhile, what it should do is written into a pipe that nobody reads; or there is a bug."""
    process = multiprocessing.get_context("spawn").Process
    real, failures = process.start, [BrokenPipeError(), BlockingIOError(), AttributeError("a bug")]

    def start_process(self):
        if failures:
            raise failures.pop()
        real(self)

    monkeypatch.setattr(process, "start", start_process)
    owner = new_id("a")
    with start(tmp_path) as platform:
        view = platform.wait(owner, platform.submit(owner, "who", []), PATIENCE)
        assert (view.state, view.attempts, failures) == ("done", 1, [])


def test_an_engine_that_says_nothing_keeps_no_job_for_ever(tmp_path, monkeypatch):
    """Neither of a job that hangs nor, once killed, that it has ended."""
    monkeypatch.setattr(jobs, "KILL_TIMEOUT", 0.3)

    class Deaf:
        capacity = 1

        def start(self, work, report): ...
        def cancel(self, attempt): ...
        def kill(self, attempt): ...
        def close(self): ...

    owner, limits = new_id("a"), dataclasses.replace(LIMITS, stall_seconds=0.2, cancel_seconds=0.2)
    with start(tmp_path, engine=Deaf(), limits=limits) as platform:
        view = platform.wait(owner, platform.submit(owner, "who", []), PATIENCE)
        assert (view.state, view.reason) == ("failed", "It made no progress for 0.2 s and was stopped.")
        job = platform.submit(owner, "who", [])
        platform.cancel(owner, job)
        assert platform.wait(owner, job, PATIENCE).state == "cancelled"


def test_an_attempt_ends_once_however_slow_the_database_is(tmp_path, monkeypatch):
    """Looks at the clock that wait meanwhile do not end it again, when the next attempt runs already."""
    owner, real = new_id("a"), Records.requeue

    def requeue(self, *arguments, **options):
        real(self, *arguments, **options)
        time.sleep(1.0)

    monkeypatch.setattr(Records, "requeue", requeue)
    with start(tmp_path, workers=2) as platform:
        job = platform.submit(owner, "count", [], {"seconds": 3})
        end = time.monotonic() + PATIENCE
        while not (note := platform.job(owner, job).note).startswith("pid") and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(int(note.removeprefix("pid ")), signal.SIGKILL)
        view = platform.wait(owner, job, PATIENCE)
        assert (view.state, view.attempts) == ("done", 2)


def test_a_supervisor_that_dies_is_a_crash_of_its_attempt(tmp_path, monkeypatch):
    owner, real = new_id("a"), jobs.JobActor.ended
    failures = iter([RuntimeError("a bug in the actor")])

    def ended(self, message):
        for failure in failures:
            raise failure
        real(self, message)

    monkeypatch.setattr(jobs.JobActor, "ended", ended)
    with start(tmp_path) as platform:
        view = platform.wait(owner, platform.submit(owner, "who", []), PATIENCE)
        assert (view.state, view.attempts) == ("done", 2)
        assert platform.wait(owner, platform.submit(owner, "who", []), PATIENCE).state == "done"


def test_a_database_that_takes_nothing_for_a_while(tmp_path, monkeypatch):
    """A full disk when a job ends: its end is written as soon as there is room."""
    owner, real, refusals = new_id("a"), Records.finish, []

    def finish(self, *arguments):
        if len(refusals) < 3:
            refusals.append(1)
            raise OperationalError("COMMIT", {}, Exception("database or disk is full"))
        return real(self, *arguments)

    monkeypatch.setattr(Records, "finish", finish)
    with start(tmp_path) as platform:
        view = platform.wait(owner, platform.submit(owner, "who", []), PATIENCE)
        assert (view.state, view.attempts, len(refusals)) == ("done", 1, 3)


def test_a_database_that_is_away_for_a_while_stops_no_work(tmp_path, monkeypatch):
    """While a job runs, nobody can look up how much room its owner has."""
    owner = new_id("a")

    def away(self, *_):
        raise OperationalError("SELECT", {}, Exception("server closed the connection unexpectedly"))

    with start(tmp_path) as platform:
        job = platform.submit(owner, "count", [], {"seconds": 4})
        with monkeypatch.context() as patch:
            patch.setattr(Records, "usage", away)
            view = platform.wait(owner, job, PATIENCE)
        assert (view.state, view.attempts) == ("done", 1)


def test_no_space_for_an_upload(tmp_path, monkeypatch):
    """Refused in one line, and nothing of it stays."""
    (tmp_path / "in.bin").write_bytes(b"x")
    with start(tmp_path / "data") as platform:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageError, match="The disk is full while taking the upload"):
                platform.submit(new_id("a"), "echo", [tmp_path / "in.bin"])
        assert not list(platform.store.root.glob("incoming/*"))
        assert not list(platform.store.root.glob("owners/*"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB in memory; skipped where one may not be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("needs the right to mount a small file system; ENOSPC by hand is tested above")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder], capture_output=True)
    if done.returncode:
        pytest.skip("a small file system cannot be mounted here; ENOSPC by hand is tested above")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up(small_disk, tmp_path):
    owner, upload = new_id("a"), tmp_path / "in.bin"
    upload.write_bytes(bytes(900_000))
    with start(small_disk) as platform:
        view = platform.wait(owner, platform.submit(owner, "full", [], {"megabytes": 100}), PATIENCE)
        assert (view.state, view.attempts) == ("failed", 1)
        assert view.reason == "The disk is full. Delete old jobs, or come back later."
        assert platform.store.free() > 8_000_000  # the attempt's bytes are gone again

        accepted = []
        refusal = None
        for _ in range(20):
            try:
                accepted.append(platform.submit(owner, "echo", [upload]))
            except StorageError as error:
                refusal = str(error)
                break
        assert refusal is not None
        assert "full" in refusal
        ends = [platform.wait(owner, job, PATIENCE) for job in accepted]
        assert {v.state for v in ends} <= {"done", "failed"}
        for view in ends:
            if view.state == "done":
                assert platform.result(owner, view.id).stat().st_size == 900_001
            else:
                assert "full" in view.reason
        for job in accepted:
            platform.delete(owner, job)
        job = platform.submit(owner, "echo", [upload])  # room again
        assert platform.wait(owner, job, PATIENCE).state == "done"
        assert platform.database.integrity() == "ok"


def test_nothing_is_taken_when_the_disk_is_nearly_full(tmp_path):
    with (
        start(tmp_path, limits=Limits(free_bytes=2**62)) as platform,
        pytest.raises(StorageError, match="disk is nearly full"),
    ):
        platform.submit(new_id("a"), "who", [])
