"""``workbench ratings …``: agreement of raters, and effects on their ratings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from workbench.cli.common import table as aligned

Table = Annotated[
    Path, typer.Argument(metavar="TABLE", help="CSV, one row per rater and picture, or per picture.")
]


class _Ratings(TyperGroup):
    """``workbench ratings TABLE`` is short for ``workbench ratings agreement TABLE``."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["agreement", *args]
        return super().parse_args(ctx, args)


ratings = typer.Typer(
    cls=_Ratings, help="Agreement of raters, and effects on their ratings.", no_args_is_help=True
)


@ratings.command()
def agreement(
    table: Table,
    out: Annotated[Path | None, typer.Option(help="Also write the report as CSV.")] = None,
    samples: Annotated[int, typer.Option(min=100, help="Bootstrap samples over pictures.")] = 1000,
) -> None:
    """Agreement of the raters on every numeric column, and the ceiling for predictors of their mean."""
    from workbench.core.runs import write_rows
    from workbench.data.rating_tables import read_ratings, reliability

    rows = [reliability(column, samples) for column in read_ratings(table).values()]
    shown = ("column", "pictures", "raters", "alpha", "alpha_low", "alpha_high", "split_half", "ceiling")
    cells = [tuple(_cell(row[name]) for name in shown) for row in rows]
    typer.echo(aligned([shown, *cells]))
    for row in rows:
        if row["note"]:
            typer.echo(f"{row['column']}: {row['note']}")
    if out is not None:
        write_rows(rows, out)


def _cell(value: object) -> str:
    """A value of the report; a dash for what is not known."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return str(value)


@ratings.command()
def model(
    table: Table,
    formula: Annotated[str, typer.Option(help="Such as 'pleasure ~ scale(rms_contrast) + condition'.")],
    random: Annotated[
        list[str] | None,
        typer.Option(
            help="Column whose levels have an effect each, or 'rater:condition'; rater and picture if not "
            "given. Any number of them."
        ),
    ] = None,
    joined: Annotated[
        list[Path] | None,
        typer.Option("--table", help="CSV with a row per picture, such as measures; any number of them."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the effects as CSV.")] = None,
) -> None:
    """What a measure, a class or redrawing does to ratings: a mixed model with raters and pictures."""
    from workbench.core.runs import write_rows
    from workbench.data.mixed_models import mixed_model
    from workbench.data.rating_tables import rating_frame

    fitted = mixed_model(rating_frame(table, joined or ()), formula, random or ("rater", "picture"))
    typer.echo(str(fitted))
    if out is not None:
        write_rows(fitted.rows(), out)
