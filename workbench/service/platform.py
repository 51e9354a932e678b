"""The platform's interface: submit, follow, cancel, fetch, delete.

    with Platform("data") as platform:
        job = platform.submit(owner, "stylize_picture", ["photo.jpg"], {"style": "fsgan_comic"})
        for view in platform.events(owner, job):
            print(view.state, view.share)
        picture = platform.result(owner, job)

Every call names the owner, whom :mod:`workbench.service.identity` has confirmed, and sees that owner's jobs
only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.service import audit, jobs, schema
from workbench.service.accounts import Accounts
from workbench.service.board import ProgressBoard
from workbench.service.database import Database
from workbench.service.engines import Engine, create
from workbench.service.errors import LimitError, StorageError, UnknownJobError, without_paths
from workbench.service.folder import DATABASE, SECRET, lock, tie
from workbench.service.identity import Tokens, read_secret
from workbench.service.limits import Limits, Rate, network
from workbench.service.previews import PreviewRunner
from workbench.service.records import Records, Usage
from workbench.service.storage import ResultFile, Store, is_id, new_id
from workbench.service.tasks import TASKS, Task, as_json
from workbench.service.uploads import NOBODY, Uploads

log = logging.getLogger(__name__)

_CLEAN_UP = 10.0  # seconds between checks for old and too many uploads
_POLL = 2.0  # seconds after which a waiter polls the database


@dataclasses.dataclass(frozen=True)
class JobView:
    """A job as its owner sees it."""

    id: str
    kind: str
    title: str  # name of the upload
    options: dict[str, Any]
    state: str  # "queued", "running", "done", "failed" or "cancelled"
    stopping: bool  # whether it was cancelled and has not ended yet
    share: float  # done, in [0, 1]
    note: str  # what it is doing
    ahead: int  # jobs that were accepted earlier and still wait
    eta: float | None  # estimated seconds to go
    created: float  # UTC seconds
    finished: float | None
    seconds: float  # worker time that it cost
    bytes: int  # on the disk
    attempts: int
    reason: str | None  # why it failed or waits again, or what to know of its result
    files: tuple[ResultFile, ...]  # results, by name

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in schema.FINAL


def default_folder() -> Path:
    """The data folder of this user."""
    import platformdirs

    return Path(platformdirs.user_data_path("painter-psychology-workbench", appauthor=False)) / "platform"


class Platform:
    """The whole service on one data folder. Safe to share between threads.

    Args:
        data: the folder; one running platform each.
        engine: "local", "ray", or an engine that the caller made and closes.
        workers: attempts at a time.
        limits: of rates, sizes and times.
        address: of a Ray cluster; None starts one on this machine.
        database: URL of another database than the folder's own SQLite file.
        kinds: of work on offer.
        accounts: whether only named accounts may submit; anonymous visitors too if not.
        local: whether everybody without an account is one and the same, whose computer this is; for a page
            that only this computer can reach.
        adopt: tie the folder and the database together, whatever they belonged to before.

    Raises:
        StorageError: the folder is in use by another platform, is somebody else's, does not belong to the
            database, or cannot be used.
    """

    def __init__(
        self,
        data: str | os.PathLike,
        engine: str | Engine = "local",
        workers: int = 1,
        limits: Limits | None = None,
        *,
        address: str | None = None,
        database: str | None = None,
        kinds: Mapping[str, Task] = TASKS,
        accounts: bool = False,
        local: bool = False,
        adopt: bool = False,
    ):
        if workers < 1:
            raise WorkbenchError(f"Expected at least 1 worker but got {workers}.")
        self.workers = workers
        self.limits, self.kinds, self.named_only = limits or Limits(), kinds, accounts
        self.store = Store(data)
        self._lock = lock(self.store.root)
        try:
            self.database = Database(database or self.store.root / DATABASE)
            tie(self.store, self.database, adopt)
            self.database.reserve()
            secret = read_secret(self.store.root / SECRET)
            self.tokens = Tokens(secret)
            self.uploads = Uploads(self.store.root, secret, self.limits)
        except BaseException:
            self._lock.release()
            raise
        self.accounts = Accounts(self.database)
        self.local_owner = _local_owner(self.database) if local and not accounts else None
        self._records = Records(self.database, self.limits)
        self._board = ProgressBoard()
        self._by_owner = Rate(self.limits.jobs_per_minute)
        self._by_address = Rate(self.limits.jobs_per_minute_per_address)
        self._denials, self._denials_of_all = Rate(60), Rate(200)
        self._owns_engine = isinstance(engine, str)
        self._engine = create(engine, workers, address=address) if isinstance(engine, str) else engine
        self.previews = PreviewRunner(lambda: self.uploads.result_folder(NOBODY), self.limits)
        self._parts = jobs.Parts(
            self.database, self._records, self.store, self._engine, self.limits, kinds, self._board
        )
        jobs.recover(self._parts)
        self._tidy = time.monotonic()
        self._manager = jobs.JobManager.start(self._parts)
        self._closing = threading.Event()
        threading.Thread(target=self._tick, name="ticker", daemon=True).start()

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        owner: str,
        kind: str,
        inputs: Sequence[str | os.PathLike],
        options: Mapping[str, Any] | None = None,
        title: str | None = None,
        address: str = "",
    ) -> str:
        """Accept a job, or refuse it with a reason. An accepted job is stored on disk and will end.

        Args:
            owner: a confirmed owner id.
            kind: one of the platform's kinds.
            inputs: files to copy; the caller may remove them when this returns.
            options: of the kind; the rest by default.
            title: for the list of jobs; by default the name of the first input.
            address: of the client, for the rate limit; a visitor may have many owner ids.

        Returns:
            The job's id.

        Raises:
            LimitError: too many, too large, too fast. StorageError: no space. UnknownNameError: no such kind.
            WorkbenchError: an option is wrong.
        """
        self._confirm(owner)
        if kind not in self.kinds:
            raise UnknownNameError("kind of work", kind, self.kinds)
        offered = self.kinds[kind]
        checked = as_json(offered.check(options))
        most = max(offered.inputs, offered.max_inputs)
        if not offered.inputs <= len(inputs) <= most:
            wanted = f"{offered.inputs} to {most}" if most > offered.inputs else most
            raise WorkbenchError(f"Expected {wanted} files for {kind} but got {len(inputs)}.")
        place = network(address)
        if place:
            self._by_address.take(place)
        self._by_owner.take(owner)
        usage = self._records.check(owner, address=place)
        self.limits.check_disk(self.store.root)
        job = new_id("j")
        room = self.limits.owner_bytes - usage.bytes
        names, size = self.store.accept(owner, job, inputs, offered.input_bytes, room)
        shown = _plain(title or (Path(inputs[0]).name if inputs else offered.title))
        try:
            row = schema.Job(id=job, owner=owner, address=place, kind=kind, title=shown, state=schema.QUEUED)
            row.options, row.inputs, row.bytes, row.created = checked, names, size, time.time()
            self._records.add(row)
        except BaseException as error:
            self.store.delete(owner, job)
            if isinstance(error, DBAPIError):
                raise StorageError("The job cannot be written down: the disk may be full.") from error
            raise
        self._manager.tell(jobs.WAKE)
        return job

    def jobs(self, owner: str) -> list[JobView]:
        """The owner's jobs, newest first."""
        rows = self._records.list(owner)
        files = self._records.results([row.id for row in rows])
        return [self._view(row, files.get(row.id, [])) for row in rows]

    def job(self, owner: str, job: str) -> JobView:
        """One job. Raises :class:`UnknownJobError` if it is not this owner's, or nobody's."""
        row = self._require_job(owner, job)
        return self._view(row, self._records.results([job]).get(job, []))

    def events(self, owner: str, job: str, every: float = 1.0) -> Iterator[JobView]:
        """The job as it is now, and again whenever something changes, until it has ended.

        Args:
            every: seconds after which it is given again without a change.
        """
        last = None
        with self._board.subscribe(job) as changed:
            while True:
                changed.clear()
                view = self.job(owner, job)
                if view != last:
                    yield view
                    last = view
                if view.ended:
                    return
                changed.wait(every)

    def wait(self, owner: str, job: str, timeout: float | None = None) -> JobView:
        """Wait until a job has ended, or ``timeout`` seconds; the job as it is then."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with self._board.subscribe(job) as changed:
            while True:
                changed.clear()
                view = self.job(owner, job)
                left = deadline - time.monotonic()
                if view.ended or left <= 0:
                    return view
                changed.wait(min(left, _POLL))

    def cancel(self, owner: str, job: str) -> None:
        """Stop a job: at once if it waits, at its next frame if it runs. Ended ones stay as they are."""
        self._require_job(owner, job)
        self._records.cancel(owner, job)
        self._manager.tell(jobs.Cancel(job))
        self._board.notify(job)

    def delete(self, owner: str, job: str) -> None:
        """Remove a job with its files; one that runs is stopped first, and seen by nobody meanwhile."""
        row = self._require_job(owner, job)
        if self._records.delete(owner, job):
            jobs.erase(self._parts, row)
        else:
            self._manager.tell(jobs.Cancel(job))
        self._board.notify(job)

    def result(self, owner: str, job: str, name: str | None = None) -> Path:
        """Path of a finished job's file; of its first unless ``name`` is one of ``JobView.files``.

        Raises:
            UnknownJobError: not this owner's, or no such file. WorkbenchError: it has not been done.
        """
        view = self.job(owner, job)
        if view.state != schema.DONE:
            raise WorkbenchError(
                f"Expected a finished job but it is {view.state}. {view.reason or ''}".strip()
            )
        names = [made.name for made in view.files]
        if name is not None and name not in names:
            self._log_denial(owner, job)
            raise UnknownJobError
        if not names:
            raise WorkbenchError("This job made no file.")
        return self.store.result(owner, job, name or names[0])

    def usage(self, owner: str) -> Usage:
        """Jobs at work and bytes on the disk of an owner."""
        return self._records.usage(owner)

    def counts(self) -> tuple[dict[str, int], float | None]:
        """Jobs by state, and when the one that waits longest was accepted (UTC seconds)."""
        return self._records.counts()

    def is_working(self) -> bool:
        """Whether jobs are being processed."""
        return not self._closing.is_set() and self._manager.is_alive()

    def remove_owner(self, owner: str) -> None:
        """Delete every job of an owner."""
        for row in self._records.list(owner):
            self.delete(owner, row.id)

    def close(self) -> None:
        """Stop. Jobs that run are put back and go on at the next start; it costs them no attempt."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._manager.stop(block=True)
        self.previews.close()
        if self._owns_engine:
            self._engine.close()
        for row in self._records.running():
            self._records.requeue(row.id, "The server was stopped.", 0.0, counts=False)
        self.uploads.close()
        self.database.close()
        self._lock.release()

    def _confirm(self, owner: str) -> None:
        kinds = "u" if self.named_only else "au"
        if not is_id(owner, kinds) or (owner[0] == "u" and self.accounts.name_of(owner) is None):
            raise LimitError("Expected somebody who has logged in. Log in first.")

    def _require_job(self, owner: str, job: str) -> schema.Job:
        try:
            if not (is_id(owner, "au") and is_id(job, "j")):
                raise UnknownJobError
            return self._records.get(owner, job)
        except UnknownJobError:
            self._log_denial(owner, job)
            raise

    def _log_denial(self, owner: str, job: object) -> None:
        """Log a refused access, at a limited rate so that guessing cannot fill the disk."""
        try:
            self._denials_of_all.take("")  # a client without cookies is a new owner at each request
            self._denials.take(str(owner))
        except LimitError:
            return
        with contextlib.suppress(DBAPIError), self.database.write() as session:  # or the disk is full
            audit.note(session, str(owner), "job asked for", str(job), "refused")

    def _view(self, row: schema.Job, files: Sequence[ResultFile]) -> JobView:
        live = self._board.get(row.id) if row.state == schema.RUNNING else None
        share, note, eta = 1.0 if row.state == schema.DONE else 0.0, "", None
        if live is not None:
            share, note = live.share, live.note
            if share > 0:
                eta = (time.monotonic() - live.since) * (1 - share) / share
        return JobView(
            id=row.id,
            kind=row.kind,
            title=row.title,
            options=dict(row.options),
            state=row.state,
            stopping=row.cancel and row.state == schema.RUNNING,
            share=share,
            note=note,
            ahead=self._records.ahead(row) if row.state == schema.QUEUED else 0,
            eta=None if eta is None else round(eta, 1),
            created=row.created,
            finished=row.finished,
            seconds=row.seconds,
            bytes=row.bytes,
            attempts=row.attempts,
            reason=without_paths(row.reason) if row.reason else row.reason,
            files=tuple(files),
        )

    def _tick(self) -> None:
        while not self._closing.wait(jobs.TICK):
            if self._manager.is_alive():
                self._manager.tell(jobs.CLOCK)
            if time.monotonic() - self._tidy > _CLEAN_UP:
                self._tidy = time.monotonic()
                self.uploads.sweep()
                self.uploads.trim()


def _local_owner(database: Database) -> str:
    """The owner of all work without an account on this computer, created once."""
    with database.write() as session:
        row = session.get(schema.Meta, "local_owner")
        if row is None:
            row = schema.Meta(key="local_owner", value=new_id("a"))
            session.add(row)
        return row.value


def _plain(text: str) -> str:
    """One printable line of at most 120 characters."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:120] or "untitled"
