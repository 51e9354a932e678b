"""``workbench ratings``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import table as aligned


def ratings(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV, one row per rater and picture.")],
    out: Annotated[Path | None, typer.Option(help="Also write the report as CSV.")] = None,
    samples: Annotated[int, typer.Option(min=100, help="Of the bootstrap over pictures.")] = 1000,
) -> None:
    """How far raters agree on every numeric column, and the ceiling of predictors of their mean."""
    from workbench.core.runs import write_rows
    from workbench.data.rating_tables import read_ratings, reliability

    rows = [reliability(column, samples) for column in read_ratings(table).values()]
    shown = ("column", "pictures", "raters", "alpha", "alpha_low", "alpha_high", "split_half", "ceiling")
    cells = [
        tuple(f"{v:.3f}" if isinstance(v, float) else str(v) for v in (r[n] for n in shown)) for r in rows
    ]
    typer.echo(aligned([shown, *cells]))
    for row in rows:
        if row["note"]:
            typer.echo(f"{row['column']}: {row['note']}")
    if out is not None:
        write_rows(rows, out)
