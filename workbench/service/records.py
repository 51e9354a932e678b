"""Jobs in the database: every change of state is one transaction of this module."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

import sqlalchemy as sql
from sqlalchemy.orm import Session

from workbench.service import audit
from workbench.service.database import Database
from workbench.service.errors import LimitError, UnknownJobError
from workbench.service.limits import Limits
from workbench.service.schema import ACTIVE, CANCELLED, FINAL, QUEUED, RUNNING, Job, Meta, Result, User
from workbench.service.storage import ResultFile

_DAY = 86400.0


@dataclasses.dataclass(frozen=True)
class Usage:
    """Current use by an owner, and the length of the queue."""

    active: int
    bytes: int
    queued_by_all: int


class Records:
    """The job table."""

    def __init__(self, database: Database, limits: Limits):
        self._database, self._limits = database, limits

    def usage(self, owner: str, session: Session | None = None) -> Usage:
        """Jobs and bytes of an owner."""
        if session is None:
            with self._database.read() as opened:
                return self.usage(owner, opened)
        mine = sql.select(
            sql.func.count().filter(Job.state.in_(ACTIVE)), sql.func.coalesce(sql.func.sum(Job.bytes), 0)
        ).where(Job.owner == owner)
        active, size = session.execute(mine).one()
        queued = session.scalar(sql.select(sql.func.count()).where(Job.state == QUEUED))
        return Usage(active, int(size), queued or 0)

    def counts(self) -> tuple[dict[str, int], float | None]:
        """Jobs by state, and when the one that waits longest was accepted."""
        states = sql.select(Job.state, sql.func.count()).group_by(Job.state)
        with self._database.read() as session:
            found = dict(session.execute(states).tuples().all())
            oldest = session.scalar(sql.select(sql.func.min(Job.created)).where(Job.state == QUEUED))
        return {state: found.get(state, 0) for state in (*ACTIVE, *FINAL)}, oldest

    def check(self, owner: str, size: int = 0, address: str = "", session: Session | None = None) -> Usage:
        """Whether the owner may have one more job of ``size`` bytes; raises :class:`LimitError` if not."""
        if session is None:
            with self._database.read() as opened:
                return self.check(owner, size, address, opened)
        now = self.usage(owner, session)
        limits = self._limits
        if address:
            query = sql.select(sql.func.count()).where(Job.address == address, Job.state.in_(ACTIVE))
            if (session.scalar(query) or 0) >= limits.active_jobs_per_address:
                raise LimitError("Too many jobs from your address are at work. Wait for some to end.")
        if now.active >= limits.active_jobs:
            raise LimitError(f"You have {now.active} jobs at work, which is the most. Wait for one to end.")
        if now.queued_by_all >= limits.queued_jobs:
            raise LimitError("Too many people are waiting at the moment. Come back in a while.")
        if now.bytes + size > limits.owner_bytes:
            raise LimitError(
                f"Your jobs fill the {limits.owner_bytes / 1e6:.4g} MB of your space. Delete old ones first."
            )
        return now

    def add(self, job: Job) -> None:
        """Accept a job: from here on it is finished, resumed or marked failed, whatever happens."""
        with self._database.write() as session:
            self.check(job.owner, job.bytes, job.address, session)
            session.add(job)
            audit.note(session, job.owner, "job accepted", job.id, job.kind)

    def get(self, owner: str, job: str) -> Job:
        """The owner's job. Raises :class:`UnknownJobError` for absent and foreign ones alike."""
        with self._database.read() as session:
            return _own(session, owner, job)

    def list(self, owner: str) -> Sequence[Job]:
        """The owner's jobs, newest first."""
        query = sql.select(Job).where(Job.owner == owner, ~Job.deleted).order_by(Job.created.desc())
        with self._database.read() as session:
            return list(session.scalars(query))

    def results(self, jobs: Sequence[str]) -> Mapping[str, Sequence[ResultFile]]:
        """Result files by job id."""
        found: dict[str, list[ResultFile]] = {}
        query = sql.select(Result).where(Result.job.in_(jobs)).order_by(Result.name)
        with self._database.read() as session:
            for row in session.scalars(query):
                found.setdefault(row.job, []).append(ResultFile(row.name, row.bytes, row.sha256))
        return found

    def ahead(self, job: Job) -> int:
        """Jobs that were accepted earlier and wait too."""
        query = sql.select(sql.func.count()).where(Job.state == QUEUED, Job.created < job.created)
        with self._database.read() as session:
            return session.scalar(query) or 0

    def claim(self) -> Job | None:
        """Take the next waiting job and mark it running.

        The address with the fewest running jobs is served first, then the one that was served longest ago;
        within an address likewise by owner, then in order of acceptance. A hundred jobs of one visitor
        therefore do not delay the one job of another, even with a new cookie for each.
        """
        addresses, owners = _served(Job.address), _served(Job.owner)
        query = (
            sql.select(Job)
            .join(addresses, addresses.c.who == Job.address)
            .join(owners, owners.c.who == Job.owner)
            .where(Job.state == QUEUED)
            .order_by(
                *(addresses.c.running, addresses.c.served, owners.c.running, owners.c.served, Job.created)
            )
            .limit(1)
        )
        with self._database.write() as session:
            job = session.scalars(query).first()
            if job is not None:
                job.state, job.started, job.attempts = RUNNING, time.time(), job.attempts + 1
            return job

    def finish(
        self, job: str, state: str, reason: str | None, seconds: float, made: Sequence[ResultFile] = ()
    ) -> bool:
        """Mark a running job done, failed or cancelled; whether its owner has deleted it meanwhile."""
        with self._database.write() as session:
            row = session.get(Job, job)
            if row is None or row.state in FINAL:
                return row is None
            row.state, row.reason, row.finished = state, reason, time.time()
            row.seconds += seconds
            row.bytes += sum(file.bytes for file in made)
            session.add_all(Result(job=job, **file._asdict()) for file in made)
            audit.note(session, row.owner, f"job {state}", job, reason or "ok")
            return row.deleted

    def requeue(self, job: str, reason: str, seconds: float, counts: bool = True) -> None:
        """Queue a running job again; ``counts`` says whether the attempt counts towards the limit."""
        with self._database.write() as session:
            row = session.get(Job, job)
            if row is not None and row.state == RUNNING:
                row.state, row.reason = QUEUED, reason
                row.seconds += seconds
                row.attempts -= 0 if counts else 1
                audit.note(session, row.owner, "job tried again", job, reason)

    def cancel(self, owner: str, job: str) -> None:
        """Cancel a waiting job at once; request it of a running one. Ended jobs are unchanged."""
        with self._database.write() as session:
            row = _own(session, owner, job)
            _stop(session, row)

    def delete(self, owner: str, job: str) -> bool:
        """Mark a job as deleted; True if it has ended and can be erased now."""
        with self._database.write() as session:
            row = _own(session, owner, job)
            _stop(session, row)
            row.deleted = True
            audit.note(session, owner, "job deleted", job)
            return row.state in FINAL

    def erase(self, job: str) -> None:
        """Remove the row and its results."""
        with self._database.write() as session:
            session.execute(sql.delete(Job).where(Job.id == job))

    def running(self) -> Sequence[Job]:
        """Running jobs; after a start, those that the last server did not finish."""
        with self._database.read() as session:
            return list(session.scalars(sql.select(Job).where(Job.state == RUNNING)))

    def orphaned(self) -> Sequence[Job]:
        """Unfinished jobs whose account was removed."""
        gone = sql.and_(~Job.owner.startswith("a"), Job.owner.not_in(sql.select(User.owner)))
        with self._database.read() as session:
            return list(session.scalars(sql.select(Job).where(Job.state.in_(ACTIVE), ~Job.deleted, gone)))

    def clock_has_jumped(self, now: float) -> bool:
        """Whether the computer's clock was changed by more than a day within the last day.

        A server that was off that long looks the same; then old jobs are kept for one more day.
        """
        with self._database.write() as session:
            kept = {key: session.get(Meta, key) for key in ("clock", "clock_jumped")}
            seen, jumped = (float(row.value) if row is not None else None for row in kept.values())
            if seen is not None and abs(now - seen) > _DAY:
                jumped = now
                session.merge(Meta(key="clock_jumped", value=repr(jumped)))
            session.merge(Meta(key="clock", value=repr(now)))
        return jumped is not None and 0 <= now - jumped < _DAY

    def to_erase(self, now: float, by_age: bool = True) -> Sequence[Job]:
        """Ended jobs that were deleted, have expired (``by_age``), or whose account was removed."""
        anonymous = Job.owner.startswith("a")
        named, unnamed = (
            now - 86400 * days for days in (self._limits.keep_days, self._limits.keep_days_anonymous)
        )
        orphaned = sql.and_(~anonymous, Job.owner.not_in(sql.select(User.owner)))  # the account was removed
        old = sql.or_(
            Job.deleted,
            orphaned,
            *([Job.finished < sql.case((anonymous, unnamed), else_=named)] if by_age else []),
        )
        with self._database.read() as session:
            return list(session.scalars(sql.select(Job).where(Job.state.in_(FINAL), old)))

    def known(self) -> set[tuple[str, str]]:
        """(owner, job) of every row."""
        with self._database.read() as session:
            return {(owner, job) for owner, job in session.execute(sql.select(Job.owner, Job.id))}


def _served(column: sql.orm.InstrumentedAttribute[str]) -> sql.Subquery:
    """For each waiting owner or address: number of running jobs, and start of the last one."""
    return (
        sql.select(
            column.label("who"),
            sql.func.count().filter(Job.state == RUNNING).label("running"),
            sql.func.coalesce(sql.func.max(Job.started), 0).label("served"),
        )
        .where(column.in_(sql.select(column).where(Job.state == QUEUED)))
        .group_by(column)
        .subquery()
    )


def _own(session: Session, owner: str, job: str) -> Job:
    row = session.scalars(
        sql.select(Job).where(Job.id == job, Job.owner == owner, ~Job.deleted)
    ).one_or_none()
    if row is None:
        raise UnknownJobError
    return row


def _stop(session: Session, row: Job) -> None:
    if row.state in FINAL:
        return
    row.cancel = True
    if row.state == QUEUED:
        row.state, row.finished = CANCELLED, time.time()
        audit.note(session, row.owner, f"job {CANCELLED}", row.id)
