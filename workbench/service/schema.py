"""The tables: accounts, failed logins, ended sessions, jobs, their results, and the audit log.

Plain types only, so that the same tables work in SQLite and in PostgreSQL. Times are UTC seconds since 1970.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

VERSION = 1  # of what the rows mean; written into the database and checked when it is opened
HEAD = "0004"  # the last change of the tables, see workbench.service.migrations

QUEUED, RUNNING = "queued", "running"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
FINAL = (DONE, FAILED, CANCELLED)
ACTIVE = (QUEUED, RUNNING)


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 (SQLAlchemy's own protocol)


class Meta(Base):
    """Facts about the database itself."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class User(Base):
    """A named account."""

    __tablename__ = "users"
    owner: Mapped[str] = mapped_column(String(40), primary_key=True)  # opaque; what jobs and folders know
    name: Mapped[str] = mapped_column(String(64), unique=True)  # case-folded
    password: Mapped[str] = mapped_column(Text)  # argon2id, with its parameters and salt
    epoch: Mapped[int] = mapped_column(default=0)  # raised with every new password: ends older sessions
    is_administrator: Mapped[bool] = mapped_column(default=False)  # may see how the server is used
    created: Mapped[float]


class Attempt(Base):
    """Failed logins by name, by address, and by both."""

    __tablename__ = "login_attempts"
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    failures: Mapped[int]
    since: Mapped[float]  # first failure that counts


class EndedSession(Base):
    """A session token that was ended by a logout."""

    __tablename__ = "ended_sessions"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the token
    until: Mapped[float]  # when the token would have ended by itself


class Job(Base):
    """One request, from its acceptance to its end."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(80), default="")  # network of whoever submitted it
    kind: Mapped[str] = mapped_column(String(40))
    options: Mapped[dict[str, Any]]
    inputs: Mapped[list[str]]  # file names within the job's input folder
    title: Mapped[str] = mapped_column(String(120))  # the upload's own name, for people
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(default=0)
    cancel: Mapped[bool] = mapped_column(default=False)  # asked for; survives a restart
    deleted: Mapped[bool] = mapped_column(default=False)  # hidden from its owner, removed when it has stopped
    created: Mapped[float]
    started: Mapped[float | None]  # of the last attempt
    finished: Mapped[float | None]
    seconds: Mapped[float] = mapped_column(default=0.0)  # worker time of all attempts: what it cost
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)  # inputs and results on disk
    reason: Mapped[str | None] = mapped_column(Text)  # why it failed, or waits again
    __table_args__ = (Index("jobs_by_owner", "owner", "created"), Index("jobs_by_state", "state", "created"))


class Result(Base):
    """A file that a finished job made."""

    __tablename__ = "results"
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class Audit(Base):
    """Who did what, and whether it was allowed. Never passwords, tokens or pictures."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    time: Mapped[float]
    owner: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(120))
    outcome: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("audit_by_time", "time"),)
