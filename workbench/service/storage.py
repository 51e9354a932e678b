"""Files in the data folder: a folder per owner and per job; files are written atomically.

    owners/OWNER/JOB/input/00.jpg       written before the job is accepted
    owners/OWNER/JOB/result/…           appears by one rename, when the job is done
    owners/OWNER/JOB/try-TOKEN/…        an attempt's own folder; removed with the attempt
    incoming/TOKEN/…                    uploads that are not accepted yet, jobs that are being removed
    quarantine/TIME/OWNER/JOB/…         jobs unknown to the database at a start; never removed

Owner and job ids are created here and checked before they are used in a path; names chosen by visitors never
are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from workbench.core.files import file_digest
from workbench.service.errors import LimitError, StorageError
from workbench.service.folder import INCOMING, OWNERS, QUARANTINE, read_marker

_ID = re.compile(r"[aju][0-9a-f]{32}")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_ATTEMPT = re.compile(r"try-[0-9a-f]{16}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_CHUNK = 1 << 20


class ResultFile(NamedTuple):
    """A result file."""

    name: str
    bytes: int
    sha256: str


def new_id(kind: str) -> str:
    """An id that cannot be guessed: ``a`` anonymous owner, ``u`` user, ``j`` job, then 128 random bits."""
    return kind + secrets.token_hex(16)


def is_id(value: object, kinds: str) -> bool:
    """Whether ``value`` has the form of an id of one of ``kinds``."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None and value[0] in kinds


def explain(error: OSError, doing: str) -> StorageError:
    """An error of the file system as one line without paths."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"The disk is full while {doing}. Delete old jobs, or come back later.")
    return StorageError(f"The data folder failed while {doing} ({error.strerror}). Try again later.")


class Store:
    """The files of all jobs.

    Args:
        root: the data folder; made with rights for this user only.

    Attributes:
        id: of the folder; None for one of the first layout that no database is tied to yet.

    Raises:
        StorageError: the folder is somebody else's, or cannot be made.
    """

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root).resolve()
        self.id = read_marker(self.root)
        try:
            for name in (OWNERS, INCOMING):
                (self.root / name).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageError(
                f"The data folder {self.root} cannot be made ({error.strerror}). Check path and rights."
            ) from error

    def job(self, owner: str, job: str) -> Path:
        """The job's folder. Raises ``StorageError`` on anything that is not an id made here."""
        if not (is_id(owner, "au") and is_id(job, "j")):
            raise StorageError("Expected ids made by the platform. Take them from its answers.")
        return self.root / OWNERS / owner / job

    def accept(
        self, owner: str, job: str, sources: Sequence[str | os.PathLike], most: int, room: int
    ) -> tuple[list[str], int]:
        """Copy a job's inputs in, all or none.

        Args:
            sources: files to copy.
            most: bytes that one of them may have.
            room: bytes that all of them may have: what is left of the owner's quota.

        Returns:
            (names within the input folder, bytes of all).

        Raises:
            LimitError: too large, or above the quota. StorageError: unreadable, or the disk is full.
        """
        target = self.job(owner, job)
        staging = self._staging()
        names, total = [], 0
        try:
            (staging / "input").mkdir(parents=True, mode=0o700)
            for number, source in enumerate(sources):
                suffix = Path(source).suffix.lower()
                name = f"{number:02d}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
                total += _copy(Path(source), staging / "input" / name, most, room - total)
                names.append(name)
            _sync(staging / "input")
            target.parent.mkdir(mode=0o700, exist_ok=True)
            staging.rename(target)
            _sync(target.parent)
        except OSError as error:
            raise explain(error, "taking the upload") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return names, total

    def inputs(self, owner: str, job: str, names: Sequence[str]) -> list[Path]:
        """Paths of a job's inputs."""
        return [self.job(owner, job) / "input" / name for name in names]

    def attempt(self, owner: str, job: str) -> Path:
        """A new folder for one attempt, which a late earlier attempt cannot reach."""
        folder = self.job(owner, job) / f"try-{secrets.token_hex(8)}"
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise explain(error, "preparing the work") from error
        return folder

    def publish(self, owner: str, job: str, attempt: Path) -> list[ResultFile]:
        """Turn an attempt's folder into the job's result by one rename; all its bytes are on disk before."""
        target = self.job(owner, job) / "result"
        try:
            for path in attempt.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            _sync(attempt)
            attempt.rename(target)
            _sync(target.parent)
        except OSError as error:
            raise explain(error, "writing the result") from error
        return self.made(owner, job) or []

    def made(self, owner: str, job: str) -> list[ResultFile] | None:
        """The files of a published result, by name, or None if there is none yet."""
        folder = self.job(owner, job) / "result"
        if not folder.is_dir():
            return None
        found = []
        for path in sorted(folder.iterdir()):
            found.append(ResultFile(path.name, path.stat().st_size, file_digest(path)))
        return found

    def result(self, owner: str, job: str, name: str) -> Path:
        """Path of one result file, whose ``name`` stands in the database."""
        path = self.job(owner, job) / "result" / name
        if Path(name).name != name or not path.is_file():
            raise StorageError("The result is gone from the data folder. Run the job again.")
        return path

    def size_of(self, attempt: Path) -> int:
        """Bytes that an attempt has written as its result; folders in it are temporary."""
        total = 0
        with contextlib.suppress(FileNotFoundError):  # it is being removed
            for entry in os.scandir(attempt):
                total += entry.stat(follow_symlinks=False).st_size if entry.is_file() else 0
        return total

    def discard(self, attempt: Path) -> None:
        """Remove an attempt's folder."""
        shutil.rmtree(attempt, ignore_errors=True)

    def delete(self, owner: str, job: str) -> None:
        """Remove everything of a job, and the owner's folder when it was the last."""
        folder, staging = self.job(owner, job), self._staging()
        with contextlib.suppress(FileNotFoundError):
            folder.rename(staging)  # at once: half a job is never seen
        shutil.rmtree(staging, ignore_errors=True)
        with contextlib.suppress(OSError):  # other jobs are in it
            folder.parent.rmdir()

    def jobs(self) -> set[tuple[str, str]]:
        """(owner, job) of every job that has a folder."""
        found = ((path.parent.name, path.name) for path in (self.root / OWNERS).glob("*/*") if path.is_dir())
        return {(owner, job) for owner, job in found if is_id(owner, "au") and is_id(job, "j")}

    def sweep(self, known: set[tuple[str, str]]) -> Path | None:
        """Clean up after a killed server, while no job runs and none is being submitted.

        Uploads that were never accepted and unfinished attempts are removed. Jobs that the database does not
        know are moved to quarantine, which is kept; those that it knows again are moved back. Other files are
        left alone.

        Args:
            known: (owner, job) of every row of the database.

        Returns:
            The quarantine of today if anything was moved into it.
        """
        kept = self.jobs()
        for old in sorted((self.root / QUARANTINE).glob("*/*/*"), reverse=True):
            pair = (old.parent.name, old.name)
            if pair in known - kept:
                self._move(old, self.job(*pair))
                kept.add(pair)
        quarantine = self.root / QUARANTINE / time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
        for owner, job in kept - known:
            self._move(self.job(owner, job), quarantine / owner / job)
        gone = [path for path in (self.root / INCOMING).iterdir() if _TOKEN.fullmatch(path.name)]
        for owner, job in kept & known:
            gone += [path for path in self.job(owner, job).glob("try-*") if _ATTEMPT.fullmatch(path.name)]
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)
        return quarantine if kept - known else None

    def _staging(self) -> Path:
        return self.root / INCOMING / secrets.token_hex(16)

    def _move(self, source: Path, target: Path) -> None:
        """By one rename; the folders above ``source`` go when it was the last in them."""
        for folder in (target.parent.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.rename(target)
        with contextlib.suppress(OSError):  # others are in it
            source.parent.rmdir()
            source.parent.parent.rmdir()

    def free(self) -> int:
        """Bytes left on the disk."""
        return shutil.disk_usage(self.root).free


def _copy(source: Path, target: Path, most: int, room: int) -> int:
    """Copy at most ``most`` bytes, counted while copying, since the file may grow."""
    count = 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(_CHUNK):
            count += len(block)
            if count > most:
                raise LimitError(
                    f"Expected an upload of at most {_mb(most)} but it is larger. Scale it down."
                )
            if count > room:
                raise LimitError(f"Only {_mb(max(room, 0))} of your space are left. Delete old jobs first.")
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return count


def _mb(count: int) -> str:
    return f"{count / 1e6:.4g} MB"


def _sync(folder: Path) -> None:
    """Make the folder's entries durable, where the system can open folders."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
