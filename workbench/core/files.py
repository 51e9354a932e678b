"""Files: written whole or not at all, and told apart by their contents."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.errors import ImageError, WorkbenchError

if TYPE_CHECKING:
    from PIL import Image

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


def check_output(path: str | os.PathLike) -> None:
    """Fail before any work is done on a suffix that cannot be written (none at all means PNG).

    Raises:
        ImageError: for any suffix that is not in :data:`OUTPUTS`.
    """
    path = Path(path)
    if path.suffix and path.suffix.lower() not in OUTPUTS:
        raise ImageError(f"Expected an output ending in {', '.join(OUTPUTS)} but got {path.name}. Rename it.")


def write_image(image: Image.Image, path: str | os.PathLike) -> None:
    """Encode a picture as the suffix of ``path`` says and write it whole or not at all; folders are made.

    Raises:
        ImageError: unknown suffix, or too large for the format (a WebP side ends at 16,383 pixels).
        WorkbenchError: the file cannot be written.
    """
    path = Path(path)
    check_output(path)
    kind, options = OUTPUTS[path.suffix.lower() or ".png"]
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{image.width}×{image.height} pixels cannot be written as {kind} ({error}). Use PNG."
        ) from error
    write_whole(buffer.getbuffer(), path)


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
    by which many writers choose their format. A symbolic link stays one: what it points at is replaced.

    Raises:
        WorkbenchError: the folder or the file cannot be written.
    """
    path = Path(path)
    target = path.resolve() if path.is_symlink() else path
    # the name of the target may be as long as the file system allows: the temporary one is short
    unique = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
    partial = target.with_name(f".{unique}.{os.getpid()}.{threading.get_ident():x}.part{target.suffix[:16]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(target)
    except OSError as error:
        reason = error.strerror or error
        raise WorkbenchError(f"{path} cannot be written ({reason}). Check path, rights and space.") from error
    finally:
        with contextlib.suppress(OSError):  # it is gone if all went well
            partial.unlink()


Identity = tuple[str, int, int, int]


def identity(path: str | os.PathLike) -> Identity | None:
    """Path, time of change, size and inode: another value whenever the file was replaced; None without."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return os.path.abspath(path), found.st_mtime_ns, found.st_size, found.st_ino


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file's contents, in hexadecimal; computed once as long as the file is not touched.

    Raises:
        WorkbenchError: the file cannot be read.
    """
    found = identity(path)
    if found is None:
        raise WorkbenchError(f"Expected a file at {path} but there is none that can be read. Check the path.")
    return _digest_of(found)


@functools.lru_cache(maxsize=65536)
def _digest_of(found: Identity) -> str:
    try:
        with open(found[0], "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WorkbenchError(f"{found[0]} cannot be read ({error.strerror}). Check its rights.") from error
