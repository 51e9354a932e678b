"""``workbench measure``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import report


def measure(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures, flat or nested.")],
    out: Annotated[Path, typer.Option(help="Table: .csv, .json, or .parquet (extra [tables]).")] = Path(
        "measures.csv"
    ),
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one per core.")] = None,
) -> None:
    """Measure every picture of a folder: image properties and descriptors of expression, one row each.

    Measures are cached beside the table, so that an interrupted run resumes. A dictionary of the columns is
    written, too: definition, unit, range, source. Pictures that cannot be measured are listed at the end, and
    the exit code is then 1.
    """
    from workbench.interpret.measuring import measure_folder

    done = measure_folder(folder, out, workers or os.cpu_count() or 1)
    typer.echo(f"{out}: {len(done.rows)} of {len(done.rows) + len(done.skipped)} pictures measured")
    report([f"{name}: {reason}" for name, reason in done.skipped.items()])
