"""File types, recognised by their first bytes, and by the suffix only where these say nothing.

A picture of a kind that is not read (camera raw, JPEG XL …) is still known as one, so that it is named and
not passed over in silence.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

HEAD = 64  # bytes that tell a kind

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".heic", ".heif"),
        *(".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)
_RAW_SUFFIXES = (
    *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2"),
    *(".pef", ".srw", ".x3f", ".3fr", ".iiq", ".erf", ".mrw", ".kdc", ".dcr", ".mos"),
)
_OTHER_SUFFIXES = {".jxl": "JPEG XL", ".jp2": "JPEG 2000", ".svg": "an SVG drawing", ".psd": "Photoshop"}
_HEIF = rb"hei[cmsx]|hev[cmx]|mif1|msf1|mif2|miaf"
_PICTURE = (
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|BM....\0\0\0\0|II[*+]\0|MM\0[*+]|P[1-6]\s+[#\d]"
    rb"|....ftyp(avi[fs]|" + _HEIF + rb")"
)
_IS_PICTURE = re.compile(_PICTURE, re.DOTALL)
_IS_HEIF = re.compile(rb"....ftyp(" + _HEIF + rb")", re.DOTALL)
_FILM = "a film"
PICTURE = "a picture"
RAW = "a camera's raw file"
_NOT_READ = tuple(
    (re.compile(signature, re.DOTALL), name)
    for signature, name in (
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
        (rb"II(RO|RS|U\0)|MMOR|II\*\0....CR|FUJIFILMCCD-RAW|FOVb|\0MRM|....ftypcrx", RAW),
        (rb"8BP[SB]", "Photoshop"),
        (rb"gimp xcf", "GIMP"),
        (rb"v/1\x01", "OpenEXR"),
        (rb"#\?(RADIANCE|RGBE)", "Radiance HDR"),
        (rb"%!PS", "PostScript"),
        (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg", "an SVG drawing"),
        (_PICTURE, ""),
        (rb"....(ftyp|moov|mdat|wide)|\x1aE\xdf\xa3|RIFF....AVI |\0\0\1[\xb3\xba]|FLV\1", _FILM),
    )
)


def kind_not_read(head: bytes, suffix: str = "") -> str:
    """Description of a file type that is not read as a picture, e.g. camera raw or a film; "" for all others.

    Args:
        head: the first bytes of the file.
        suffix: of its name; it counts where the bytes tell nothing.
    """
    by_suffix = RAW if suffix.lower() in _RAW_SUFFIXES else _OTHER_SUFFIXES.get(suffix.lower(), "")
    return next((name for signature, name in _NOT_READ if signature.match(head)), by_suffix)


def advice(kind: str) -> str:
    """What to do with a file of a kind that is not read here; said on the command line and on the page."""
    if kind == _FILM:
        return "Redraw it as a video, or save one of its frames as a picture."
    if kind == PICTURE:
        return "Redraw it as a photo."
    return "Export it as PNG or JPEG."


def still_kind(head: bytes, suffix: str = "") -> str:
    """Description of a picture that does not move: :data:`PICTURE` if it is read, else its kind, e.g. camera
    raw; "" for all other files. Raw files often begin like TIFF; then the suffix tells.

    Args:
        head: the first bytes of the file.
        suffix: of its name.
    """
    kind = kind_not_read(head, suffix)
    if kind:
        return "" if kind == _FILM else kind
    if not _IS_PICTURE.match(head) or head.startswith(b"GIF8") or b"ANIM" in head:
        return ""
    return RAW if suffix.lower() in _RAW_SUFFIXES else PICTURE


def is_heif(head: bytes) -> bool:
    """Whether a file is HEIC or HEIF, as phones write it (AVIF is another)."""
    return _IS_HEIF.match(head) is not None


def is_picture(path: str | os.PathLike) -> bool:
    """Whether a file is a picture or a film, by its contents, or should be one, by its suffix."""
    path = Path(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with path.open("rb") if path.is_file() else open(os.devnull, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        head = b""
    return _IS_PICTURE.match(head) is not None or bool(kind_not_read(head, path.suffix))
