"""The tables change with the program, in SQLite and in PostgreSQL, and lose nothing on the way."""

import io
import shutil
import sqlite3
import time

import platform_tasks
import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from workbench import cli
from workbench.service import jobs
from workbench.service.database import Database
from workbench.service.errors import StorageError
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.schema import HEAD, Base
from workbench.service.storage import new_id

GOOD = "three blue herons"
FIRST = """
CREATE TABLE meta ("key" VARCHAR(40) NOT NULL, value TEXT NOT NULL, PRIMARY KEY ("key"));
CREATE TABLE users (owner VARCHAR(40) NOT NULL, name VARCHAR(64) NOT NULL, password TEXT NOT NULL,
  epoch INTEGER NOT NULL, created DOUBLE NOT NULL, PRIMARY KEY (owner), UNIQUE (name));
CREATE TABLE login_attempts ("key" VARCHAR(80) NOT NULL, failures INTEGER NOT NULL, since DOUBLE NOT NULL,
  PRIMARY KEY ("key"));
CREATE TABLE jobs (id VARCHAR(40) NOT NULL, owner VARCHAR(40) NOT NULL, kind VARCHAR(40) NOT NULL,
  options JSON NOT NULL, inputs JSON NOT NULL, title VARCHAR(120) NOT NULL, state VARCHAR(12) NOT NULL,
  attempts INTEGER NOT NULL, cancel BOOLEAN NOT NULL, deleted BOOLEAN NOT NULL, created DOUBLE NOT NULL,
  started DOUBLE, finished DOUBLE, seconds DOUBLE NOT NULL, bytes BIGINT NOT NULL, reason TEXT,
  PRIMARY KEY (id));
CREATE INDEX jobs_by_owner ON jobs (owner, created);
CREATE INDEX jobs_by_state ON jobs (state, created);
CREATE TABLE audit (id INTEGER NOT NULL, time DOUBLE NOT NULL, owner VARCHAR(80) NOT NULL,
  action VARCHAR(40) NOT NULL, subject VARCHAR(120) NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (id));
CREATE INDEX audit_by_time ON audit (time);
CREATE TABLE results (job VARCHAR(40) NOT NULL, name VARCHAR(120) NOT NULL, bytes BIGINT NOT NULL,
  sha256 VARCHAR(64) NOT NULL, PRIMARY KEY (job, name),
  FOREIGN KEY(job) REFERENCES jobs (id) ON DELETE CASCADE);
INSERT INTO meta VALUES ('version', '1');
INSERT INTO users VALUES ('u00', 'ann', 'hash', 3, 1.5);
"""  # as version 0.1 made it


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres")
    return f"sqlite:///{tmp_path / 'jobs.db'}"


def differences(url):
    """Between the tables that are there and those that the program expects."""
    engine = sql.create_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        revision = connection.scalar(sql.text("select version_num from alembic_version"))
    engine.dispose()
    return found, revision


def test_a_new_database_has_the_tables_that_the_program_expects(url):
    for _ in range(2):
        Database(url).close()
        assert differences(url) == ([], HEAD)


def test_the_head_is_the_last_change():
    config = Config()
    config.set_main_option("script_location", "workbench.service:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path):
    raw = sqlite3.connect(tmp_path / "workbench.db")
    raw.executescript(FIRST)
    raw.close()
    Database(tmp_path / "workbench.db").close()
    assert differences(f"sqlite:///{tmp_path / 'workbench.db'}") == ([], HEAD)
    raw = sqlite3.connect(tmp_path / "workbench.db")
    assert raw.execute("select owner, name, epoch from users").fetchall() == [("u00", "ann", 3)]
    raw.close()


def test_a_database_of_something_else_is_refused_and_left_alone(url):
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("create table users (name varchar(20))"))
    with pytest.raises(StorageError, match="has other tables") as refusal:
        Database(url)
    assert "\n" not in str(refusal.value)
    assert sql.inspect(engine).get_table_names() == ["users"]
    engine.dispose()


def test_tables_of_a_newer_program_are_refused(url):
    Database(url).close()
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StorageError, match=r"has 9999\. Use the newer workbench"):
        Database(url)


@pytest.mark.parametrize("wrong", ["nonsense://x", "postgresql+nodriver://x/y", "://"])
def test_a_url_that_cannot_be_used_is_told_in_one_line(wrong):
    with pytest.raises(StorageError, match="database URL cannot be used") as refusal:
        Database(wrong)
    assert "\n" not in str(refusal.value)


def test_a_password_in_the_url_is_not_repeated(tmp_path):
    with pytest.raises(StorageError) as refusal:
        Database("postgresql+psycopg://ann:secret-word@127.0.0.1:1/x")
    assert "secret-word" not in str(refusal.value)


def test_accounts_and_jobs_on_another_database(postgres, tmp_path, monkeypatch, capsys):
    """`users add --database URL`, then `serve --accounts --database URL`: the way that is told."""
    data = str(tmp_path / "data")
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD + "\n"))
    with pytest.raises(SystemExit) as stop:
        cli.main(["users", "add", "ann", "--data", data, "--database", postgres])
    assert (stop.value.code or 0, capsys.readouterr().out) == (0, "ann added\n")
    options = {"kinds": platform_tasks.KINDS, "limits": Limits(free_bytes=0), "accounts": True}
    with Platform(data, database=postgres, **options) as platform:
        owner, _ = platform.accounts.login("ann", GOOD)
        job = platform.submit(owner, "who", [])
        assert platform.wait(owner, job, 300).state == "done"
    with pytest.raises(StorageError, match="do not belong together"):
        Platform(data, **options)
    with Platform(data, database=postgres, **options) as platform:
        assert platform.result(owner, job).is_file()


def test_one_server_a_database(url, tmp_path):
    """A copied folder belongs to it too; its server would take the jobs of the other for lost ones."""
    options = {"kinds": platform_tasks.KINDS, "limits": Limits(free_bytes=0), "database": url}
    with Platform(tmp_path / "data", **options) as platform:
        owner = new_id("a")
        job = platform.submit(owner, "who", [])
        assert platform.wait(owner, job, 300).state == "done"
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
        with pytest.raises(StorageError, match="is in use by another server") as refusal:
            Platform(tmp_path / "copy", **options)
        assert "\n" not in str(refusal.value)
    with Platform(tmp_path / "copy", **options) as platform:
        assert platform.result(owner, job).is_file()


def test_names_that_a_database_cannot_hold_are_wrong_names(url):
    from workbench.service.accounts import Accounts
    from workbench.service.errors import LoginError

    database = Database(url)
    for name in ("a\0b", "\ud800", new_id("u"), "x" * 10_000):
        with pytest.raises(LoginError, match="do not belong together"):
            Accounts(database).login(name, "a password")
    database.close()


def test_a_lost_connection_loses_neither_work_nor_the_reservation(postgres, tmp_path, monkeypatch):
    """A PostgreSQL that is started anew: jobs end as they would have, and no second server gets in."""
    monkeypatch.setattr(jobs, "SEARCH_SECONDS", 0.5)
    name = sql.make_url(postgres).database
    admin = sql.create_engine(sql.make_url(postgres).set(database="postgres"), isolation_level="AUTOCOMMIT")

    def take_away(is_away):
        with admin.connect() as connection:
            connection.execute(sql.text(f"alter database {name} allow_connections {not is_away}"))
            others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"
            connection.execute(sql.text(others), {"name": name} if is_away else {"name": ""})

    options = {"kinds": platform_tasks.KINDS, "limits": Limits(free_bytes=0), "database": postgres}
    with Platform(tmp_path / "data", **options) as platform:
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
        owner, end = new_id("a"), time.monotonic() + 300
        running = platform.submit(owner, "count", [], {"seconds": 3})
        waiting = platform.submit(owner, "who", [])
        while platform.job(owner, running).share == 0 and time.monotonic() < end:
            time.sleep(0.05)
        take_away(True)
        time.sleep(5.0)  # the first one ends meanwhile
        take_away(False)
        for job in (running, waiting):
            view = platform.wait(owner, job, 300)
            assert (view.state, view.attempts) == ("done", 1)
        with pytest.raises(StorageError, match="is in use by another server"):
            Platform(tmp_path / "copy", **options)
    admin.dispose()
