"""The job manager and one supervised actor per running job ensure that every accepted job ends.

The queue is the job table, so it costs no memory and survives any crash. The manager claims as many jobs as
the engine has workers and spawns an actor for each. A :class:`JobActor` supervises one attempt: it forwards
progress, cancels, stops what hangs, and publishes the result or the reason for its failure. If the actor
itself dies, the manager treats that as a crash of the attempt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import pykka
from sqlalchemy.exc import SQLAlchemyError

from workbench.core.errors import WorkbenchError
from workbench.service import accounts, audit
from workbench.service.board import JobProgress, ProgressBoard
from workbench.service.database import Database
from workbench.service.engines import Ended, Engine, Progress, Work
from workbench.service.errors import StorageError
from workbench.service.limits import Limits
from workbench.service.records import Records
from workbench.service.schema import CANCELLED, DONE, FAILED, Job
from workbench.service.storage import Store
from workbench.service.tasks import Task

log = logging.getLogger(__name__)

TICK = 0.25  # seconds between checks of deadlines
_SIZE_CHECK = 2.0  # seconds between checks of the size of an attempt's files
SEARCH_SECONDS, CLEAN_SECONDS = 10.0, 600.0  # seconds between checks for lost jobs, and for old ones
KILL_TIMEOUT = 30.0  # seconds within which an engine must report the end of a killed attempt
_NOT_OFFERED = "The server no longer offers this kind of work."


@dataclasses.dataclass(frozen=True)
class Parts:
    """Components that the manager and the actors share."""

    database: Database
    records: Records
    store: Store
    engine: Engine
    limits: Limits
    kinds: Mapping[str, Task]
    board: ProgressBoard


@dataclasses.dataclass(frozen=True)
class Cancel:
    """Stop this job."""

    job: str


@dataclasses.dataclass(frozen=True)
class _Over:
    """A job's actor has finished, or has died of ``failure``."""

    job: str
    attempt: str
    failure: str = ""


WAKE, CLOCK = "wake", "tick"


class JobActor(pykka.ThreadingActor):
    """Supervises one attempt of one job until its end."""

    use_daemon_thread = True

    def __init__(self, parts: Parts, job: Job, attempt: str, over: Callable[[_Over], None]):
        super().__init__()
        self._parts, self._job, self._attempt, self._over = parts, job, attempt, over
        self._kind = parts.kinds[job.kind]
        self._cancelling: float | None = None  # since when
        self._stopped = ""  # why we killed the attempt
        self._killed = 0.0  # and when, monotonic time
        self._unwritten: Callable[[], Any] | None = None  # the change that is not in the database yet
        self._is_over = False  # whether it is

    def on_start(self) -> None:
        self._started = self._heard = self._weighed = time.monotonic()
        parts, job = self._parts, self._job
        try:
            # the options may have been written by an earlier version
            chosen = self._kind.check(job.options, parts.limits)
            self._folder = parts.store.attempt(job.owner, job.id)
        except WorkbenchError as error:
            reason = str(error)
            self._write(lambda: parts.records.finish(job.id, FAILED, reason, 0.0))
            return
        work = Work(
            self._attempt,
            self._kind.run,
            tuple(parts.store.inputs(job.owner, job.id, job.inputs)),
            chosen,
            self._folder,
            split=self._kind.split,
            join=self._kind.join,
        )
        parts.board.put(job.id, JobProgress(0.0, "Starting", self._started))
        parts.engine.start(work, self._on_message)
        if job.cancel:
            self._ask_to_stop()

    def on_receive(self, message: Any) -> None:
        if self._is_over:  # late messages are ignored: the next attempt may already run
            return
        if self._unwritten is not None:  # the attempt has ended, but the database could not be written
            self._write(self._unwritten)
            return
        match message:
            case Progress():
                self._heard = time.monotonic()
                self._parts.board.put(self._job.id, JobProgress(message.share, message.note, self._started))
            case Ended():
                self.ended(message)
            case Cancel():
                self._ask_to_stop()
            case _ if message == CLOCK:
                self._check_deadlines()

    def on_failure(self, exception_type, exception_value, traceback) -> None:
        log.error("a job's actor died", exc_info=(exception_type, exception_value, traceback))
        self._over(_Over(self._job.id, self._attempt, exception_type.__name__))

    def _on_message(self, message: Progress | Ended) -> None:
        with contextlib.suppress(pykka.ActorDeadError):
            self.actor_ref.tell(message)

    def _ask_to_stop(self) -> None:
        if self._cancelling is None:
            self._cancelling = time.monotonic()
            self._parts.engine.cancel(self._attempt)

    def _check_deadlines(self) -> None:
        now, limits = time.monotonic(), self._parts.limits
        if self._stopped:
            if now - self._killed > KILL_TIMEOUT:  # the worker cannot be killed: give up
                log.error("%s did not end after it was killed", self._attempt)
                self.ended(Ended(self._attempt, "crashed", self._stopped, now - self._started))
            return
        if self._cancelling is not None and now - self._cancelling > limits.cancel_seconds:
            self._stopped = "cancelled"
        elif now - self._started > self._kind.seconds:
            self._stopped = f"It took longer than {self._kind.seconds:g} s and was stopped."
        elif now - self._heard > limits.stall_seconds:
            self._stopped = f"It made no progress for {limits.stall_seconds:g} s and was stopped."
        elif now - self._weighed > _SIZE_CHECK:
            self._weighed = now
            self._stopped = self._no_room() or self._no_disk()
        if self._stopped:
            self._killed = now
            self._parts.engine.kill(self._attempt)

    def _no_room(self) -> str:
        """The reason to stop if the result is larger than the owner's remaining space, else ""."""
        room = math.inf
        with contextlib.suppress(SQLAlchemyError):  # an unavailable database does not stop the work
            room = self._parts.limits.owner_bytes - self._parts.records.usage(self._job.owner).bytes
        if self._parts.store.size_of(self._folder) <= room:
            return ""
        return (
            f"Its result is larger than the {max(room, 0) / 1e6:.4g} MB that are left of your space. Delete "
            "old jobs, or ask for less."
        )

    def _no_disk(self) -> str:
        try:
            self._parts.limits.check_disk(self._parts.store.root)
        except StorageError as error:
            return str(error)
        return ""

    def ended(self, ended: Ended) -> None:
        parts, job = self._parts, self._job
        if ended.outcome == "done" and (reason := self._no_room()):
            self._end(FAILED, reason, ended.seconds)
        elif ended.outcome == "done":
            try:
                made, remark = parts.store.publish(job.owner, job.id, self._folder), ended.reason or None
            except StorageError as error:
                self._end(FAILED, str(error), ended.seconds)
            else:
                self._write(lambda: parts.records.finish(job.id, DONE, remark, ended.seconds, made))
        elif self._cancelling is not None and ended.outcome in ("cancelled", "crashed"):
            self._end(CANCELLED, None, ended.seconds)
        elif self._stopped or ended.outcome != "crashed":
            self._end(FAILED, self._stopped or ended.reason, ended.seconds)
        else:
            parts.store.discard(self._folder)
            self._write(lambda: retry_or_fail(parts, job, ended.reason, ended.seconds))

    def _end(self, state: str, reason: str | None, seconds: float) -> None:
        parts, job = self._parts, self._job
        parts.store.discard(self._folder)
        self._write(lambda: parts.records.finish(job.id, state, reason, seconds))

    def _write(self, change: Callable[[], Any]) -> None:
        """Write the end of the attempt to the database; if that fails (full disk), again at every tick."""
        self._unwritten = change
        try:
            gone = change()
        except SQLAlchemyError:
            log.exception("the end of %s is not written yet", self._job.id)
            return
        self._is_over = True
        if gone:
            erase(self._parts, self._job)
        self._parts.board.drop(self._job.id)
        self._over(_Over(self._job.id, self._attempt))
        self.stop()


class JobManager(pykka.ThreadingActor):
    """Claims waiting jobs, spawns their actors and supervises them. It survives any exception."""

    use_daemon_thread = True

    def __init__(self, parts: Parts):
        super().__init__()
        self._parts = parts
        self._live: dict[str, tuple[pykka.ActorRef, Job, str]] = {}
        self._cleaned = self._searched = time.monotonic()
        self._is_reserved = True

    def on_receive(self, message: Any) -> None:
        try:
            self._receive(message)
        except Exception:  # the root of supervision must survive; the next tick retries
            log.exception("the job manager could not handle %r", message)

    def _receive(self, message: Any) -> None:
        match message:
            case _Over(job, attempt, failure) if job in self._live and self._live[job][2] == attempt:
                _, row, _ = self._live.pop(job)
                if failure:
                    self._handle_death(row, attempt, failure)
            case Cancel(job) if job in self._live:
                with contextlib.suppress(pykka.ActorDeadError):
                    self._live[job][0].tell(message)
            case _ if message == CLOCK:
                self._tick()
        self._claim()

    def _tick(self) -> None:
        for actor, row, attempt in list(self._live.values()):
            try:
                actor.tell(CLOCK)
            except pykka.ActorDeadError:  # died without a message
                if self._live.pop(row.id, None):
                    self._handle_death(row, attempt, "died")
        now = time.monotonic()
        if now - self._searched > SEARCH_SECONDS or not self._is_reserved:
            self._searched, self._is_reserved = now, False  # until checked
            self._is_reserved = self._parts.database.is_reserved()
            if not self._is_reserved:
                log.error("another server works on the database: no more jobs are begun here")
                return
            for row in self._parts.records.running():
                if row.id not in self._live:  # its end could not be written, for instance on a full disk
                    retry_or_fail(self._parts, row, "its supervisor was lost", 0.0)
            for row in self._parts.records.orphaned():  # its account was removed
                if self._parts.records.delete(row.owner, row.id):
                    erase(self._parts, row)
                elif row.id in self._live:
                    self._live[row.id][0].tell(Cancel(row.id))
        if now - self._cleaned > CLEAN_SECONDS:
            self._cleaned = now
            clean(self._parts)

    def _claim(self) -> None:
        parts = self._parts
        most = parts.engine.capacity if self._is_reserved else 0
        while len(self._live) < most and (job := parts.records.claim()):
            if job.kind not in parts.kinds:
                parts.records.finish(job.id, FAILED, _NOT_OFFERED, 0.0)
                continue
            attempt = f"{job.id}-{job.attempts}-{secrets.token_hex(4)}"
            self._live[job.id] = (JobActor.start(parts, job, attempt, self._tell), job, attempt)

    def on_stop(self) -> None:
        for actor, _, _ in self._live.values():
            actor.stop(block=True, timeout=10)

    def _handle_death(self, job: Job, attempt: str, failure: str) -> None:
        self._parts.engine.kill(attempt)
        retry_or_fail(self._parts, job, f"its supervisor died ({failure})", 0.0)
        self._parts.board.drop(job.id)

    def _tell(self, message: _Over) -> None:
        with contextlib.suppress(pykka.ActorDeadError):
            self.actor_ref.tell(message)


def retry_or_fail(parts: Parts, job: Job, reason: str, seconds: float) -> bool:
    """Queue a job again after a crash, or fail it after its last attempt; whether it was deleted."""
    if job.attempts < parts.limits.attempts:
        parts.records.requeue(job.id, f"Tried again: {reason}.", seconds)
        return False
    times = "attempt" if job.attempts == 1 else "attempts"
    return parts.records.finish(job.id, FAILED, f"Given up after {job.attempts} {times}: {reason}.", seconds)


def erase(parts: Parts, job: Job) -> None:
    """Remove a job, its files first: a row that remains is removed at the next cleaning, while files without
    a row would be quarantined.
    """
    parts.store.delete(job.owner, job.id)
    parts.records.erase(job.id)


def clean(parts: Parts) -> None:
    """Erase deleted and expired jobs, and old lines of the audit log.

    While the clock may be wrong, nothing is removed because of its age.
    """
    now = time.time()
    jumped = parts.records.clock_has_jumped(now)
    for job in parts.records.to_erase(now, by_age=not jumped):
        erase(parts, job)
    if jumped:
        log.warning("the clock was changed by more than a day: nothing expires for one more day")
    else:
        audit.prune(parts.database, now)
        accounts.prune(parts.database, now)


def recover(parts: Parts) -> None:
    """Reconcile database and files after an unclean shutdown, before any job starts."""
    for job in parts.records.running():
        made = parts.store.made(job.owner, job.id)
        if made is not None:  # killed between the rename and the row
            parts.records.finish(job.id, DONE, None, 0.0, made)
        elif job.kind not in parts.kinds:
            parts.records.finish(job.id, FAILED, _NOT_OFFERED, 0.0)
        elif job.cancel:
            parts.records.finish(job.id, CANCELLED, None, 0.0)
        else:
            retry_or_fail(parts, job, "the server was stopped", 0.0)
    clean(parts)
    quarantine = parts.store.sweep(parts.records.known())
    if quarantine is not None:
        log.warning("jobs that the database does not know were moved to %s", quarantine)
