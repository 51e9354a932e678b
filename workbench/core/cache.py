"""Content keys of results, made of everything that they depend on, and a folder of results by key.

A result belongs to the *contents* of its files, its labels, votes and groups, its settings, and the version
of the step that made it. A resumed computation looks up the current key: a result under it is valid, and any
other is computed. Changing a label, a group or a picture changes the keys of all that depends on it, and of
nothing else.

    cache = Cache(out / "cache")
    features = cache.arrays(key("features", 1, config, picture=Path("a.jpg")), lambda: {"x": compute()})
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.errors import WorkbenchError
from workbench.core.files import file_digest, replacing, write_whole

Arrays = dict[str, np.ndarray]

log = logging.getLogger(__name__)


def digest(value: Any) -> str:
    """Digest of a value by its contents, 32 hexadecimal digits.

    Supported are None, booleans, numbers, strings, bytes, enums, dates, numpy arrays, tensors, paths (the
    *contents* of the file, or names and contents of all files of a folder), and mappings, sequences, sets and
    dataclasses of these. The order of a mapping or a set does not count, that of a sequence does. The name of
    a dataclass counts, its module does not.

    Raises:
        TypeError: anything else: its digest would not be stable between processes.
        WorkbenchError: a path that cannot be read.
    """
    state = hashlib.sha256()
    _feed(state, value)
    return state.hexdigest()[:32]


def key(step: str, version: int, settings: Any = None, **data: Any) -> str:
    """Key of one result: ``STEP-`` and the digest of the step's version, its settings and its data.

    Args:
        step: name of the step; letters, digits, "_" and "-".
        version: raised whenever the step computes something else from the same input.
        settings: what was chosen: a config dataclass or a mapping.
        data: what it was computed from.
    """
    return f"{step}-{digest((version, settings, data))}"


def _feed(state: Any, value: Any) -> None:
    """Add a value to a running digest; every value starts with its kind and length, so that the encoding is
    unambiguous.
    """
    match value:
        case None | bool() | int():
            _mark(state, "value", repr(value).encode())
        case enum.Enum():
            _mark(state, "enum", f"{type(value).__name__}.{value.name}".encode())
        case np.generic():
            _feed(state, value.item())
        case float():
            _mark(state, "float", (b"nan" if math.isnan(value) else value.hex().encode()))
        case str():
            _mark(state, "str", value.encode("utf-8", "surrogatepass"))
        case bytes() | bytearray() | memoryview():
            _mark(state, "bytes", bytes(value))
        case os.PathLike():
            _feed_path(state, Path(value))
        case np.ndarray():
            if value.dtype == object:
                _mark(state, "array", str(value.shape).encode())
                _feed(state, value.ravel().tolist())
            else:
                _mark(state, "array", f"{value.dtype.str}{value.shape}".encode())
                _mark(state, "data", np.ascontiguousarray(value).tobytes())
        case Mapping():
            _feed_unordered(state, "mapping", value.items())
        case Set():
            _feed_unordered(state, "set", value)
        case Sequence():
            _mark(state, "sequence", str(len(value)).encode())
            for item in value:
                _feed(state, item)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            _mark(state, "dataclass", type(value).__name__.encode())
            _feed(state, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
        case _ if hasattr(value, "detach"):  # a tensor, without importing torch for the question
            _feed(state, value.detach().cpu().numpy())
        case _ if hasattr(value, "isoformat"):  # dates and times
            _mark(state, "date", value.isoformat().encode())
        case _:
            raise TypeError(
                f"Expected data or settings to digest but got {type(value).__name__}, whose contents are not "
                "known. Pass what it is made of."
            )


def _mark(state: Any, kind: str, payload: bytes) -> None:
    state.update(f"{kind}:{len(payload)}:".encode() + payload)


def _feed_unordered(state: Any, kind: str, items: Iterable) -> None:
    _mark(state, kind, "".join(sorted(digest(item) for item in items)).encode())


def _feed_path(state: Any, path: Path) -> None:
    if not path.is_dir():
        return _mark(state, "file", file_digest(path).encode())
    files = sorted(p for p in path.rglob("*") if p.is_file())
    _mark(state, "folder", str(len(files)).encode())
    for file in files:
        _feed(state, file.relative_to(path).as_posix())
        _mark(state, "file", file_digest(file).encode())
    return None


def user_cache(name: str) -> Path:
    """A folder in the user's cache, or a temporary one if that cannot be written."""
    from platformdirs import user_cache_path

    folder = _writable(user_cache_path("painter-psychology-workbench", appauthor=False)) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def _writable(folder: Path) -> Path:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    instead = Path(tempfile.mkdtemp(prefix="painter-psychology-workbench-"))
    log.warning("%s cannot be written: %s is used instead. XDG_CACHE_HOME chooses another.", folder, instead)
    return instead


class Cache:
    """Results by key in one folder. Files are written whole or not at all; a damaged one is made anew.

    Args:
        folder: made with the first result.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def path(self, key: str, suffix: str = "") -> Path:
        """Path of the result of ``key``, whether it exists or not."""
        if not key or key != Path(key).name:
            raise WorkbenchError(f"Expected a key without folders but got {key!r}.")
        return self.folder / f"{key}{suffix}"

    def __contains__(self, name: str) -> bool:
        """Whether a file of this name, a key and its suffix, is there."""
        return self.path(name).is_file()

    def arrays(self, key: str, make: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
        """The arrays of a key, computed by ``make`` unless they are there."""

        def read(path: Path) -> Arrays:
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}

        def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
            with replacing(path) as partial, partial.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]

        return self.get(key, ".npz", make, read, write)

    def json(self, key: str, make: Callable[[], Any]) -> Any:
        """The JSON value of a key, computed by ``make`` unless it is there."""

        def write(path: Path, value: Any) -> None:
            write_whole(json.dumps(value, ensure_ascii=False, indent=1).encode(), path)

        return self.get(key, ".json", make, lambda path: json.loads(path.read_text(encoding="utf-8")), write)

    def get(
        self,
        key: str,
        suffix: str,
        make: Callable[[], Any],
        read: Callable[[Path], Any],
        write: Callable[[Path, Any], None],
    ) -> Any:
        """The result of a key in the caller's format.

        Args:
            key: see :func:`key`.
            suffix: of the file.
            make: computes the result.
            read: reads it back; on any error the file counts as damaged and is computed again.
            write: writes it, by :func:`workbench.core.files.replacing`.
        """
        path = self.path(key, suffix)
        if path.is_file():
            with contextlib.suppress(Exception):
                return read(path)
        result = make()
        write(path, result)
        return result

    def prune(self, keep: Iterable[str]) -> None:
        """Remove the results of all keys but ``keep``.

        Only files whose name is a key of :func:`key` are removed: other files stay.
        """
        kept = set(keep)
        for path in self.folder.glob("*-*") if self.folder.is_dir() else ():
            stem, _, rest = path.name.partition(".")
            made_here = len(stem) > 33 and stem[-33] == "-" and set(stem[-32:]) <= set("0123456789abcdef")
            if made_here and stem not in kept and "." not in rest and path.is_file():
                path.unlink(missing_ok=True)
