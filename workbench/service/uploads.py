"""Uploads to the page that are not submitted yet: limited in size, and removed after some hours.

    cache/RUN/uploads/OWNER/TOKEN/…     one folder a request, which nobody else can guess
    cache/RUN/results/OWNER/TOKEN/…     one folder a result

Only OWNER may read either. RUN is a folder of this process, which also has the page's other temporary files.
The folders of processes that were killed are removed at the next start.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench.service.errors import LimitError, StorageError
from workbench.service.limits import Limits, network
from workbench.service.sessions import NOBODY

CACHE, UPLOADS, RESULTS = "cache", "uploads", "results"
CACHE_VARIABLE = "GRADIO_TEMP_DIR"
KEEP_SECONDS = 6 * 3600.0
_RUN = re.compile(r"[0-9a-f]{32}")
_BLOCK = 4096  # bytes that even an empty file takes
_folder: contextvars.ContextVar[Path | None] = contextvars.ContextVar("upload folder", default=None)


class OwnFolder(os.PathLike):
    """The folder of the request that is being answered; ``base`` outside of any.

    It stands where a framework expects one folder for all uploads.
    """

    def __init__(self, base: Path):
        self._base = base

    def __fspath__(self) -> str:
        return str(_folder.get() or self._base)

    __str__ = __fspath__


class NewFolder(os.PathLike):
    """A folder of its own below ``base`` for each file, where a framework expects one for all."""

    def __init__(self, base: Path):
        self._base = base

    def __fspath__(self) -> str:
        return str(self._base / secrets.token_hex(16))


def new_request() -> None:
    """Forget the upload folder of an earlier request on the same connection.

    asyncio hands the context of whoever reads the last of a body to all that the connection brings later.
    """
    _folder.set(None)


class Uploads:
    """The uploads of one data folder.

    Args:
        root: the data folder.
        secret: makes the names of the owners' folders.
        limits: of bytes.
    """

    def __init__(self, root: Path, secret: bytes, limits: Limits):
        self.run = root / CACHE / secrets.token_hex(16)
        self._secret, self._limits = secret, limits
        self._incoming: dict[str, tuple[str, int]] = {}  # requests: (owner's folder, bytes reserved)
        self._senders: dict[Path, str] = {}  # addresses that folders of requests came from
        in_use = os.environ.get(CACHE_VARIABLE)  # by another page of this process
        try:
            for old in self.run.parent.iterdir() if self.run.parent.is_dir() else ():
                if _RUN.fullmatch(old.name) and str(old) != in_use:
                    shutil.rmtree(old, ignore_errors=True)
            (self.run / UPLOADS).mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise StorageError(
                f"The cache {self.run.parent} cannot be made ({error.strerror}). Check what lies there."
            ) from error

    def folder(self, owner: str) -> Path:
        """Where an owner's uploads lie."""
        return self.run / UPLOADS / self._name(owner)

    def result_folder(self, owner: str) -> Path:
        """A new folder for one result, which its owner alone may see."""
        folder = self.run / RESULTS / self._name(owner) / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def _name(self, owner: str) -> str:
        return hashlib.sha256(self._secret + owner.encode()).hexdigest()[:32]

    def may_see(self, owner: str, path: str | os.PathLike) -> bool:
        """Whether ``path`` is neither an upload nor a result, or one of ``owner``'s or of nobody's."""
        whole = Path(os.path.realpath(path))
        for kind in (UPLOADS, RESULTS):
            everybodys = Path(os.path.realpath(self.run / kind))
            if whole.is_relative_to(everybodys):
                return any(whole.is_relative_to(everybodys / self._name(one)) for one in (owner, NOBODY))
        return True

    def room(self, owner: str, address: str = "") -> int:
        """Bytes that an owner may upload now.

        Args:
            owner: who uploads.
            address: of the client; a visitor may have many owner ids.

        Raises:
            LimitError: none, since too many uploads of the owner, the address or in total wait to be
                submitted.
            StorageError: none, since the disk is nearly full.
        """
        mine, limits, address = self.folder(owner), self._limits, network(address)
        left_to_owner = limits.upload_bytes - _size(mine) - self._reserved(mine.name)
        left_to_all = limits.upload_bytes_in_total - _size(mine.parent) - self._reserved()
        free = self.check_disk() - self._reserved()
        theirs = [folder for folder, sender in list(self._senders.items()) if address and sender == address]
        left_to_address = limits.upload_bytes_per_address - sum(
            max(_size(folder), self._incoming.get(folder.name, ("", 0))[1]) for folder in theirs
        )
        if min(left_to_all, left_to_address, free) <= 0:
            raise LimitError("Too many uploads wait at the moment. Come back in a while.")
        if left_to_owner <= 0:
            raise LimitError(
                f"Your uploads fill the {limits.upload_bytes / 1e6:.4g} MB that they may have. The oldest go "
                f"after {KEEP_SECONDS / 3600:g} hours."
            )
        return min(left_to_owner, left_to_address, left_to_all, free)

    def size(self) -> int:
        """Bytes of all uploads."""
        return _size(self.run / UPLOADS)

    def check_disk(self) -> int:
        """Bytes that may be written.

        Raises:
            StorageError: none, since the disk is nearly full.
        """
        return self._limits.check_disk(self.run)

    def serve_from(self, cache: Path) -> None:
        """Keep uploads below ``cache`` instead, the folder of whatever else the page keeps."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.run = cache / secrets.token_hex(16)
        (self.run / UPLOADS).mkdir(parents=True, mode=0o700)

    @contextlib.contextmanager
    def receiving(self, owner: str, size: int, address: str = "") -> Iterator[Path]:
        """A folder for one request of ``size`` bytes, which are reserved while it lasts.

        What lies in it stays if the block ends without an exception, and goes otherwise.
        """
        folder = self.folder(owner) / secrets.token_hex(16)
        self._incoming[folder.name] = (folder.parent.name, size)
        self._senders[folder] = network(address)
        token = _folder.set(folder)
        try:
            folder.mkdir(parents=True, mode=0o700)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            del self._senders[folder]
            raise
        finally:
            _folder.reset(token)
            del self._incoming[folder.name]

    def sweep(self, now: float | None = None) -> None:
        """Remove uploads and results that are older than ``KEEP_SECONDS``."""
        before = (time.time() if now is None else now) - KEEP_SECONDS
        # listed first, since removing folders would disturb the search
        for folder in [p for kind in (UPLOADS, RESULTS) for p in (self.run / kind).glob("*/*")]:
            with contextlib.suppress(OSError):
                if folder.name not in self._incoming and folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)
                    self._senders.pop(folder, None)
                    folder.parent.rmdir()  # unless another upload is in it

    def trim(self) -> None:
        """Remove the oldest results of owners, and of all together, that have more than they may."""
        results, limits = self.run / RESULTS, self._limits
        for owner in list(results.glob("*")):
            _keep_newest(owner.glob("*"), limits.result_bytes)
        _keep_newest(results.glob("*/*"), limits.result_bytes_in_total)

    def close(self) -> None:
        """Remove all of them."""
        for kind in (UPLOADS, RESULTS):
            shutil.rmtree(self.run / kind, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.run.rmdir()  # unless something else of the page is in it

    def _reserved(self, owner: str | None = None) -> int:
        return sum(size for whose, size in list(self._incoming.values()) if owner in (None, whose))


def _keep_newest(folders: Iterable[Path], most: int) -> None:
    """Remove the oldest folders until all have ``most`` bytes together; empty ones are of tasks that wait."""
    total, aged = 0, []
    for folder in folders:
        with contextlib.suppress(OSError):
            aged.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(aged, reverse=True):
        size = _size(folder)
        total += size
        if size and total > most:
            shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes on the disk below ``folder``; what goes meanwhile counts for nothing."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += max(_BLOCK, os.lstat(os.path.join(where, name)).st_size)
    return total
