"""What several commands share."""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.core import options
from workbench.core.errors import ImageError, WorkbenchError


def with_options(**configs: type) -> Callable[[Callable], Callable]:
    """Decorator: a command gets the flags of config dataclasses, and the configs that were made of them.

        @app.command()
        @with_options(config=StylizerConfig)
        def stylizer(config: StylizerConfig) -> None: ...

    Args:
        configs: parameter of the function, and the dataclass whose options become flags.
    """

    def wrap(function: Callable) -> Callable:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(annotation=hints[name])
            for name, parameter in inspect.signature(function).parameters.items()
            if name not in configs
        ]
        added = [_flag(option) for cls in configs.values() for option in options.options(cls)]

        @functools.wraps(function)
        def command(**given: Any) -> Any:
            built = {
                name: options.build(cls, _given(options.options(cls), given)) for name, cls in configs.items()
            }
            return function(**{p.name: given[p.name] for p in own}, **built)

        del command.__wrapped__  # type: ignore[attr-defined]  # or the flags would be read from there
        parameters = sorted([*own, *added], key=lambda p: p.default is not inspect.Parameter.empty)
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return wrap


def _is_plain(option: options.Option) -> bool:
    return bool(option.choices) or option.type in (bool, int, float, str, Path)


def _flag(option: options.Option) -> inspect.Parameter:
    """A Typer parameter of an option. Values that are no plain ones (mappings, nested configs) are JSON.

    Limits and choices are only shown here: :func:`workbench.core.options.build` checks them, in one line.
    """
    kind: Any = str if option.choices else option.type
    default: Any = inspect.Parameter.empty if option.required else option.default
    text, metavar = option.help, "|".join(option.choices) or None
    if option.range.words:
        text = f"{text} ({option.range.words})"
    if not _is_plain(option):
        kind, text = str, f"{option.help} (JSON)"
        default = default if option.required else None
    if option.many:
        kind = list[kind]
        default = default if option.required else list(option.default)
    elif default is None:
        kind = kind | None
    flag = f"{option.flag}/--no-{option.flag[2:]}" if option.type is bool else option.flag
    annotation = Annotated[kind, typer.Option(flag, help=text, metavar=metavar)]
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _given(known: tuple[options.Option, ...], given: dict[str, Any]) -> dict[str, Any]:
    """What was typed, or is a default, of these options; what was left out keeps the config's default."""
    values = {}
    for option in known:
        value = given[option.name]
        if value is not None and not (option.many and not value):
            values[option.name] = value if _is_plain(option) else options.parse(option, value)
    return values


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
