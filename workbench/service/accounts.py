"""Accounts: names, argon2id hashes, and a login that reveals no names and limits the guessing of passwords.

Source: OWASP Authentication and Password Storage cheat sheets; NIST SP 800-63B (length over composition).
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sql
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from workbench.service import audit
from workbench.service.database import Database
from workbench.service.errors import AccountError, LoginError
from workbench.service.identity import DAYS
from workbench.service.limits import network
from workbench.service.schema import Attempt, EndedSession, User
from workbench.service.storage import new_id

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
MIN_PASSWORD, MAX_PASSWORD = 10, 256
# Failures before a lock: by name and address, and by address. Not by name alone, or a stranger could lock
# somebody out.
FAILURES = {"both": 5, "address": 30}
LOCK_SECONDS = 900.0
_COMMON = frozenset(
    (
        *("1234567890", "0123456789", "password123", "password1234", "passwordpassword", "qwertyuiop"),
        *("qwerty12345", "1q2w3e4r5t", "letmeinletmein", "administrator", "changeme123", "iloveyou123"),
    )
)


class Account(NamedTuple):
    """An account, without its password."""

    name: str
    owner: str
    created: float
    is_administrator: bool = False


class Accounts:
    """The accounts of one database.

    Args:
        database: with the accounts.
        hasher: parameters of argon2; by default argon2-cffi's (RFC 9106, low memory).
        clock: UTC seconds, for tests.
    """

    def __init__(self, database: Database, hasher: PasswordHasher | None = None, clock=time.time):
        self._database, self._hasher, self._clock = database, hasher or PasswordHasher(), clock
        self._nobody = self._hasher.hash(new_id("u"))  # verified for an unknown name, to take the same time
        self._hashing = threading.BoundedSemaphore(2)  # a hash takes 64 MiB

    def add(self, name: str, password: str, is_administrator: bool = False) -> Account:
        """Create an account; an administrator may see how the server is used.

        Raises:
            AccountError: the name is taken or malformed, or the password is too weak.
        """
        name = _checked_name(name)
        check_password(password, name)
        user = User(
            owner=new_id("u"),
            name=name,
            password=self._hasher.hash(password),
            created=self._clock(),
            is_administrator=is_administrator,
        )
        with self._database.write() as session:
            if _find(session, name) is not None:
                raise AccountError(f"The name {name} is taken. Choose another.")
            session.add(user)
            audit.note(session, user.owner, "account added", name)
        return Account(name, user.owner, user.created, is_administrator)

    def set_password(self, name: str, password: str) -> None:
        """Give an account a new password; every session of it ends.

        Raises:
            AccountError: no such account, or the password is too weak.
        """
        name = _checked_name(name)
        check_password(password, name)
        hashed = self._hasher.hash(password)
        with self._database.write() as session:
            user = _known(session, name)
            user.password, user.epoch = hashed, user.epoch + 1
            audit.note(session, user.owner, "password set", name)

    def remove(self, name: str) -> str:
        """Remove an account and its sessions; return its owner id, whose jobs the caller deletes."""
        with self._database.write() as session:
            user = _known(session, _checked_name(name))
            session.delete(user)
            audit.note(session, user.owner, "account removed", user.name)
            return user.owner

    def list(self) -> Sequence[Account]:
        """All accounts by name."""
        with self._database.read() as session:
            users = session.scalars(sql.select(User).order_by(User.name))
            return [Account(user.name, user.owner, user.created, user.is_administrator) for user in users]

    def login(
        self, name: str, password: str, address: str = "", browser: tuple[str, int, str] | None = None
    ) -> tuple[str, int]:
        """(owner, epoch) of the account with this name and password.

        Args:
            name: of the account.
            password: of the account.
            address: of the client, by which failures are counted.
            browser: owner, epoch and a number, of a browser in which somebody has logged in before. Failures
                for that account are counted there instead, as others may share the address.
                Source: OWASP, Slow Down Online Guessing Attacks with Device Cookies.

        Raises:
            LoginError: there is none (the message and the time are the same whether the name exists or not),
                or there were too many failures.
        """
        name, password = name.strip().casefold()[:64], password[: MAX_PASSWORD + 1]
        with self._database.write() as session:  # counted before verification, so that parallel guesses count
            user = _find(session, name) if _NAME.fullmatch(name) else None
            if browser is not None and user is not None and browser[:2] == (user.owner, user.epoch):
                keys = _keys(name, f"browser {browser[2]}")
            else:
                keys = _keys(name, address)
            self._refuse_locked(session, keys)
            for key in keys.values():
                self._count(session, key)
        with self._hashing:
            opened = user if self._verify(user.password if user else self._nobody, password) else None
            renewed = opened is not None and self._hasher.check_needs_rehash(opened.password)
            hashed = self._hasher.hash(password) if renewed else None
        with self._database.write() as session:
            if opened is None:
                audit.note(session, user.owner if user else "", "login", name, f"refused from {address}")
            else:
                self._reset_failures(session, keys)
                if hashed:
                    session.merge(opened).password = hashed
                audit.note(session, opened.owner, "login", name, f"ok from {address}")
        if opened is None:
            raise LoginError("Name and password do not belong together. Check both.")
        return opened.owner, opened.epoch

    def is_session_valid(self, owner: str, epoch: int, token: str = "") -> bool:
        """Whether the account exists, its password is unchanged, and the session was not ended."""
        with self._database.read() as session:
            user = session.get(User, owner)
            if user is None or user.epoch != epoch:
                return False
            return not token or session.get(EndedSession, _digest(token)) is None

    def end_session(self, owner: str, token: str) -> None:
        """Log out: ``token`` and its copies are no longer valid."""
        now = self._clock()
        with self._database.write() as session:
            session.merge(EndedSession(key=_digest(token), until=now + DAYS * 86400))
            audit.note(session, owner, "logout")

    def name_of(self, owner: str) -> str | None:
        """The account's name, or None for an anonymous owner."""
        with self._database.read() as session:
            user = session.get(User, owner)
            return user.name if user else None

    def change_password(self, owner: str, password: str, new: str, address: str = "") -> tuple[str, int]:
        """(owner, epoch) after the owner of an account has changed its password; older sessions end.

        Raises:
            LoginError: ``password`` is not the account's, or there were too many failures.
            AccountError: the new password is too weak, or there is no such account.
        """
        name = self.name_of(owner)
        if name is None:
            raise AccountError("Expected somebody who has logged in. Log in first.")
        self.login(name, password, address)
        self.set_password(name, new)
        return self.login(name, new, address)

    def is_administrator(self, owner: str | None) -> bool:
        """Whether an owner may see how the server is used."""
        with self._database.read() as session:
            user = session.get(User, owner) if owner else None
            return user is not None and user.is_administrator

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _refuse_locked(self, session: Session, keys: dict[str, str]) -> None:
        for kind, key in keys.items():
            row = session.get(Attempt, key)
            left = row.since + LOCK_SECONDS - self._clock() if row else 0
            if row and row.failures >= FAILURES[kind] and left > 0:
                raise LoginError(f"Too many failed logins. Wait {max(1, round(left / 60))} minutes.")

    def _reset_failures(self, session: Session, keys: dict[str, str]) -> None:
        """Undo the count of a successful login, and delete its owner's failures."""
        session.execute(sql.delete(Attempt).where(Attempt.key == keys["both"]))
        row = session.get(Attempt, keys["address"]) if "address" in keys else None
        if row is not None:
            row.failures -= 1

    def _count(self, session: Session, key: str) -> None:
        now = self._clock()
        session.execute(sql.delete(Attempt).where(Attempt.since < now - LOCK_SECONDS))
        row = session.get(Attempt, key)
        if row is None:
            session.add(Attempt(key=key, failures=1, since=now))
        else:
            row.failures, row.since = row.failures + 1, now


def prune(database: Database, now: float) -> None:
    """Delete ended sessions that have expired."""
    with database.write() as session:
        session.execute(sql.delete(EndedSession).where(EndedSession.until < now))


def check_password(password: str, name: str = "") -> None:
    """Raise :class:`AccountError` on a password that is short, common, repetitive or the name."""
    problem = None
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        problem = f"it has {len(password)} characters"
    elif password.casefold() in _COMMON:
        problem = "it is a common one"
    elif len(set(password)) < 5:
        problem = "it has fewer than five different characters"
    elif name and name in password.casefold():
        problem = "it holds the name"
    if problem:
        raise AccountError(
            f"Expected a password of {MIN_PASSWORD} to {MAX_PASSWORD} characters that is hard to guess but "
            f"{problem}. Take a few words."
        )


def _keys(name: str, address: str) -> dict[str, str]:
    """Keys of the failure counts, hashed so that typed names are not stored."""
    place = network(address)
    keys = {"both": _digest("both", name, place)}
    return keys | ({"address": _digest("address", place)} if place else {})


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:40]


def _checked_name(name: str) -> str:
    name = name.strip().casefold()
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"Expected a name of 2 to 32 letters, digits, dots, dashes but got {name[:40]!r}. Choose another."
        )
    return name


def _find(session: Session, name: str) -> User | None:
    return session.scalars(sql.select(User).where(User.name == name)).one_or_none()


def _known(session: Session, name: str) -> User:
    user = _find(session, name)
    if user is None:
        raise AccountError(f"There is no account {name}. See `workbench users list`.")
    return user
