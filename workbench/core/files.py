"""Writing results: a whole file or none at all, in the format that the suffix names."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from PIL import Image

from workbench.core.errors import ImageError, WorkbenchError

# Suffix: Pillow's format and the options that keep what was drawn
OUTPUTS = {
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
    """Write to a neighbouring file and rename it when it is complete, so that no reader sees half of it.

    Raises:
        WorkbenchError: the file cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise WorkbenchError(
            f"{path} cannot be written ({error.strerror}). Check path, rights and space."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # it is gone if all went well
            partial.unlink()
