"""Tasks on many pictures. Imports decoders and networks, so only workers import it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import re
import tempfile
import textwrap
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.core.extras import MissingExtraError
from workbench.core.files import replacing, write_image, write_whole
from workbench.core.tables import write_table
from workbench.data.images import MOST_DRAWN, read_image
from workbench.interpret import collection_map, embedding
from workbench.interpret.measuring import dictionary, measure
from workbench.reporting.readings import SMALLEST, folder_page
from workbench.service.archives import CollectedFiles, collect_files
from workbench.service.engines.worker import Context
from workbench.service.errors import without_paths
from workbench.service.picture_tasks import draw, load_classifier, reduced, thumbnail, write_png
from workbench.service.tasks import (
    SHEET_COLUMNS,
    THUMBNAIL,
    FolderOptions,
    FolderPhotoOptions,
    FolderReadOptions,
    cell_side,
)
from workbench.styles.stylize import get

log = logging.getLogger(__name__)
_NAMED = 3  # files that a remark names
_HERE = "\0"  # in place of a file's name
_COLUMNS: list[Mapping[str, Any]] = [  # of the tables, beside the measures
    {"name": "path", "definition": "Path of the picture in the folder."},
    {"name": "mood", "definition": "The most probable mood."},
    {"name": "p_…", "low": 0, "high": 1, "definition": "Probability of each mood."},
    {
        "name": "novelty",
        "low": 0,
        "high": 1,
        "definition": "Share of training pictures that are less unusual.",
    },
    {"name": "unlike", "definition": "Whether the picture is too unlike them for a reliable result."},
    {"name": "unsure", "definition": "Whether no mood is likely, or two are nearly as likely."},
    {"name": "x", "definition": "Position on the map, as is y."},
    {"name": "error", "definition": "Why a file was passed over."},
]


def stylize_pictures(inputs: tuple[Path, ...], options: FolderPhotoOptions, context: Context) -> None:
    """Redraw every picture: ``drawings.zip`` with the drawings under their own names, and ``list.csv``."""
    get(options.style).check(options.runtime, options.device)
    with _folder(inputs, options, context) as found:
        targets = drawing_names(found.names, f".{options.format}")
        rows: list[dict[str, Any]] = []
        cells: list[Image.Image] = []
        part = found.folder.parent / f"drawing.{options.format}"
        with (
            replacing(context.out / "drawings.zip") as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive,
        ):
            for done, name in enumerate(found.names):

                def tell(share: float, done: int = done) -> None:
                    context.progress(
                        (done + share) / len(found.names), f"{done} of {len(found.names)} pictures"
                    )

                tell(0.0)
                with _passing_over(name, found, context):
                    drawn = draw(read_image(found.folder / name, MOST_DRAWN), options, tell)
                    write_png(drawn, part) if options.format == "png" else write_image(drawn, part)
                    archive.write(part, targets[name])
                    cells.append(reduced(drawn, cell_side(len(found.names))))
                    if not rows:
                        thumbnail(drawn, context.out / f"drawings{THUMBNAIL}")
                    rows.append({"path": name, "drawing": targets[name]})
            _check_any(rows, found)
            if len(cells) > 1:
                contact_sheet(cells, context.out / f"drawings{THUMBNAIL}", math.isqrt(len(cells) - 1) + 1)
            rows += [{"path": name, "passed over": reason} for name, reason in found.skipped.items()]
            write_table(rows, part.with_suffix(".csv"))
            archive.write(part.with_suffix(".csv"), "list.csv")


def read_pictures(inputs: tuple[Path, ...], options: FolderReadOptions, context: Context) -> None:
    """Classify and measure every picture: tables ``readings``, a dictionary of their columns, a contact sheet
    in the order of the rows, and ``report.html``.
    """
    with _folder(inputs, options, context) as found:
        rows, cells = examine(found, options, context, share=0.8)
        _write_tables(rows, found, context.out / "readings")
        contact_sheet(cells, context.out / f"readings{THUMBNAIL}")
        vectors = _embedded(found, context, 0.8, 0.15)
        context.progress(0.95, "Writing the report")
        title = options.names[0] if len(options.names) == 1 else f"{len(rows)} pictures"
        page = folder_page(title, rows, cells, found.skipped, vectors, options.model)
        write_whole(page.encode(), context.out / "report.html")


def map_pictures(inputs: tuple[Path, ...], options: FolderReadOptions, context: Context) -> None:
    """Draw the map of a collection: ``map.html``, and ``map.csv`` with what it shows of each picture."""
    with _folder(inputs, options, context) as found:
        rows, cells = examine(found, options, context, share=0.6)
        vectors = _embedded(found, context, 0.6, 0.2)
        known = {row["path"]: row for row in rows}
        columns = {
            key: [known.get(p, {}).get(key) for p in vectors.paths] for key in rows[0] if key != "path"
        }
        context.progress(0.85, "Drawing the map")
        page = collection_map.map_collection(found.folder, vectors, columns, title="Your collection")
        page.save(context.out / "map.html")
        places = zip(vectors.paths, page.places.tolist(), strict=True)
        placed = [known[path] | {"x": x, "y": y} for path, (x, y) in places if path in known]
        _write_tables(placed, found, context.out / "map")
        contact_sheet(cells, context.out / f"map{THUMBNAIL}")


def _embedded(found: CollectedFiles, context: Context, start: float, part: float) -> embedding.Embeddings:
    """Vectors of the pictures that can be read; progress goes from ``start`` on by ``part``."""
    for name in found.skipped:
        (found.folder / name).unlink(missing_ok=True)
    return embedding.embed(
        found.folder, progress=lambda share: context.progress(start + part * share, "Comparing pictures")
    )


def examine(
    found: CollectedFiles, options: FolderReadOptions, context: Context, share: float = 1.0
) -> tuple[list[dict[str, Any]], list[Image.Image]]:
    """A row per picture, its reading and its measures, and a small picture for each row.

    Args:
        found: the files; those that cannot be read are noted in ``skipped``.
        options: with the name of the classifier.
        context: for progress up to ``share``.
        share: of the whole work.

    Raises:
        WorkbenchError: none can be read.
    """
    classifier = load_classifier(options.model)
    side = cell_side(len(found.names))
    rows, cells = [], []
    for done, name in enumerate(list(found.names)):
        context.progress(share * done / len(found.names), f"{done} of {len(found.names)} pictures")
        with _passing_over(name, found, context):
            image = read_image(found.folder / name)
            reading = classifier.classify(image)
            row: dict[str, Any] = {"path": name, "mood": reading.top}
            row |= {f"p_{mood}": float(p) for mood, p in reading.probabilities.items()}
            row |= {"novelty": reading.novelty, "unlike": reading.unlike, "unsure": reading.unsure}
            row |= measure(image) if min(image.size) >= SMALLEST else {}
            rows.append(row)
            cells.append(reduced(image, side))
    _check_any(rows, found)
    return rows, cells


def contact_sheet(cells: Sequence[Image.Image], path: Path, columns: int = SHEET_COLUMNS) -> None:
    """One JPEG of all pictures, ``columns`` in a row, each in the middle of its square cell."""
    side = cell_side(len(cells))
    height = -(-len(cells) // columns)
    sheet = Image.new("RGB", (side * min(columns, len(cells)), side * height), "white")
    for number, cell in enumerate(cells):
        small = reduced(cell, side)
        row, column = divmod(number, columns)
        sheet.paste(
            small, (column * side + (side - small.width) // 2, row * side + (side - small.height) // 2)
        )
    write_image(sheet, path)


def drawing_names(names: Sequence[str], suffix: str) -> dict[str, str]:
    """Names of the drawings: the picture's with the new suffix; if that is taken with both suffixes, or a
    number.

    Names that differ only in case or in the encoding of accents are the same.
    """
    made: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        short = PurePosixPath(name).with_suffix("")
        numbered = (f"{short} ({number}){suffix}" for number in itertools.count(2))
        for candidate in itertools.chain((f"{short}{suffix}", name + suffix), numbered):
            folded = unicodedata.normalize("NFC", candidate).casefold()
            if folded not in taken:
                made[name] = candidate
                taken.add(folded)
                break
    return made


@contextlib.contextmanager
def _folder(inputs: tuple[Path, ...], options: FolderOptions, context: Context) -> Iterator[CollectedFiles]:
    """The files in a temporary folder; at the end a remark names those that were passed over."""
    context.progress(0.0, "Unpacking")
    with tempfile.TemporaryDirectory(dir=context.out) as temporary:  # it goes with an attempt that is killed
        folder = Path(temporary) / "pictures"
        folder.mkdir()
        found = collect_files(inputs, options.names or [path.name for path in inputs], folder)
        if not found.names:
            raise WorkbenchError("Expected pictures but found no file. Choose some, or a ZIP of them.")
        yield found
        if found.skipped:
            named = [_brief(name, reason) for name, reason in found.skipped.items()]
            more = f", and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
            context.remark(f"{len(named)} passed over: {'; '.join(named[:_NAMED])}{more}.")


def _brief(name: str, reason: str) -> str:
    """The first sentence about a file, without brackets; the file's name has its folder."""
    sentence = reason.replace(PurePosixPath(name).name, _HERE)  # names have brackets and dots, too
    while (shorter := re.sub(r" \([^()]*\)", "", sentence)) != sentence:  # brackets in brackets, too
        sentence = shorter
    sentence = textwrap.shorten(sentence.partition(". ")[0].rstrip("."), 120, placeholder=" …")
    return sentence.replace(_HERE, name) if _HERE in sentence else f"{name} ({sentence})"


@contextlib.contextmanager
def _passing_over(name: str, found: CollectedFiles, context: Context) -> Iterator[None]:
    """One bad file never stops the rest."""
    try:
        yield
    except CancelledError:
        raise
    except Exception as error:
        if not isinstance(error, WorkbenchError):
            log.exception("a picture could not be worked on")
        known = isinstance(error, WorkbenchError)
        found.skipped[name] = (
            without_paths(str(error)) if known else f"the work failed ({type(error).__name__})"
        )


def _check_any(rows: Sequence[object], found: CollectedFiles) -> None:
    if not rows:
        name, reason = next(iter(found.skipped.items()))
        raise WorkbenchError(f"None of {len(found.names)} files can be used. {name}: {reason}")


def _write_tables(rows: Sequence[dict[str, Any]], found: CollectedFiles, stem: Path) -> None:
    """The rows as CSV, JSON and, if pyarrow is installed, Parquet, and a dictionary of the columns."""
    skipped = [{"path": name, "error": reason} for name, reason in found.skipped.items()]
    for suffix in (".csv", ".json", ".parquet"):
        with contextlib.suppress(MissingExtraError):
            write_table([*rows, *skipped], stem.with_suffix(suffix))
    write_table([*_COLUMNS, *dictionary()[3:]], stem.with_name("dictionary.csv"))
