"""``workbench report``: runs a notebook on a folder of pictures and writes one HTML file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from workbench import __version__
from workbench.core import options
from workbench.core.cache import digest, user_cache
from workbench.core.errors import DatasetError, UnknownNameError, WorkbenchError
from workbench.core.files import write_whole
from workbench.core.provenance import provenance
from workbench.data.atelier import is_atelier
from workbench.data.paintings import read_paintings
from workbench.reporting import folder
from workbench.reporting.execute import execute
from workbench.reporting.notebooks import FULL, Notebook, find
from workbench.reporting.options import ReportOptions
from workbench.reporting.page import render

log = logging.getLogger(__name__)

SUFFIXES = (".html", ".htm")


@dataclasses.dataclass(frozen=True)
class Request(ReportOptions):
    """A report to make."""

    name: str  # of the notebook: short name, stem, number, or "full"
    out: Path  # the HTML file
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)  # of the notebook's parameters
    progress: bool = True  # show it on the terminal


def make(request: Request) -> Path:
    """Run the notebook and write the report atomically.

    After an interruption or a deadline, the same request resumes from finished tables, features and models.

    Returns:
        Path of the HTML file.

    Raises:
        UnknownNameError: no such notebook or parameter.
        DatasetError: the folder or its table cannot be used.
        WorkbenchError: the output cannot be written, or a cell failed.
    """
    out = _checked_output(request.out)
    notebook = find(request.name)
    _check(request, notebook)
    start = time.monotonic()
    work, parameters = _prepare(request, notebook)
    log.info("%s in %s", notebook.name, work)
    resumed = not request.results and (work / "tables").is_dir()
    done = execute(notebook.path, work, parameters, request.minutes, request.progress)
    title, subtitle = _titles(request, notebook)
    facts = _provenance(request, notebook, time.monotonic() - start, resumed)
    page = render(done, title, subtitle, facts, own_data=bool(request.data), pictures=request.pictures)
    write_whole(page.encode(), out)
    return out


def _checked_output(path: Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise WorkbenchError(f"Expected an output ending in .html but got {path.name}. Rename it.")
    if path.is_dir():
        raise WorkbenchError(f"Expected a file to write but {path} is a folder. Name a file in it.")
    return path.absolute()  # the notebook runs in another folder


def _check(request: Request, notebook: Notebook) -> None:
    takes = notebook.parameters
    if request.data and request.results:
        raise WorkbenchError("Expected pictures to run on or results to draw but got both. Leave one out.")
    if request.data and "data" not in takes:
        raise WorkbenchError(f"{notebook.name} takes no pictures. Leave --data out.")
    options = (request.ratings, request.group_by, request.skip_unreadable or None)
    if any(v is not None for v in options) and (not request.data or is_atelier(request.data)):
        raise WorkbenchError(
            "Expected a folder of your own with --ratings, --group-by or --skip-unreadable. Give --data DIR."
        )
    for path in str(request.results).split(",") if request.results else ():
        if not Path(path).is_file():
            raise DatasetError(f"Expected a table of results at {path} but there is none. Check the path.")
    for name in request.settings:
        if name not in takes or name in ("data", "out", "results"):
            raise UnknownNameError("setting", name, set(takes) - {"data", "out", "results"})


def _prepare(request: Request, notebook: Notebook) -> tuple[Path, dict[str, object]]:
    """The folder of the run and the notebook's parameters; pictures are checked before anything runs."""
    parameters = chosen_settings(request, notebook)
    if isinstance(notebook.parameters.get("pictures"), bool):
        parameters["pictures"] = request.pictures
    if parameters.get("scales"):  # the notebook runs in another folder
        parameters["scales"] = str(Path(str(parameters["scales"])).resolve())
    if request.results:
        paths = [str(Path(p).resolve()) for p in request.results.split(",")]
        parameters["results"] = ",".join(paths)
    identity: list[object] = [__version__, notebook.code, dict(parameters)]
    data = None
    if request.data and not is_atelier(request.data):
        data = read_paintings(
            request.data, request.ratings, skip_unreadable=request.skip_unreadable, group_by=request.group_by
        )
        identity += [str(Path(request.data).resolve()), data.paths, data.contents()]
    elif request.data:
        parameters["data"] = request.data
        identity.append(request.data)
    work = _folder(request, notebook, identity)
    work.mkdir(parents=True, exist_ok=True)
    if data is not None and "ratings" in notebook.parameters:  # the notebook opens the folder itself
        parameters |= {"data": str(Path(request.data).resolve()), "group_by": request.group_by or ""}
        parameters["ratings"] = str(Path(request.ratings).resolve()) if request.ratings else ""
        parameters["skip_unreadable"] = request.skip_unreadable
    elif data is not None:
        selected = request.ratings or request.group_by or request.skip_unreadable
        name = folder.folder_name(request.data)
        parameters["data"] = str(
            folder.view(data, work / "data", name, request.ratings)
            if selected
            else Path(request.data).resolve()
        )
    parameters["out"] = str(work / "tables")
    return work, parameters


def chosen_settings(request: Request, notebook: Notebook) -> dict[str, object]:
    """The notebook's parameters that differ from its defaults: a full report has the study's defaults, while
    the notebook by itself runs a small version.
    """
    if notebook.name != FULL:
        return dict(request.settings)
    from workbench.studies.full_report import FullReport

    planned = {
        f.name: list(f.default) if isinstance(f.default, tuple) else f.default
        for f in dataclasses.fields(FullReport)
        if f.name in notebook.parameters and f.name not in ("data", *vars(request))
    }
    return planned | dict(request.settings)


def _folder(request: Request, notebook: Notebook, identity: list) -> Path:
    if request.work is not None:
        return Path(request.work).absolute()
    return user_cache("reports") / f"{notebook.name}-{digest(identity)[:12]}"


def _titles(request: Request, notebook: Notebook) -> tuple[str, str]:
    """The page's title and the line under it."""
    shown = folder.folder_name(request.data) if request.data else ""
    source = f"Painter Psychology Workbench {__version__}, {datetime.date.today().isoformat()}"
    if notebook.name == FULL:
        if request.data and is_atelier(request.data):
            return f"A study of {shown}", f"Pictures that the workbench painted itself · {source}"
        return f"A study of {shown or _drawn(request) or 'pictures'}", source
    return notebook.title, f"Run on {shown} · {source}" if shown else source


def _drawn(request: Request) -> str:
    """Name of the folder that a table of the full report is about."""
    if not request.results:
        return ""
    from workbench.reporting.full import Report
    from workbench.studies.report_rows import Collection

    return str(Report(request.results).one(Collection).name)


def command(request: Request, notebook: Notebook) -> str:
    """The command that repeats the report, with names of files and folders but not their locations."""
    chosen = ReportOptions(**{f.name: getattr(request, f.name) for f in dataclasses.fields(ReportOptions)})
    shown = {
        "data": shlex.quote(folder.folder_name(request.data)) if request.data else "",
        "ratings": shlex.quote(Path(request.ratings).name) if request.ratings else "",
        "results": shlex.quote(",".join(Path(p).name for p in request.results.split(","))),
    }
    words = [
        options.command(
            f"workbench report {notebook.name}", chosen, shown=shown, leave_out=("minutes", "work")
        ),
        f"--out {shlex.quote(Path(request.out).name)}",
    ]
    for name, value in request.settings.items():
        words.append(f"--set {shlex.quote(f'{name}={json.dumps(value, ensure_ascii=False)}')}")
    return " ".join(words)


def _provenance(request: Request, notebook: Notebook, seconds: float, resumed: bool) -> dict[str, str]:
    stamp = provenance()
    facts = {
        "To repeat": command(request, notebook),
        "Notebook": notebook.path.name,
        "Package": f"painter-psychology-workbench {__version__}",
        "Commit": re.sub(r"\+$", " and changes that were not committed", stamp["commit"]),
        "Seeds": _seeds(request, notebook),
        "Machine": stamp["device"],
        "Versions": stamp["versions"].replace("=", " "),
        "Made": f"{stamp['date']}, in {_minutes(seconds)}"
        + (", resumed from an earlier run" if resumed else ""),
    }
    return {name: value for name, value in facts.items() if value}


def _seeds(request: Request, notebook: Notebook) -> str:
    if request.results:
        return "those of the run that made the table"
    named = {
        k: v for k, v in {**notebook.parameters, **chosen_settings(request, notebook)}.items() if "seed" in k
    }
    return ", ".join(f"{k} = {v}" for k, v in named.items()) or "fixed: equal pictures give equal numbers"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
