"""``workbench report …``."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import Device, settings
from workbench.core import devices
from workbench.core.errors import WorkbenchError


def report(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A notebook, or full: the whole study of a folder.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the reports and what each asks.")] = False,
    data: Annotated[
        str, typer.Option(help="Folder of pictures: one sub-folder per class, or with a table; or atelier:N.")
    ] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="The report.")] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(help="CSV: path, label, painter, votes_CLASS …; ratings.csv in DATA if there."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help="Column whose pictures stay together, or near-duplicates."),
    ] = None,
    skip_unreadable: Annotated[bool, typer.Option(help="Leave out files that cannot be read.")] = False,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Numbers and plots only: for pictures not to be passed on.")
    ] = False,
    results: Annotated[
        str, typer.Option(metavar="CSV", help="Draw the table of an earlier run instead of running.")
    ] = "",
    minutes: Annotated[
        float, typer.Option(min=0, help="Stop after these; what is finished is kept. 0 has no limit.")
    ] = 0,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of the notebook, KEY=VALUE in JSON, e.g. epochs=4."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder for tables and what is finished; by default in the user's cache."),
    ] = None,
    device: Device = None,
) -> None:
    """Run a study on a folder of labelled pictures and write one self-contained HTML file.

    The file includes its figures and makes no network requests, so it can be sent by e-mail. If the command
    is interrupted, run it again to resume.
    """
    from workbench.reporting.notebooks import find, notebooks

    if listed:
        typer.echo(_listed(notebooks().values()))
        return
    if name is None:
        raise WorkbenchError("Expected the name of a report. `workbench report --list` names them.")
    notebook = find(name)
    if out is None:
        raise WorkbenchError(f"Expected a file to write: workbench report {name} --out FILE.html")
    if not data and not results and "data" in notebook.parameters:
        raise WorkbenchError("Expected pictures: --data DIR, or --data atelier:60 to have 60 painted.")

    from workbench.reporting.report import Request, make

    devices.choose(device)  # for the notebook's kernel
    request = Request(
        name=name,
        out=out,
        data=data,
        ratings=ratings,
        group_by=group_by,
        skip_unreadable=skip_unreadable,
        results=results,
        pictures=not no_pictures,
        minutes=minutes,
        settings=settings(setting or []),
        work=work,
    )
    typer.echo(str(make(request)))


def _listed(notebooks) -> str:
    """Names and questions of the studies, wrapped to the terminal's width."""
    width = max(len(n.name) for n in notebooks) + 2
    columns = max(60, min(100, shutil.get_terminal_size().columns))
    return "\n".join(
        textwrap.fill(
            f"{n.name:{width}}{n.question}", columns, subsequent_indent=" " * width, break_long_words=False
        )
        for n in notebooks
    )
