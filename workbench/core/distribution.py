"""Files beside the package: in a checkout next to it, in an installation as data files of the wheel."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path, PurePath

import workbench

NAME = "painter-psychology-workbench"


def root_with(name: str) -> Path | None:
    """The folder below which a file of the repository is found, or None if the package came without it.

    Args:
        name: path of the file in the repository, such as ``docs/paper.md``.
    """
    beside = Path(workbench.__file__).resolve().parent.parent
    if (beside / name).is_file():
        return beside
    try:
        files = metadata.files(NAME) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(file.locate()).resolve()
        if PurePath(file).match(name) and path.is_file():
            return path.parents[len(PurePath(name).parts) - 1]
    return None
