"""Atomic writes, output names, and digests of files."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import itertools
import logging
import os
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.errors import ImageError, WorkbenchError

if TYPE_CHECKING:
    from PIL import Image

log = logging.getLogger(__name__)

# Suffix: Pillow's format and the options that keep what was drawn
OUTPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
}


SOFTWARE = "Painter Psychology Workbench"  # that a PNG says it was written by
_LONGEST_NAME = 255  # bytes of a file's name


def check_output(path: str | os.PathLike) -> None:
    """Fail before any work is done on a suffix that cannot be written (none at all means PNG).

    Raises:
        ImageError: for any suffix that is not in :data:`OUTPUTS`.
    """
    path = Path(path)
    if path.suffix and path.suffix.lower() not in OUTPUTS:
        raise ImageError(f"Expected an output ending in {', '.join(OUTPUTS)} but got {path.name}. Rename it.")


def write_image(image: Image.Image, path: str | os.PathLike, signed: bool = False) -> None:
    """Encode a picture as the suffix of ``path`` says and write it whole or not at all; folders are made.

    Args:
        image: of any mode that the format holds.
        path: where to write.
        signed: whether a PNG says that the workbench wrote it, so that it may be replaced.

    Raises:
        ImageError: unknown suffix, or too large for the format (a WebP side ends at 16,383 pixels).
        WorkbenchError: the file cannot be written.
    """
    path = Path(path)
    check_output(path)
    kind, options = OUTPUTS[path.suffix.lower() or ".png"]
    if kind == "PNG" and signed:
        from PIL.PngImagePlugin import PngInfo

        mark = PngInfo()
        mark.add_text("Software", SOFTWARE)
        options = {**options, "pnginfo": mark}
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{image.width}×{image.height} pixels cannot be written as {kind} ({error}). Use PNG."
        ) from error
    write_whole(buffer.getbuffer(), path)


def is_ours(path: str | os.PathLike) -> bool:
    """Whether a file is a PNG that :func:`write_image` signed."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.info.get("Software") == SOFTWARE
    except (OSError, ValueError, SyntaxError):
        return False


def output_names(files: Sequence[Path], suffix: str) -> list[Path]:
    """Names of the outputs for each file, in the same folder and with ``suffix``.

    The names differ in more than case or Unicode form, which some systems do not distinguish, and are at most
    as long as file systems allow: the suffix replaces the file's own, or is added where two would be one.
    """
    names = [_fitting(file.with_suffix(suffix)) for file in files]
    count = Counter(map(_folded, names))
    added = [_fitting(file.with_name(file.name + suffix)) for file in files]
    names = [a if count[_folded(n)] > 1 else n for n, a in zip(names, added, strict=True)]
    if len(set(map(_folded, names))) < len(names):
        names = added
    taken: set[str] = set()
    for place, name in enumerate(names):
        names[place] = next(one for one in _numbered(name) if _folded(one) not in taken)
        taken.add(_folded(names[place]))
    return names


def free_name(path: Path, ours: bool = False) -> Path:
    """``path``, or with a number in its name where a file of that name exists: "a-2.png".

    With ``ours``, a file that the workbench signed counts as none.
    """
    names = _numbered(_fitting(path))
    return next(one for one in names if not os.path.lexists(one) or (ours and is_ours(one)))


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield _fitting(path.with_name(f"{path.stem}-{number}{path.suffix}"))


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def _fitting(path: Path) -> Path:
    """The path with a name of at most 255 bytes; the end of a longer one becomes its digest."""
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST_NAME:
        return path
    tail = f"~{hashlib.sha256(name).hexdigest()[:8]}{path.suffix}"
    stem = os.fsencode(path.stem)[: _LONGEST_NAME - len(os.fsencode(tail))]
    return path.with_name(stem.decode("utf-8", "ignore") + tail)


def write_whole(data: bytes | memoryview, path: str | os.PathLike) -> None:
    """Write ``path`` whole or not at all: no reader ever sees half of it. Folders are made.

    Raises:
        WorkbenchError: the file cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    After an error the temporary file is gone and ``path`` is as it was. The temporary name keeps the suffix,
    by which many writers choose their format. A symbolic link stays a link: its target is replaced.

    Raises:
        WorkbenchError: the folder or the file cannot be written.
    """
    path = Path(path)
    target = path.resolve() if path.is_symlink() else path
    unique = f"{hidden_name(target)}.{os.getpid()}.{threading.get_ident():x}"
    partial = target.with_name(f"{unique}.part{target.suffix[:16]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(target)
    except OSError as error:
        reason = error.strerror or error
        raise WorkbenchError(
            f"{path} cannot be written ({reason}). Check the path, its permissions and the free space."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # it is gone if all went well
            partial.unlink()


def hidden_name(path: Path) -> str:
    """Prefix of the names of a file's temporary neighbours: short, as its own name may have the greatest
    length.
    """
    return f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]}"


Identity = tuple[str, int, int, int]


def identity(path: str | os.PathLike) -> Identity | None:
    """Path, modification time, size and inode: another value whenever the file was replaced; None without a
    file.
    """
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return os.path.abspath(path), stat.st_mtime_ns, stat.st_size, stat.st_ino


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file's contents, in hexadecimal; computed once as long as the file is not touched.

    Raises:
        WorkbenchError: the file cannot be read.
    """
    file = identity(path)
    if file is None:
        raise WorkbenchError(f"Expected a file at {path} but there is none that can be read. Check the path.")
    return _digest_of(file)


@functools.lru_cache(maxsize=65536)
def _digest_of(file: Identity) -> str:
    try:
        with open(file[0], "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WorkbenchError(
            f"{file[0]} cannot be read ({error.strerror}). Check its permissions."
        ) from error
