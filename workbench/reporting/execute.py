"""Runs a notebook from top to bottom with progress, and stops at a deadline if there is one.

papermill sets the parameters and runs the cells in a kernel of this Python. Finished runs are in the
tables of the notebook's study, so an interrupted execution resumes.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

from workbench.core import errors
from workbench.core.errors import WorkbenchError
from workbench.reporting.notebooks import read

SETUP = "report-setup"  # tag of the cell that prepares the kernel, left out of the report
FOR_NOTEBOOK_USERS = re.compile(r"^#+ Run it yourself\b")  # a section that reports leave out
POLL = 0.5  # seconds between updates of the progress
_BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}]"


class OutOfTime(WorkbenchError):
    """The notebook was stopped at its deadline."""


def execute(
    path: Path, out: Path, parameters: Mapping[str, object], minutes: float = 0, progress: bool = True
) -> nbformat.NotebookNode:
    """Run a notebook and return it with its outputs.

    Args:
        path: the notebook.
        out: working directory of the run; gets ``executed.ipynb`` for debugging.
        parameters: values for its cell tagged "parameters".
        minutes: until it is stopped; 0 for no deadline.
        progress: show the running part on the terminal.

    Raises:
        WorkbenchError: a cell failed. The package's own errors are passed on as one line.
        OutOfTime: the deadline was reached.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    notebook = _prepared(path, out / "status")
    parts = _parts(notebook)
    sockets = tempfile.TemporaryDirectory(prefix="workbench-")
    manager = _kernel(Path(sockets.name))
    late = threading.Event()

    def stop() -> None:
        late.set()
        manager.provisioner.process.kill()

    timer = threading.Timer(60 * minutes, stop) if minutes else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        with _bar(parts, out / "status", read(path).name, progress) as reached, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of Jupyter about itself
            done = papermill.execute_notebook(
                notebook,
                str(out / "executed.ipynb"),
                dict(parameters),
                cwd=str(out),
                progress_bar=False,
                km=manager,
                on_cell_start=lambda cell, cell_index: reached(cell.id),
            )
    except PapermillExecutionError as error:
        raise _in_one_line(error, path, out) from error
    except Exception as error:
        if late.is_set():
            raise OutOfTime(
                f"{minutes:g} minutes were not enough for {read(path).name}. Finished runs are kept: the "
                "same command resumes from there."
            ) from error
        raise WorkbenchError(
            f"{read(path).name} did not finish ({type(error).__name__}: {_line(str(error))}). "
            "Finished runs are kept: the same command resumes from there."
        ) from error
    finally:
        if timer:
            timer.cancel()
        with contextlib.suppress(Exception):  # it has ended already unless something failed
            manager.provisioner.process.kill()
        sockets.cleanup()
    return done


def _kernel(sockets: Path) -> Any:
    """A kernel of this interpreter, regardless of the user's kernel called python3."""
    from jupyter_client.manager import AsyncKernelManager

    manager: Any = AsyncKernelManager(kernel_name="python3")
    if os.name == "posix":  # sockets that are accessible to this user only
        manager.transport = "ipc"
        manager.ip = str(sockets / "kernel")
    manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return manager


def _prepared(path: Path, status: Path) -> nbformat.NotebookNode:
    """The notebook with a first cell that prepares the kernel."""
    notebook = nbformat.read(path, as_version=4)
    setup = nbformat.v4.new_code_cell(
        f"from workbench.reporting.kernel import prepare\n\nprepare({str(status)!r})",
        metadata={"tags": [SETUP]},
    )
    notebook.cells.insert(0, setup)
    return notebook


def _parts(notebook: nbformat.NotebookNode) -> dict[str, tuple[int, str]]:
    """Cell id -> (number of code cells before it, the heading above it)."""
    parts, heading, count = {}, "setting up", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            titles = re.findall(r"^(#{1,3}) (.+)$", cell.source, re.MULTILINE)
            if titles and not FOR_NOTEBOOK_USERS.match(cell.source):
                depth, title = titles[-1]  # code below the notebook's title is the study
                heading = title.strip() if len(depth) > 1 else "running the study"
        else:
            parts[cell.id] = (count, heading)
            count += 1
    return parts


@contextlib.contextmanager
def _bar(parts: Mapping[str, tuple[int, str]], status: Path, name: str, progress: bool) -> Iterator:
    """Two lines on a terminal (the part and its progress), or one line per part in a log.

    Yields a function to call with the id of the cell that starts.
    """
    status.unlink(missing_ok=True)
    shown = progress and sys.stderr.isatty()
    bar = tqdm(total=len(parts), desc=name, bar_format=_BAR, disable=not shown, leave=False)
    line = tqdm(bar_format="  {desc}", position=1, disable=not shown, leave=False)
    headings: list[str] = []
    finished = threading.Event()

    def reached(cell_id: str) -> None:
        if cell_id not in parts:  # the cell of parameters that papermill inserts
            return
        count, heading = parts[cell_id]
        status.unlink(missing_ok=True)
        bar.n = count
        bar.set_description_str(f"{name}: {heading[:60]}")
        if progress and not shown and heading not in headings:
            print(f"{name}: {count}/{len(parts)} {heading}", file=sys.stderr, flush=True)
        headings.append(heading)

    def watch() -> None:
        while not finished.wait(POLL):
            # a half-written line is complete at the next update
            with contextlib.suppress(OSError, UnicodeDecodeError):
                text = status.read_text(encoding="utf-8") if status.is_file() else ""
                line.set_description_str(text[: (line.ncols or 100) - 4])
            bar.refresh()

    watcher = threading.Thread(target=watch, daemon=True)
    if shown:
        watcher.start()
    try:
        yield reached
    finally:
        finished.set()
        if shown:
            watcher.join(timeout=2)
        line.close()
        bar.close()


def _in_one_line(error, path: Path, out: Path) -> WorkbenchError:
    """Error of a failed cell: any but the package's own with the path of its traceback."""
    kind = getattr(errors, str(error.ename), None)
    if isinstance(kind, type) and issubclass(kind, WorkbenchError):
        return WorkbenchError(_line(error.evalue))
    return WorkbenchError(
        f"{read(path).name} failed with {error.ename}: {_line(error.evalue)}. The cell and its traceback are "
        f"in {out / 'executed.ipynb'}; finished runs are kept."
    )


def _line(text: str) -> str:
    return " ".join(str(text).split())[:400]
