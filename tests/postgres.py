"""A PostgreSQL of the tests' own, from Debian's package: one cluster a run, one empty database a test."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="session")
def cluster():
    """URL without a database name of a running cluster; skipped where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="needs the extra 'postgresql'")
    if not _BINARIES:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    bin = _BINARIES[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="workbench-pg-", dir="/tmp"))  # a socket's path must be short
    as_user = {}
    if os.geteuid() == 0:  # which PostgreSQL refuses
        shutil.chown(folder, "postgres", "postgres")
        as_user = {"user": "postgres", "group": "postgres"}
    user = "postgres" if as_user else getpass.getuser()

    def run(program, *arguments):
        subprocess.run([bin / program, *arguments], check=True, capture_output=True, cwd=folder, **as_user)

    try:
        run("initdb", "-D", folder / "data", "-U", user, "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        run("pg_ctl", "-D", folder / "data", "-o", options, "-w", "-l", folder / "log", "start")
        yield f"postgresql+psycopg://{user}@/{{name}}?host={folder}"
        run("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(cluster):
    """URL of an empty database."""
    import sqlalchemy as sql

    name = f"test_{secrets.token_hex(6)}"
    engine = sql.create_engine(cluster.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sql.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return cluster.format(name=name)
