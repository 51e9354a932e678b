"""Tables as files: CSV, Parquet or JSON by the suffix, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.errors import WorkbenchError
from workbench.core.extras import require
from workbench.core.files import replacing
from workbench.core.runs import write_rows

if TYPE_CHECKING:
    import pandas

FORMATS = (".csv", ".parquet", ".json")


def check_table(path: str | os.PathLike) -> Path:
    """The path of a table, before any work is done for it.

    Raises:
        WorkbenchError: another suffix than those of :data:`FORMATS`.
        MissingExtraError: ``.parquet`` without pyarrow.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise WorkbenchError(
            f"Expected a table ending in {', '.join(FORMATS)} but got {path.name}. Rename it."
        )
    if path.suffix.lower() == ".parquet":
        require("tables")
    return path


def write_table(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike) -> Path:
    """Write rows in the format of the suffix, whole or not at all.

    Raises:
        WorkbenchError: see :func:`check_table`, or the file cannot be written.
    """
    path = check_table(path)
    if path.suffix.lower() == ".csv":
        cells = ({k: "" if v != v else v for k, v in row.items()} for row in rows)  # nan: an empty cell
        return write_rows(cells, path)
    import pandas

    frame = pandas.DataFrame(list(rows))
    with replacing(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame.to_json(partial, orient="records", indent=1, force_ascii=False)
    return path


def read_table(path: str | os.PathLike) -> pandas.DataFrame:
    """A table in the format of its suffix.

    Raises:
        WorkbenchError: see :func:`check_table`, no such file, or it cannot be read.
    """
    import pandas

    path = check_table(path)
    readers = {".csv": pandas.read_csv, ".parquet": pandas.read_parquet, ".json": pandas.read_json}
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"{path} cannot be read as a table ({error}).") from error
