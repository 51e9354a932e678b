"""A start removes nobody's data: neither with the wrong database, nor in a folder of something else."""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import platform_tasks
import pytest

from workbench import cli
from workbench.service.errors import StorageError
from workbench.service.folder import sweep_temporary, temporary
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import new_id

PATIENCE = 300.0
LIMITS = Limits(free_bytes=0)
GOOD = "three blue herons"


def start(data, **options):
    return Platform(data, kinds=platform_tasks.KINDS, limits=LIMITS, **options)


def files(folder):
    """Every file below ``folder`` with its bytes, but for the database's own and the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("workbench.db", "lock", "other.db"))
    }


@pytest.fixture
def used(tmp_path):
    """(data folder, owner, job) after a server that finished one job for somebody."""
    upload = tmp_path / "face.bin"
    upload.write_bytes(b"a face")
    owner = new_id("a")
    with start(tmp_path / "data") as platform:
        job = platform.submit(owner, "echo", [upload])
        assert platform.wait(owner, job, PATIENCE).state == "done"
    return tmp_path / "data", owner, job


def is_whole(data, owner, job, **options):
    with start(data, **options) as platform:
        return platform.result(owner, job).read_bytes() == b"|a face"


def refused(data, **options):
    with pytest.raises(StorageError, match="do not belong together") as refusal:
        start(data, **options)
    assert "\n" not in str(refusal.value)
    assert "--adopt" in str(refusal.value)


def test_another_an_empty_and_a_mistyped_database_are_refused(used, tmp_path):
    data, owner, job = used
    before = files(data)
    with start(tmp_path / "elsewhere"):
        pass
    refused(data, database=f"sqlite:///{tmp_path / 'elsewhere' / 'workbench.db'}")  # another folder's
    refused(data, database=f"sqlite:///{tmp_path / 'typo.db'}")  # a new, empty one
    refused(data, database=f"sqlite:///{tmp_path / 'typo.db'}")  # and again, now that it exists
    refused(tmp_path / "new", database=f"sqlite:///{data / 'workbench.db'}")  # a mistyped folder
    assert files(data) == before
    assert is_whole(data, owner, job)


def test_a_lost_database_is_refused_until_it_is_back(used, tmp_path):
    data, owner, job = used
    for path in data.glob("workbench.db*"):
        path.rename(tmp_path / path.name)
    before = files(data)
    refused(data)
    assert files(data) == before
    for path in data.glob("workbench.db*"):
        path.unlink()
    (tmp_path / "workbench.db").rename(data / "workbench.db")
    assert is_whole(data, owner, job)


def test_what_a_restored_database_does_not_know_is_kept_and_comes_back(used, tmp_path):
    data, owner, job = used
    shutil.copy(data / "workbench.db", tmp_path / "backup.db")
    upload = tmp_path / "face.bin"
    with start(data) as platform:
        later = platform.submit(owner, "echo", [upload])
        assert platform.wait(owner, later, PATIENCE).state == "done"
    shutil.copy(data / "workbench.db", tmp_path / "newest.db")
    shutil.copy(tmp_path / "backup.db", data / "workbench.db")
    with start(data) as platform:
        assert [view.id for view in platform.jobs(owner)] == [job]
    (kept,) = data.glob(f"quarantine/*/{owner}/{later}")
    assert kept.parent.parent.name[:2] == "20"  # dated
    assert (kept / "result" / "echo.bin").read_bytes() == b"|a face"
    shutil.copy(tmp_path / "newest.db", data / "workbench.db")
    assert is_whole(data, owner, job)
    assert is_whole(data, owner, later)


def test_adopting_keeps_what_the_database_does_not_know(used, tmp_path):
    data, owner, job = used
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    with start(data, database=url, adopt=True) as platform:
        assert platform.jobs(owner) == []
    assert [p.name for p in data.glob("quarantine/*/*/*")] == [job]
    refused(data)  # it belongs to the other one now
    with start(data, database=url):
        pass
    assert is_whole(data, owner, job, adopt=True)


def as_first_layout(data):
    """The folder and database as they were before they were tied."""
    (data / "workbench-folder").unlink()
    raw = sqlite3.connect(data / "workbench.db")
    raw.execute("delete from meta where key = 'folder'")
    raw.commit()
    raw.close()


def test_a_folder_of_the_first_layout_is_adopted_whole(used):
    data, owner, job = used
    as_first_layout(data)
    before = files(data)
    assert is_whole(data, owner, job)
    after = files(data)
    assert after.pop("workbench-folder")
    assert after == before
    assert is_whole(data, owner, job)


def test_a_folder_of_the_first_layout_is_not_given_to_a_database_that_knows_none_of_it(used, tmp_path):
    data, owner, job = used
    as_first_layout(data)
    before = files(data)
    refused(data, database=f"sqlite:///{tmp_path / 'typo.db'}")
    assert files(data) == before
    assert is_whole(data, owner, job)


def test_a_folder_with_accounts_but_no_server_yet_is_adopted(tmp_path, monkeypatch):
    with start(tmp_path) as platform:
        platform.accounts.add("ann", GOOD)
    as_first_layout(tmp_path)
    for name in ("secret", "lock"):
        (tmp_path / name).unlink(missing_ok=True)
    with start(tmp_path) as platform:
        assert [account.name for account in platform.accounts.list()] == ["ann"]


@pytest.mark.parametrize(
    "place", ["incoming", "owners", "incoming/deep", "owners/a" + 32 * "0" + "/j" + 32 * "1"]
)
def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "letters.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageError, match="holds other files") as refusal:
        start(tmp_path)
    assert "\n" not in str(refusal.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert (folder / "letters.txt").read_text() == "mine"


def test_names_that_are_not_ours_are_left_alone_in_our_own_folder(used):
    data, owner, job = used
    foreign = [
        data / "incoming" / "scans" / "page.txt",
        data / "incoming" / "note.txt",
        data / "owners" / "letters" / "a" / "b.txt",
        data / "owners" / owner / "notes" / "b.txt",
        data / "owners" / owner / job / "try-again" / "b.txt",
    ]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert is_whole(data, owner, job)
    assert [path.read_text() for path in foreign] == ["mine"] * len(foreign)


def test_a_disk_of_its_own_is_an_empty_folder(tmp_path):
    (tmp_path / "lost+found").mkdir()
    with start(tmp_path):
        pass


def test_what_lies_in_the_place_of_our_files_is_told_in_one_line(tmp_path):
    with start(tmp_path / "data"):
        pass
    (tmp_path / "data" / "lock").unlink(missing_ok=True)
    (tmp_path / "data" / "lock").mkdir()
    with pytest.raises(StorageError, match="lock cannot be locked") as refusal:
        start(tmp_path / "data")
    assert "\n" not in str(refusal.value)
    (tmp_path / "data" / "lock").rmdir()
    (tmp_path / "data" / "workbench-folder").write_text("zzz")
    with pytest.raises(StorageError, match="it is damaged"):
        start(tmp_path / "data")


def test_a_killed_page_leaves_no_temporary_folder_for_ever(tmp_path, monkeypatch):
    """The next start removes it; a folder that lives or is somebody else's stays, whatever its name."""
    code = """
import os, signal
from workbench.service.folder import temporary
from workbench.service.platform import Platform
with temporary() as folder, Platform(folder):
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, timeout=120
    )
    left = Path(killed.stdout.strip())
    assert (left.parent, (left / "workbench.db").is_file()) == (tmp_path, True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = tmp_path / f"{left.name}-of-mine"
    foreign.mkdir()
    (foreign / "lock").write_text("")
    start(tmp_path / "elsewhere").close()
    linked = tmp_path / "workbench-platform-link"
    linked.symlink_to(tmp_path / "elsewhere")
    with temporary() as folder, start(folder):
        sweep_temporary()
        assert sorted(tmp_path.iterdir()) == sorted([folder, foreign, linked, tmp_path / "elsewhere"])
        assert (folder / "workbench.db").is_file()
    assert (tmp_path / "elsewhere" / "workbench.db").is_file()
    assert not folder.exists()


def test_the_commands_refuse_too(used, tmp_path, monkeypatch, capsys):
    data, owner, job = used

    def run(*arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO(GOOD + "\n"))
        with pytest.raises(SystemExit) as stop:
            cli.main(list(arguments))
        return stop.value.code, capsys.readouterr().err

    typo = ("--data", str(data), "--database", f"sqlite:///{tmp_path / 'typo.db'}")
    foreign = tmp_path / "foreign"
    (foreign / "incoming").mkdir(parents=True)
    locked = tmp_path / "locked"
    start(locked).close()
    (locked / "lock").unlink(missing_ok=True)
    (locked / "lock").mkdir()
    for arguments in (
        ("serve", "--data", str(locked)),
        ("serve", *typo),
        ("users", "add", "ann", *typo),
        ("serve", "--data", str(foreign)),
        ("users", "list", "--data", str(foreign)),
    ):
        code, err = run(*arguments)
        assert (code, err.count("\n")) == (2, 1), arguments
    assert is_whole(data, owner, job)


def test_accounts_are_added_to_the_database_that_the_url_names(tmp_path, monkeypatch, capsys):
    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD + "\n"))
    with pytest.raises(SystemExit):
        cli.main(["users", "add", "ann", "--data", str(tmp_path / "data"), "--database", url])
    assert capsys.readouterr().out == "ann added\n"
    assert not (tmp_path / "data" / "workbench.db").exists()
    with start(tmp_path / "data", database=url, accounts=True) as platform:
        assert platform.accounts.login("ann", GOOD)
