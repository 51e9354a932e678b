"""Collects the files of a visitor's folder from several uploads, including ZIP archives.

Archives are not trusted: one with a path that leads outside, or of a size that no archive of pictures has, is
refused; bytes are counted while they are unpacked. Files that cannot be used are listed with the reason.
"""

from __future__ import annotations

import dataclasses
import io
import lzma
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from workbench.core.errors import WorkbenchError

MAX_FILES = 5000
MAX_BYTES = 4_000_000_000  # of all files together, unpacked
_LIST_BYTES = 8_000_000  # of an archive's directory, more than MAX_FILES need
_KEPT_FREE = 200_000_000  # bytes of the disk
BOMB_BYTES, BOMB_RATIO = 100_000_000, 100  # pictures hardly shrink: beyond both it is a ZIP bomb
# what zipfile raises on damaged archives
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, ValueError, MemoryError),
)
_NAME_BYTES, _PATH_BYTES = 255, 1000
_CHUNK = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:")
_JUNK = ("__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini")  # added to folders by operating systems


class _Archive(io.FileIO):
    """A file that refuses to read a directory larger than an honest archive has: parsing one of a gigabyte
    would take ten gigabytes of memory.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LIST_BYTES:
            raise zipfile.BadZipFile("a list of too many files")
        return super().read(-1 if size is None else size)


@dataclasses.dataclass
class CollectedFiles:
    """A folder of files."""

    folder: Path
    names: list[str] = dataclasses.field(default_factory=list)  # paths in it, sorted
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)  # path -> reason
    bytes: int = 0


def collect_files(inputs: Sequence[Path], names: Sequence[str], folder: Path) -> CollectedFiles:
    """Copy uploads, and the contents of ZIP archives among them, into an empty folder.

    Args:
        inputs: files, which are not changed.
        names: their original names, in the same order.
        folder: an empty one.

    Raises:
        WorkbenchError: an archive holds a path that leads outside, is damaged or unpacks to too much; or too
            many files.
    """
    found = CollectedFiles(folder)
    for path, name in zip(inputs, names, strict=True):
        if zipfile.is_zipfile(path):
            _unpack(path, name, found)
        elif place := _place(found, PurePosixPath(name.replace("\\", "/")).name):
            shutil.copyfile(path, place)
    found.names.sort()
    return found


def _unpack(path: Path, title: str, found: CollectedFiles) -> None:
    try:
        with _Archive(path) as file, zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(members, title, path.stat().st_size, found)
            for member in members:
                name = member.filename.replace("\\", "/")
                if _is_junk(name):
                    continue
                if reason := _reason_to_skip(member):
                    found.skipped[name[:_NAME_BYTES]] = reason
                elif place := _place(found, name):
                    _extract(archive, member, place, name, found)
    except WorkbenchError:
        raise
    except _DAMAGED as error:
        if _is_disk_error(error):
            raise
        raise WorkbenchError(f"{title} is damaged and cannot be opened as a ZIP. Make it anew.") from error


def _check(members: Sequence[zipfile.ZipInfo], title: str, size: int, found: CollectedFiles) -> None:
    for member in members:
        name = member.filename.replace("\\", "/")
        if name.startswith("/") or _DRIVE.match(name) or ".." in PurePosixPath(name).parts:
            raise WorkbenchError(
                f"Expected a ZIP whose paths stay inside it but {title} holds {name[:80]!r}. Make it anew."
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(BOMB_BYTES, BOMB_RATIO * size):
        raise WorkbenchError(
            f"Expected a ZIP of pictures but {title} unpacks from {size / 1e6:.3g} MB to "
            f"{unpacked / 1e6:.4g} MB."
        )
    if unpacked > shutil.disk_usage(found.folder).free - _KEPT_FREE:
        raise WorkbenchError(
            f"There is no room for the {unpacked / 1e6:.4g} MB that {title} unpacks to. Come back later."
        )
    if len(found.names) + len(members) > MAX_FILES or found.bytes + unpacked > MAX_BYTES:
        raise WorkbenchError(
            f"Expected at most {MAX_FILES} files and {MAX_BYTES / 1e9:g} GB but {title} brings more. "
            "Divide it."
        )


def _reason_to_skip(member: zipfile.ZipInfo) -> str:
    """Why a member is passed over, or ""."""
    if member.flag_bits & 1:
        return "locked with a password"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link, and not a file"
    return ""


def _place(found: CollectedFiles, name: str) -> Path | None:
    """Destination of a file; None, with the reason noted, if its name cannot be used."""
    parts = PurePosixPath(name).parts
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    if not parts or max(sizes) > _NAME_BYTES or sum(sizes) > _PATH_BYTES or not name.isprintable():
        found.skipped[name[:_NAME_BYTES]] = "its name is too long, or holds characters that cannot be shown"
        return None
    place = found.folder / name
    if len(found.names) >= MAX_FILES:
        found.skipped[name] = f"more than {MAX_FILES} files"
        return None
    if place.exists() or any((found.folder / parent).is_file() for parent in PurePosixPath(name).parents):
        found.skipped[name] = "a second file of this name"
        return None
    place.parent.mkdir(parents=True, exist_ok=True)
    found.names.append(PurePosixPath(name).as_posix())
    return place


def _extract(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, name: str, found: CollectedFiles
) -> None:
    """Write one member, at most as many bytes as declared."""
    left = member.file_size
    try:
        with archive.open(member) as source, place.open("xb") as target:
            while block := source.read(min(_CHUNK, left + 1)):
                left -= len(block)
                if left < 0:
                    raise zipfile.BadZipFile("more bytes than announced")
                target.write(block)
                found.bytes += len(block)
    except _DAMAGED as error:
        if _is_disk_error(error):
            raise
        found.names.remove(PurePosixPath(name).as_posix())
        found.skipped[name] = "damaged in the archive"
        place.unlink(missing_ok=True)


def _is_disk_error(error: Exception) -> bool:
    """Whether the disk failed, not the archive; bzip2 raises an ``OSError`` without a number."""
    return isinstance(error, OSError) and error.errno is not None


def _is_junk(name: str) -> bool:
    return any(part in _JUNK or part.startswith("._") or part == ".DS_Store" for part in name.split("/"))
