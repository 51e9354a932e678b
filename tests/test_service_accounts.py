"""Accounts: hashes, password rules, logins that tell nothing, locks, sessions, and the commands."""

import io
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
import sqlalchemy as sql
from argon2 import PasswordHasher

from workbench import cli
from workbench.service import accounts as module
from workbench.service import audit
from workbench.service.accounts import Accounts
from workbench.service.database import Database
from workbench.service.errors import AccountError, LimitError, LoginError, StorageError
from workbench.service.identity import Tokens, read_secret
from workbench.service.limits import Rate
from workbench.service.schema import EndedSession
from workbench.service.storage import new_id

GOOD = "three blue herons"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    made = Database(url or tmp_path / "workbench.db")
    yield made
    made.close()


@pytest.fixture
def accounts(database, clock):
    return Accounts(database, CHEAP, clock)


def test_add_login_and_list(accounts):
    made = accounts.add(" Ann ", GOOD)
    assert (made.name, made.owner[0], len(made.owner)) == ("ann", "u", 33)
    assert accounts.login("ANN", GOOD) == (made.owner, 0)
    assert [a.name for a in accounts.list()] == ["ann"]
    assert accounts.name_of(made.owner) == "ann"
    assert accounts.name_of(new_id("a")) is None
    with pytest.raises(AccountError, match="The name ann is taken"):
        accounts.add("ann", GOOD)


def test_passwords_are_kept_as_argon2id_only(tmp_path):
    database = Database(tmp_path / "workbench.db")
    Accounts(database).add("ann", GOOD)
    stored = sqlite3.connect(tmp_path / "workbench.db").execute("select password from users").fetchone()[0]
    parameters = argon2.extract_parameters(stored)
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost) >= (19456, 2)  # OWASP's minimum
    database.close()
    for path in tmp_path.iterdir():
        assert GOOD.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", "it has 5 characters"),
        ("x" * 257, "it has 257 characters"),
        ("Password123", "it is a common one"),
        ("abababababab", "fewer than five different"),
        ("xx-ann-1234", "it holds the name"),
    ],
)
def test_weak_passwords(accounts, password, problem):
    with pytest.raises(AccountError, match=problem):
        accounts.add("ann", password)
    assert accounts.list() == []


@pytest.mark.parametrize("name", ["", "a", "../etc", "a b", "x" * 40, "ann\n", "<b>"])
def test_malformed_names(accounts, name):
    if name == "ann\n":  # white space around is forgiven
        assert accounts.add(name, GOOD).name == "ann"
        return
    with pytest.raises(AccountError, match="Expected a name of 2 to 32"):
        accounts.add(name, GOOD)


def test_a_wrong_password_and_an_unknown_name_look_alike(accounts, monkeypatch):
    accounts.add("ann", GOOD)
    verified = []
    real = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda self, h, p: verified.append(h) or real(self, h, p))
    said = []
    for name in ("ann", "nobody"):
        with pytest.raises(LoginError) as error:
            accounts.login(name, "wrong password")
        said.append(str(error.value))
    assert said[0] == said[1]
    assert len(verified) == 2  # a hash is computed for the unknown name too: the same time
    assert all(h.startswith("$argon2id$") for h in verified)


def test_too_many_failures_lock_and_a_while_unlocks(accounts, clock):
    accounts.add("ann", GOOD)
    for _ in range(module.FAILURES["both"]):
        with pytest.raises(LoginError, match="do not belong together"):
            accounts.login("ann", "wrong password", "10.0.0.1")
    with pytest.raises(LoginError, match="Wait 15 minutes"):
        accounts.login("ann", GOOD, "10.0.0.1")  # even the right one
    accounts.login("ann", GOOD, "10.0.0.2")  # the owner, elsewhere, is not locked out
    clock.now += module.LOCK_SECONDS + 1
    accounts.login("ann", GOOD, "10.0.0.1")


def test_one_address_cannot_try_many_names(accounts):
    for number in range(module.FAILURES["address"]):
        with pytest.raises(LoginError, match="do not belong"):
            accounts.login(f"name{number}", "wrong password", "10.0.0.1")
    with pytest.raises(LoginError, match="Too many"):
        accounts.login("another", "wrong password", "10.0.0.1")


def test_a_stranger_cannot_lock_somebody_out(accounts):
    """However often they guess, and from wherever."""
    owner = accounts.add("ann", GOOD).owner
    for number in range(200):
        with pytest.raises(LoginError):
            accounts.login("ann", "wrong password", f"10.1.{number}.1")
    assert accounts.login("ann", GOOD, "10.2.0.1") == (owner, 0)


def test_who_shares_an_address_cannot_lock_a_browser_out_in_which_somebody_logged_in(accounts):
    """A school, or all behind a proxy that was not named. A new password makes it a strange browser again."""
    owner = accounts.add("ann", GOOD).owner
    browser = (*accounts.login("ann", GOOD, "10.0.0.1"), "one")
    for number in range(module.FAILURES["address"]):
        with pytest.raises(LoginError):
            accounts.login(f"name{number}", "wrong password", "10.0.0.1")
    for strange in (None, ("u" + 32 * "0", 0, "of another")):
        with pytest.raises(LoginError, match="Too many"):
            accounts.login("ann", GOOD, "10.0.0.1", strange)
    assert accounts.login("ann", GOOD, "10.0.0.1", browser) == (owner, 0)
    for _ in range(module.FAILURES["both"]):
        with pytest.raises(LoginError, match="do not belong"):
            accounts.login("ann", "wrong password", "10.0.0.1", browser)
    with pytest.raises(LoginError, match="Too many"):
        accounts.login("ann", GOOD, "10.0.0.1", browser)
    accounts.set_password("ann", "four green herons")
    with pytest.raises(LoginError, match="Too many"):
        accounts.login("ann", "four green herons", "10.0.0.1", (owner, 0, "two"))


def test_one_customers_addresses_count_as_one(accounts):
    """Who has an IPv6 address has two to the 64 of them."""
    for number in range(module.FAILURES["both"]):
        with pytest.raises(LoginError, match="do not belong"):
            accounts.login("ann", "wrong password", f"2001:db8:1:2::{number:x}")
    with pytest.raises(LoginError, match="Too many"):
        accounts.login("ann", "wrong password", "2001:db8:1:2:ffff::1")
    with pytest.raises(LoginError, match="do not belong"):
        accounts.login("ann", "wrong password", "2001:db8:1:3::1")


def test_good_logins_are_no_failures(accounts):
    accounts.add("ann", GOOD)
    for _ in range(3 * module.FAILURES["address"]):
        accounts.login("ann", GOOD, "10.0.0.1")


def test_guesses_at_once_are_counted_before_they_are_tried(database):
    """150 in parallel try no more passwords than five one after the other."""
    accounts = Accounts(database, PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1))
    accounts.add("ann", GOOD)

    def guess(number):
        try:
            accounts.login("ann", f"wrong password {number}", "10.0.0.1")
        except LoginError as error:
            return str(error)

    with ThreadPoolExecutor(30) as pool:
        said = list(pool.map(guess, range(150)))
    assert sum("do not belong" in text for text in said) == module.FAILURES["both"]
    assert sum("Too many failed logins" in text for text in said) == 150 - module.FAILURES["both"]


def test_logging_out_ends_the_session_wherever_its_token_was_copied_to(accounts, database, clock):
    owner = accounts.add("ann", GOOD).owner
    assert accounts.is_session_valid(owner, 0, "one token")
    accounts.end_session(owner, "one token")
    assert not accounts.is_session_valid(owner, 0, "one token")
    assert accounts.is_session_valid(owner, 0, "another token")
    clock.now += 31 * 86400
    accounts.end_session(owner, "another token")
    module.prune(database, clock.now)
    with database.read() as session:
        assert len(session.scalars(sql.select(EndedSession)).all()) == 1  # the old one is forgotten


def test_a_new_password_ends_the_sessions(accounts):
    owner = accounts.add("ann", GOOD).owner
    assert accounts.is_session_valid(owner, 0)
    accounts.set_password("ann", "four green herons")
    assert not accounts.is_session_valid(owner, 0)
    with pytest.raises(LoginError):
        accounts.login("ann", GOOD)
    assert accounts.login("ann", "four green herons") == (owner, 1)
    assert accounts.remove("ann") == owner
    assert not accounts.is_session_valid(owner, 1)
    with pytest.raises(AccountError, match="There is no account ann"):
        accounts.remove("ann")


def test_everything_is_in_the_audit_log_but_no_password(accounts, database):
    accounts.add("ann", GOOD)
    with pytest.raises(LoginError):
        accounts.login("ann\nroot  login ok", "a wrong password")
    accounts.login("ann", GOOD, "10.0.0.1")
    lines = audit.entries(database)
    assert [line.action for line in lines] == ["login", "login", "account added"]
    assert lines[0].outcome == "ok from 10.0.0.1"
    assert "\n" not in lines[1].subject
    assert not any(GOOD in str(line) or "wrong" in str(line) for line in lines)
    audit.prune(database, now=lines[0].time + 91 * 86400)
    assert audit.entries(database) == []


def test_a_newer_database_is_refused(tmp_path):
    Database(tmp_path / "workbench.db").close()
    raw = sqlite3.connect(tmp_path / "workbench.db")
    raw.execute("update meta set value = '99'")
    raw.commit()
    raw.close()
    with pytest.raises(StorageError, match=r"version 1 or before but .* has 99"):
        Database(tmp_path / "workbench.db")
    (tmp_path / "junk.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="cannot be opened"):
        Database(tmp_path / "junk.db")


def test_tokens(tmp_path):
    secret = read_secret(tmp_path / "secret")
    assert read_secret(tmp_path / "secret") == secret
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    tokens, owner = Tokens(secret), new_id("u")
    token = tokens.issue(owner, 3)
    assert Tokens(secret).read(token) == (owner, 3)
    assert Tokens(b"x" * 32).read(token) is None
    assert tokens.read(tokens.anonymous()[1])[0] != tokens.read(tokens.anonymous()[1])[0]
    with pytest.raises(LoginError):
        tokens.issue("../etc")
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(StorageError, match="Expected 32 bytes"):
        read_secret(tmp_path / "secret")


def test_rate_by_hand():
    clock = Clock()
    rate = Rate(2, 10.0, clock)
    rate.take("a")
    clock.now += 4
    rate.take("a")
    rate.take("b")
    with pytest.raises(LimitError, match=r"at most 2 requests in 10 s. Wait 6 s"):
        rate.take("a")
    clock.now += 6
    rate.take("a")  # the first is ten seconds old
    with pytest.raises(LimitError, match="Wait 4 s"):
        rate.take("a")
    clock.now += 1000
    rate.take("c")
    assert len(rate) == 1  # silent keys are forgotten


def test_the_commands(tmp_path, monkeypatch, capsys):
    def run(*arguments, typed=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as stop:
            cli.main(["users", *arguments, "--data", str(tmp_path)])
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    assert run("add", "Ann", typed=GOOD + "\n") == (0, "ann added\n", "")
    code, _, err = run("add", "bob", typed="short\n")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: Expected a password")
    assert run("passwd", "ann", typed="four green herons\n")[0] == 0
    assert run("list")[1].splitlines()[2].startswith("ann   2")
    assert run("remove", "ann") == (0, "ann removed\n", "")
    assert run("remove", "ann")[0] == 2


def test_serve_refuses_in_one_line(tmp_path, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(["serve", "--data", str(tmp_path), *arguments])
        return stop.value.code, capsys.readouterr().err

    code, err = run("--accounts")
    assert (code, err.count("\n")) == (2, 1)
    assert "There is no account yet. Run: workbench users add NAME" in err
    code, err = run("--address", "auto")
    assert (code, err.count("\n")) == (2, 1)
    assert "Expected --engine ray with --address" in err
