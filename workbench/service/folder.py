"""Ties a data folder to its database: both have the same id, and neither is used without the other.

The id is in the file :data:`MARKER` of the folder and in the database's table ``meta``. A non-empty folder
without a marker is foreign and not touched, unless it is a data folder of the first layout, which had none.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import sqlalchemy as sql

from workbench.service.errors import StorageError
from workbench.service.schema import Job, Meta

if TYPE_CHECKING:
    from workbench.service.database import Database
    from workbench.service.storage import Store

MARKER = "workbench-folder"
DATABASE, SECRET, LOCK = "workbench.db", "secret", "lock"
OWNERS, INCOMING, QUARANTINE = "owners", "incoming", "quarantine"
_TEMPORARY = "workbench-platform-"
_ID = re.compile(r"[0-9a-f]{32}")
_META_KEY = "folder"


def read_marker(root: Path) -> str | None:
    """Id of the data folder ``root``; None for one of the first layout, which waits for :func:`tie`.

    A folder that does not exist or is empty becomes a data folder.

    Raises:
        StorageError: the folder is somebody else's, or cannot be read or made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker = root / MARKER
        if marker.exists():
            found = marker.read_text(encoding="ascii", errors="replace").strip()
            if not _ID.fullmatch(found):
                raise StorageError(f"Expected an id in {marker} but it is damaged. Restore it from a backup.")
            return found
        if not _is_foreign(root):
            return None if _is_first_layout(root) else write_marker(root)
    except OSError as error:
        raise StorageError(
            f"The data folder {root} cannot be made or read ({error.strerror}). Check path and rights."
        ) from error
    raise StorageError(
        f"Expected an empty folder, or a data folder of this program, but {root} holds other files. "
        "Take another folder."
    )


def write_marker(root: Path, replace: bool = False) -> str:
    """Give the folder an id and return it; without ``replace`` an existing id is kept."""
    create(root / MARKER, f"{secrets.token_hex(16)}\n".encode(), replace)
    return (root / MARKER).read_text(encoding="ascii").strip()


def create(path: Path, data: bytes, replace: bool = False) -> None:
    """Write a private file atomically; without ``replace`` an existing one is kept."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first
            (os.replace if replace else os.link)(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def tie(store: Store, database: Database, adopt: bool = False) -> None:
    """Check that folder and database belong together, and tie them together where both are new.

    A database without an id is tied to a folder without jobs, or to one of the first layout whose jobs it
    knows.

    Args:
        store: the folder.
        database: what should know its jobs.
        adopt: tie the two together whatever they belonged to.

    Raises:
        StorageError: they do not belong together.
    """
    with database.write() as session:
        tied = session.get(Meta, _META_KEY)
        if store.id is None:  # another process may have been first
            store.id = read_marker(store.root)
        if tied is not None and tied.value == store.id:
            return
        kept = store.jobs()
        knows = bool(kept) and not kept.isdisjoint(session.execute(sql.select(Job.owner, Job.id)).tuples())
        is_new = tied is None and (not kept or (store.id is None and knows))
        if is_new or adopt:
            if store.id is None or not is_new:  # a new id: whatever they belonged to is refused from now on
                store.id = write_marker(store.root, replace=True)
            session.merge(Meta(key=_META_KEY, value=store.id))
            return
    raise StorageError(
        f"The data folder {store.root} and the database {database.name} do not belong together. Give the two "
        "that do, or tie these with --adopt: jobs that the database does not know are then kept in the "
        f"folder's {QUARANTINE}/."
    )


def lock(root: Path) -> filelock.BaseFileLock:
    """Take the folder's lock: one server per folder.

    Raises:
        StorageError: another server has it, or it cannot be locked.
    """
    taken = filelock.FileLock(root / LOCK, thread_local=False)  # whoever closes the server releases it
    try:
        taken.acquire(timeout=0)
    except filelock.Timeout as error:
        raise StorageError(
            f"The data folder {root} is in use by another server. Stop that, or take another."
        ) from error
    except OSError as error:
        raise StorageError(
            f"The file {root / LOCK} cannot be locked ({error.strerror}). Check what lies there."
        ) from error
    return taken


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """A new folder, removed at the end of the block, or by :func:`sweep_temporary` after a kill."""
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, ignore_cleanup_errors=True) as name:
        yield Path(name)


def sweep_temporary() -> None:
    """Remove the temporary data folders of this user whose servers were killed."""
    for root in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError, StorageError):
            is_own = os.name != "posix" or root.lstat().st_uid == os.getuid()
            if is_own and not root.is_symlink() and (root / MARKER).is_file() and (root / LOCK).is_file():
                with lock(root):
                    shutil.rmtree(root, ignore_errors=True)


def _is_foreign(root: Path) -> bool:
    """Whether there are other files than ours; the root of a disk has a ``lost+found``."""
    names = {path.name for path in root.iterdir() if not path.name.startswith(f".{MARKER}.")}
    return bool(names - {"lost+found"}) and not _is_first_layout(root)


def _is_first_layout(root: Path) -> bool:
    database, secret = root / DATABASE, root / SECRET
    if database.is_file():
        with database.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    has_folders = (root / OWNERS).is_dir() and (root / INCOMING).is_dir()
    return has_folders and secret.is_file() and secret.stat().st_size == 32  # the database is elsewhere
