"""Measures of all pictures of a folder, as one table: image properties and descriptors of expression.

    table = measure_folder("pictures", "measures.csv", workers=4)

Beside the table lies ``measures_dictionary.csv`` with the definition, unit, range and source of every column.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from workbench.core.cache import Cache, key
from workbench.core.errors import DatasetError, WorkbenchError
from workbench.core.tables import check_table, write_table
from workbench.data.images import list_images, read_image
from workbench.interpret.descriptors import describe
from workbench.interpret.expression import DESCRIPTORS, Descriptor
from workbench.interpret.network_properties import NETWORK_PROPERTIES, network_properties
from workbench.interpret.properties import PROPERTIES, image_properties

IMAGE_PROPERTIES: dict[str, Descriptor] = PROPERTIES | NETWORK_PROPERTIES
MEASURES: Mapping[str, Descriptor] = IMAGE_PROPERTIES | DESCRIPTORS
_VERSION = 1  # of the measures; raise it when one of them changes


@dataclasses.dataclass(frozen=True)
class MeasuredFolder:
    """Result of measuring a folder."""

    rows: list[dict[str, str | float]]  # path, label, group and the measures of each picture
    skipped: dict[str, str]  # path -> reason, of files that could not be measured


def measure(image: Image.Image) -> dict[str, float]:
    """All :data:`MEASURES` of a picture; undefined ones are nan, such as the stroke width without strokes.

    Raises:
        ImageError: a side is below 16 pixels.
    """
    return image_properties(image) | network_properties(image) | describe(image)


def measure_folder(
    root: str | os.PathLike, out: str | os.PathLike | None = None, workers: int = 1
) -> MeasuredFolder:
    """Measure every picture under a folder, flat or nested, labelled or not.

    The measures of each picture are cached beside the table (``NAME_cache``) by the contents of its file, so
    that an interrupted run resumes, and only new pictures of a changed folder are measured.

    Args:
        root: the folder. Labels and groups come from its ``ratings.csv`` if there is one (columns path, label
            and painter, group or artist), else a picture's label is the sub-folder that it lies in.
        out: the table, ``.csv``, ``.parquet`` or ``.json``, written whole or not at all; None writes nothing.
        workers: processes; a script that starts several must guard its main part, see multiprocessing.

    Raises:
        DatasetError: no picture under the folder, or fewer than one worker.
        WorkbenchError: another kind of table.
        ImageError: no such folder.
        MissingExtraError: ``.parquet`` without pyarrow.
    """
    root, out = Path(root), None if out is None else check_table(out)
    if workers < 1:
        raise DatasetError(f"Expected 1 worker or more but got {workers}.")
    names = [path.relative_to(root).as_posix() for path in list_images(root)]
    if not names:
        raise DatasetError(f"Expected pictures under {root} but found none. Check the folder.")
    known = _labels(root)
    cache = None if out is None else Cache(out.with_name(f"{out.stem}_cache"))
    rows: list[dict[str, str | float]] = []
    skipped = {}
    for name, measured in _measured(root, names, cache, min(workers, len(names))):
        if isinstance(measured, str):
            skipped[name] = measured
        else:
            label, group = known.get(name, ("" if known else Path(name).parent.as_posix().strip("."), ""))
            rows.append({"path": name, "label": label, "group": group, **measured})
    if out is not None:
        write_table(rows, out)
        write_table(dictionary(), out.with_name(f"{out.stem}_dictionary.csv"))
    return MeasuredFolder(rows, skipped)


def dictionary() -> list[dict[str, str | float]]:
    """One row per column of the table: name, unit, low, high, definition and source."""
    head: list[dict[str, str | float]] = [
        {"name": "path", "definition": "Path of the picture in the folder."},
        {"name": "label", "definition": "Class, from the folder's table or the name of its sub-folder."},
        {"name": "group", "definition": "Painter or group, from the folder's table."},
    ]
    return head + [
        {
            "name": one.name,
            "unit": one.unit,
            "low": one.range[0],
            "high": one.range[1],
            "definition": one.description,
            "source": one.source,
        }
        for one in MEASURES.values()
    ]


def _measured(
    root: Path, names: list[str], cache: Cache | None, workers: int
) -> Iterator[tuple[str, dict[str, float] | str]]:
    """The measures of each picture, or the reason why there are none, in the order of the names."""
    work = functools.partial(_measure_file, root, cache)
    bar = functools.partial(tqdm, total=len(names), desc="measuring", unit="picture", disable=None)
    if workers == 1:
        yield from bar(zip(names, map(work, names), strict=True))
        return
    # fresh processes: a forked one would inherit the locks of this one's threads
    with concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from bar(zip(names, pool.map(work, names, chunksize=4), strict=True))


def _measure_file(root: Path, cache: Cache | None, name: str) -> dict[str, float] | str:
    path = root / name

    def make() -> dict[str, np.ndarray]:
        return {"measures": np.array(list(measure(read_image(path)).values()))}

    try:
        if cache is None:
            values = make()["measures"]
        else:
            values = cache.arrays(key("measures", _VERSION, tuple(MEASURES), picture=path), make)["measures"]
    except (WorkbenchError, OSError) as error:
        return str(error)
    return dict(zip(MEASURES, values.tolist(), strict=True))


def _labels(root: Path) -> dict[str, tuple[str, str]]:
    """(label, group) by path, from the folder's table; empty without one."""
    table = root / "ratings.csv"
    if not table.is_file():
        return {}
    from workbench.data.painting_tables import read_table
    from workbench.data.paintings import GROUP_COLUMNS

    rows = read_table(root, table)[1]
    if rows and "path" not in rows[0]:
        raise DatasetError(f"Expected a column path in {table.name} but it has: {', '.join(rows[0])}.")
    group = next((name for name in GROUP_COLUMNS if rows and name in rows[0]), "")
    return {row["path"]: (row.get("label") or "", row.get(group) or "") for row in rows}
