"""``workbench measure``: what is done with a folder of pictures, labelled or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import report

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures, flat or nested.")]


def measure(
    folder: Folder,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Table to write: .csv, .parquet or .json.")
    ] = Path("measures.csv"),
    size: Annotated[
        int,
        typer.Option(min=0, help="Longest side in pixels before measuring; 0 leaves pictures as they are."),
    ] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one per core.")] = None,
) -> None:
    """Measure the pictures of a folder: one row per picture, and a data dictionary beside the table.

    Stopped at any moment, the same command goes on where it was. Pictures that cannot be measured are named
    and the exit code is then 1.
    """
    from workbench.interpret import measuring

    measuring.check_table(out)
    cache = out.with_name(f"{out.name}.cache")
    found = measuring.measure(folder, size=size, workers=workers or os.cpu_count() or 1, cache=cache)
    typer.echo(str(measuring.write_table(found.rows, out)))
    dictionary = out.with_name(f"{out.stem}_dictionary.csv")
    typer.echo(str(measuring.write_table(measuring.data_dictionary(), dictionary)))
    report([f"{path}: {reason}" for path, reason in found.skipped.items()])
