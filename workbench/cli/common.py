"""What several commands share."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from workbench.core.errors import ImageError, WorkbenchError


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, at least one."""
    from workbench.data.images import list_images

    found = list_images(folder)
    if not found:
        raise ImageError(f"Expected pictures in {folder} but found none. Check the path.")
    return found


def report(failed: list[str]) -> None:
    """List what could not be done on stderr and leave with exit code 1, if there is any."""
    if failed:
        typer.echo(f"{len(failed)} not done:", err=True)
        for line in failed:
            typer.echo(f"  {line}", err=True)
        raise typer.Exit(1)


def table(rows: list[tuple[str, ...]]) -> str:
    """Text of a table whose first row is its heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def settings(pairs: list[str]) -> dict:
    """KEY=VALUE pairs with values in JSON; a value that is none is taken as text."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise WorkbenchError(f"Expected KEY=VALUE after --set but got {pair!r}.")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found
