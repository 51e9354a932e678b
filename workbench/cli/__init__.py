"""The ``workbench`` command line, one module per group of commands.

Commands import their dependencies when they run, so that help is fast.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Annotated

import typer

from workbench import __version__
from workbench.cli import (
    benchmarks,
    collections,
    datasets,
    drawing,
    measuring,
    networks,
    rating,
    ratings,
    reading,
    reports,
    serving,
    studies,
    stylizers,
    training,
)
from workbench.core.errors import WorkbenchError
from workbench.core.extras import missing

__all__ = ["app", "main"]

app = typer.Typer(
    help="Study how a painter's hand expresses mood, and redraw pictures in that hand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (
    drawing.stylize,
    drawing.video,
    reading.classify,
    measuring.measure,
    rating.rate,
    collections.embed,
    collections.neighbours,
    networks.models,
    networks.export,
    reports.report,
    serving.serve,
):
    app.command()(_command)
app.command("map")(collections.map_)
training.train.command("stylizer")(stylizers.train_stylizer)
training.train.command("portraits")(stylizers.train_portraits)
app.add_typer(training.train, name="train")
app.add_typer(datasets.data, name="data")
app.add_typer(ratings.ratings, name="ratings")
app.add_typer(studies.study, name="study")
app.add_typer(serving.users, name="users")
app.add_typer(benchmarks.bench, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"workbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


def _warning_line(message: Warning | str, *_where: object, **_more: object) -> str:
    return f"warning: {message}\n"


def main(arguments: list[str] | None = None) -> None:
    """Entry point. A user error or a missing extra gives one line on stderr and exit code 2, a warning one
    line.
    """
    warnings.formatwarning = _warning_line
    # Pillow warns of damaged metadata; serious faults are raised as ImageError
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for stream in (sys.stdout, sys.stderr):  # a console of Windows lacks most characters: show their codes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(arguments)
    except WorkbenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except ImportError as error:
        extra = missing(error)
        if extra is None:
            raise
        typer.echo(f"error: {extra}", err=True)
        sys.exit(2)
