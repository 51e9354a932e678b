"""``workbench report …``."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import Device, settings, with_options
from workbench.core import devices
from workbench.core.errors import WorkbenchError
from workbench.reporting.options import ReportOptions


@with_options(options=ReportOptions)
def report(
    options: ReportOptions,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A notebook, or full: the whole study of a folder.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the reports and what each asks.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="The report.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of the notebook, KEY=VALUE in JSON, e.g. epochs=4."),
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
    if not options.data and not options.results and "data" in notebook.parameters:
        raise WorkbenchError("Expected pictures: --data DIR, or --data atelier:60 to have 60 painted.")

    from workbench.reporting.report import Request, make

    devices.choose(device)  # for the notebook's kernel
    request = Request(name, out, settings(setting or []), **vars(options))
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
