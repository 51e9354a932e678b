"""The audit log: one row for every action or attempt, kept for :data:`KEEP_DAYS`."""

from __future__ import annotations

import time
from typing import NamedTuple

import sqlalchemy as sql
from sqlalchemy.orm import Session

from workbench.service.database import Database
from workbench.service.schema import Audit

KEEP_DAYS = 90


class Entry(NamedTuple):
    """One line of the log."""

    time: float
    owner: str
    action: str
    subject: str
    outcome: str


def note(session: Session, owner: str, action: str, subject: str = "", outcome: str = "ok") -> None:
    """Add a line within the caller's transaction, so that both are stored or neither."""
    session.add(
        Audit(
            time=time.time(),
            owner=owner[:80],
            action=action,
            subject=_plain(subject)[:120],
            outcome=_plain(outcome),
        )
    )


def entries(database: Database, owner: str | None = None, most: int = 1000) -> list[Entry]:
    """The newest lines first, of one owner or of all."""
    query = sql.select(Audit.time, Audit.owner, Audit.action, Audit.subject, Audit.outcome)
    if owner is not None:
        query = query.where(Audit.owner == owner)
    with database.read() as session:
        return [Entry(*row) for row in session.execute(query.order_by(Audit.id.desc()).limit(most))]


def prune(database: Database, now: float | None = None) -> None:
    """Delete what is older than ``KEEP_DAYS``."""
    before = (time.time() if now is None else now) - KEEP_DAYS * 86400
    with database.write() as session:
        session.execute(sql.delete(Audit).where(Audit.time < before))


def _plain(text: str) -> str:
    """One printable line, so that a visitor's text cannot forge an entry."""
    return "".join(c if c.isprintable() else " " for c in text)
