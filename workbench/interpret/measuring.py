"""A table of measures of a folder of pictures, labelled or not: one row per picture.

Each picture's row is kept in a cache by the content of its file: a measurement that was stopped at any moment
goes on where it was, and one more picture measures one.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from workbench.core.cache import Cache, key
from workbench.core.errors import DatasetError, WorkbenchError
from workbench.core.files import replacing
from workbench.core.runs import write_rows
from workbench.data.images import list_images, read_image
from workbench.interpret.descriptors import describe
from workbench.interpret.expression import DESCRIPTORS, Descriptor
from workbench.interpret.properties import IMAGE_PROPERTIES, image_properties

__all__ = ["MEASURES", "Measured", "data_dictionary", "measure", "measure_image", "read_table", "write_table"]

MEASURES: dict[str, Descriptor] = IMAGE_PROPERTIES | DESCRIPTORS
VERSION = 1  # of the measures; raised when one of them changes
TABLES = (".csv", ".parquet", ".json")


@dataclasses.dataclass(frozen=True)
class Measured:
    """Rows of the pictures, in the order of their paths, and what was skipped."""

    rows: tuple[dict[str, Any], ...]  # path, folder and one number per measure
    skipped: dict[str, str]  # path -> reason


def measure_image(image: Image.Image, size: int = 0) -> dict[str, float]:
    """All of :data:`MEASURES` of one picture.

    Args:
        image: any size from 16×16 pixels.
        size: longest side in pixels to which larger pictures are reduced; 0 for none.
    """
    if size and max(image.size) > size:
        image = image.copy()
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return image_properties(image) | describe(image)


def _measure_file(path: Path, size: int, cache: Cache | None) -> dict[str, float] | str:
    """The measures of a file, or the reason why there are none."""

    def make() -> dict[str, float]:
        return measure_image(read_image(path), size)

    try:
        return make() if cache is None else cache.json(key("measure", VERSION, size, picture=path), make)
    except (WorkbenchError, OSError, ValueError) as error:
        return str(error)


def measure(
    folder: str | os.PathLike,
    *,
    size: int = 0,
    workers: int = 1,
    cache: str | os.PathLike | None = None,
    progress: Callable[[float], None] | None = None,
) -> Measured:
    """Measure all pictures of a folder, at any depth.

    Args:
        folder: of pictures; sub-folders are kept in the column ``folder``, whatever they mean.
        size: longest side in pixels to which larger pictures are reduced before; 0 for none.
        workers: processes; a script that asks for more than one needs ``if __name__ == "__main__"``.
        cache: folder that keeps the rows by content; None keeps none.
        progress: called with the share done; by default a progress bar on the terminal.

    Raises:
        DatasetError: no picture could be measured. ImageError: no such folder.
    """
    root = Path(folder)
    paths = list_images(root)
    if not paths:
        raise DatasetError(f"Expected pictures in {root} but found none. Check the folder.")
    kept = None if cache is None else Cache(cache)
    found: dict[Path, dict[str, float] | str] = {}
    steps = _results(paths, size, min(workers, len(paths)), kept)
    disable = True if progress else None
    for path, result in tqdm(steps, total=len(paths), desc="measuring", unit="picture", disable=disable):
        found[path] = result
        if progress:
            progress(len(found) / len(paths))
    rows, skipped = [], {}
    for path in paths:
        name, result = path.relative_to(root), found[path]
        if isinstance(result, str):
            skipped[name.as_posix()] = result
        else:
            where = name.parent.as_posix()
            rows.append({"path": name.as_posix(), "folder": "" if where == "." else where, **result})
    if not rows:
        path, reason = next(iter(skipped.items()))
        raise DatasetError(
            f"Expected pictures that can be measured but none of {len(skipped)} can, e.g. {path}: {reason}"
        )
    return Measured(tuple(rows), skipped)


def _results(
    paths: Sequence[Path], size: int, workers: int, cache: Cache | None
) -> Iterator[tuple[Path, dict[str, float] | str]]:
    """Path and result of each picture, as they are finished."""
    if workers == 1:
        for path in paths:
            yield path, _measure_file(path, size, cache)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(_measure_file, path, size, cache): path for path in paths}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def data_dictionary() -> list[dict[str, Any]]:
    """Name, definition, source, unit and range of every column of a table of measures."""
    columns = [
        {"name": "path", "definition": "Path of the picture in the folder."},
        {"name": "folder", "definition": "Its sub-folder; empty for the folder itself."},
    ]
    for name, one in MEASURES.items():
        low, high = one.range
        columns.append(
            {
                "name": name,
                "definition": one.description,
                "source": one.source,
                "unit": one.unit,
                "low": str(low),
                "high": str(high),
            }
        )
    return columns


def check_table(path: str | os.PathLike) -> Path:
    """The path of a table.

    Raises:
        WorkbenchError: another suffix than .csv, .parquet or .json.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLES:
        raise WorkbenchError(
            f"Expected a table ending in {', '.join(TABLES)} but got {path.name}. Rename it."
        )
    return path


def write_table(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike) -> Path:
    """Write rows as CSV, Parquet or JSON by the suffix, whole or not at all.

    Raises:
        WorkbenchError: see :func:`check_table`, or the file cannot be written.
    """
    path = check_table(path)
    if path.suffix.lower() == ".csv":
        return write_rows(rows, path)
    import pandas

    frame = pandas.DataFrame(list(rows))
    with replacing(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame.to_json(partial, orient="records", indent=1, force_ascii=False)
    return path


def read_table(path: str | os.PathLike) -> Any:
    """A table as a pandas DataFrame, by its suffix.

    Raises:
        WorkbenchError: no such file, or it cannot be read.
    """
    import pandas

    path = check_table(path)
    readers = {".csv": pandas.read_csv, ".parquet": pandas.read_parquet, ".json": pandas.read_json}
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"{path} cannot be read as a table ({error}).") from error
