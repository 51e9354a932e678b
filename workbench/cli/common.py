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


def with_options(**configs: type | tuple[type, ...]) -> Callable[[Callable], Callable]:
    """Decorator: a command gets the flags of config dataclasses, and the configs that were made of them.

        @app.command()
        @with_options(config=StylizerConfig)
        def stylizer(config: StylizerConfig) -> None: ...

    Args:
        configs: parameter of the function, and the dataclass whose options become flags. Of several
            dataclasses, of which the function chooses one, it gets a mapping of what was typed.
    """

    def wrap(function: Callable) -> Callable:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(annotation=hints[name])
            for name, parameter in inspect.signature(function).parameters.items()
            if name not in configs
        ]
        taken = {parameter.name for parameter in own}
        added = [
            _flag(option, typed=isinstance(cls, tuple))
            for cls in configs.values()
            for option in _options(cls)
            if option.name not in taken
        ]

        @functools.wraps(function)
        def command(**given: Any) -> Any:
            flags = {name: value for name, value in given.items() if name not in taken}
            built = {name: _build(cls, flags) for name, cls in configs.items()}
            return function(**{p.name: given[p.name] for p in own}, **built)

        del command.__wrapped__  # type: ignore[attr-defined]  # or the flags would be read from there
        parameters = sorted([*own, *added], key=lambda p: p.default is not inspect.Parameter.empty)
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return wrap


def _options(cls: type | tuple[type, ...]) -> tuple[options.Option, ...]:
    """The options of a dataclass, or of several: the first one's where two share a name."""
    if not isinstance(cls, tuple):
        return options.options(cls)
    return tuple({option.name: option for one in reversed(cls) for option in options.options(one)}.values())


def _build(cls: type | tuple[type, ...], given: dict[str, Any]) -> Any:
    values = _given(_options(cls), given)
    return values if isinstance(cls, tuple) else options.build(cls, values)


def _is_plain(option: options.Option) -> bool:
    return bool(option.choices) or option.type in (bool, int, float, str, Path)


def _flag(option: options.Option, typed: bool = False) -> inspect.Parameter:
    """A Typer parameter of an option. Values that are no plain ones (mappings, nested configs) are JSON.

    With ``typed`` it is None unless it was typed.
    """
    kind: Any = typing.Literal[option.choices] if option.choices else option.type
    default: Any = inspect.Parameter.empty if option.required else option.default
    text, limits = option.help, {}
    if option.type in (int, float):
        limits = {"min": option.range.minimum, "max": option.range.maximum}
    if not _is_plain(option):
        kind, text = str, f"{option.help} (JSON)"
        default = default if option.required else None
    if option.many:
        kind = list[kind]
        default = list(default) if isinstance(default, tuple) else default
    default = None if typed else default
    if default is None:
        kind = kind | None
    flag = f"{option.flag}/--no-{option.flag[2:]}" if option.type is bool else option.flag
    annotation = Annotated[kind, typer.Option(flag, help=text, **limits)]
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _given(known: tuple[options.Option, ...], given: dict[str, Any]) -> dict[str, Any]:
    """What was typed, or is a default, of these options; what was left out keeps the config's default."""
    values = {}
    for option in known:
        value = given.get(option.name)
        if value is None or (option.many and not value):
            continue
        if option.many and not _is_plain(option):
            value = [json.loads(item) for item in value]
        values[option.name] = value if _is_plain(option) or option.many else options.parse(option, value)
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
