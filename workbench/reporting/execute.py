"""Run a notebook from top to bottom, saying which part is running, until a deadline if there is one.

papermill sets the parameters and runs the cells in a kernel of this very Python. What the notebook's study
has finished lies in its tables, so a run that was stopped goes on where it was.
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

SETUP = "report-setup"  # tag of the cell that prepares the kernel; it is not in the report
HOME = re.compile(r"^#+ Run it yourself\b")  # heading of what a reader of a report has no use for
POLL = 0.5  # seconds between looks at the progress
_BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}]"


class OutOfTime(WorkbenchError):
    """The notebook was stopped because its minutes were over."""


def execute(
    path: Path,
    out: Path,
    parameters: Mapping[str, object],
    minutes: float = 0,
    progress: bool = True,
) -> nbformat.NotebookNode:
    """Run a notebook; return it with its outputs.

    Args:
        path: the notebook.
        out: folder of the run: working directory, and ``executed.ipynb`` for whoever looks for an error.
        parameters: values for its cell tagged "parameters".
        minutes: after which it is stopped; 0 has no deadline.
        progress: show on the terminal which part is running.

    Raises:
        WorkbenchError: a cell failed. Errors that the user can mend come as they were raised, in one line.
        OutOfTime: the minutes were over.
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
            warnings.simplefilter("ignore")  # of Jupyter about itself
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
                f"{minutes:g} minutes were not enough for {read(path).name}. What is finished is kept: the "
                "same command goes on from there."
            ) from error
        raise WorkbenchError(
            f"{read(path).name} could not be run to its end ({type(error).__name__}: {_line(str(error))}). "
            "What is finished is kept: the same command goes on from there."
        ) from error
    finally:
        if timer:
            timer.cancel()
        with contextlib.suppress(Exception):  # it is gone already if all went well
            manager.provisioner.process.kill()
        sockets.cleanup()
    return done


def _kernel(sockets: Path) -> Any:
    """A kernel of this interpreter, whatever kernels the user has named python3."""
    from jupyter_client.manager import AsyncKernelManager

    manager: Any = AsyncKernelManager(kernel_name="python3")
    if os.name == "posix":  # sockets that only this user can open
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
    """Cell id -> (how many code cells come before it, the heading above it)."""
    parts, heading, count = {}, "setting up", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            titles = re.findall(r"^(#{1,3}) (.+)$", cell.source, re.MULTILINE)
            if titles and not HOME.match(cell.source):
                depth, title = titles[-1]  # what runs below the notebook's own title is the study
                heading = title.strip() if len(depth) > 1 else "running the study"
        else:
            parts[cell.id] = (count, heading)
            count += 1
    return parts


@contextlib.contextmanager
def _bar(parts: Mapping[str, tuple[int, str]], status: Path, name: str, progress: bool) -> Iterator:
    """Two lines on a terminal (the part, and how far it is), one line per part in a log.

    Gives a function to call with the id of the cell that starts.
    """
    status.unlink(missing_ok=True)
    shown = progress and sys.stderr.isatty()
    bar = tqdm(total=len(parts), desc=name, bar_format=_BAR, disable=not shown, leave=False)
    line = tqdm(bar_format="  {desc}", position=1, disable=not shown, leave=False)
    headings: list[str] = []
    finished = threading.Event()

    def reached(cell_id: str) -> None:
        if cell_id not in parts:  # the parameters that papermill puts in
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
            with contextlib.suppress(OSError, UnicodeDecodeError):  # half a line: the next look sees it whole
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
    """What a failed cell says: the package's own errors as they are, any other with the way to its trace."""
    kind = getattr(errors, str(error.ename), None)
    if isinstance(kind, type) and issubclass(kind, WorkbenchError):
        return WorkbenchError(_line(error.evalue))
    return WorkbenchError(
        f"{read(path).name} failed with {error.ename}: {_line(error.evalue)}. The cell and its trace are in "
        f"{out / 'executed.ipynb'}; what was finished is kept."
    )


def _line(text: str) -> str:
    return " ".join(str(text).split())[:400]
