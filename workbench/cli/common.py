"""Helpers of several commands."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import typing
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.core import options
from workbench.core.errors import ImageError, WorkbenchError

Option = options.Option  # `options` is also a method below


Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda (cuda:1 …) or mps; by default WORKBENCH_DEVICE, or auto.")
]


PublicHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--public-host", help="A name under which the server is reached, e.g. a reverse proxy's; repeatable."
    ),
]
TrustedProxies = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy", help="Address of a reverse proxy that says whose requests it forwards; repeatable."
    ),
]


@dataclasses.dataclass(frozen=True)
class OneOf:
    """A choice among config dataclasses; the command gets the flags of all of them.

    The flag ``name`` chooses the class. Without ``name`` the command chooses, and gets the typed values.
    """

    classes: Mapping[str, type]
    name: str = ""  # of the choosing flag, without dashes
    default: str = ""
    help: str = ""

    def options(self) -> tuple[options.Option, ...]:
        """Options that all classes share, and the others without a default, which depends on the class."""
        choices: dict[str, dict[str, options.Option]] = {}
        for name, cls in self.classes.items():
            for option in options.options(cls):
                choices.setdefault(option.name, {})[name] = option
        several = tuple(self._together(versions) for versions in choices.values())
        if not self.name:
            return tuple(dataclasses.replace(option, default=None, optional=True) for option in several)
        return (options.Option(self.name, str, self.default, self.help, tuple(self.classes)), *several)

    def build(self, values: dict[str, Any]) -> Any:
        """The chosen config, or the typed values."""
        return options.build(self.classes[values.pop(self.name)], values) if self.name else values

    def _together(self, versions: dict[str, Option]) -> Option:
        first, *others = versions.values()
        if len(versions) == len(self.classes) and all(o == first for o in others):
            return first
        defaults = ", ".join(
            f"{n} needed" if o.required else f"{n} {o.default!s}" for n, o in versions.items()
        )
        return dataclasses.replace(first, default=None, help=f"{first.help} ({defaults})", optional=True)


def with_options(**configs: type | OneOf) -> Callable[[Callable], Callable]:
    """Decorator: adds the flags of config dataclasses to a command, and passes the configs to it.

        @app.command()
        @with_options(config=StylizerConfig)
        def stylizer(config: StylizerConfig) -> None: ...

    Args:
        configs: dataclass of each parameter of the function, or :class:`OneOf` several.
    """

    def wrap(function: Callable) -> Callable:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(annotation=hints[name])
            for name, parameter in inspect.signature(function).parameters.items()
            if name not in configs
        ]
        known = {n: c.options() if isinstance(c, OneOf) else options.options(c) for n, c in configs.items()}
        taken = {parameter.name for parameter in own}
        added = [_flag(o) for several in known.values() for o in several if o.name not in taken]

        @functools.wraps(function)
        def command(**given: Any) -> Any:
            flags = {name: value for name, value in given.items() if name not in taken}
            built = {}
            for name, config in configs.items():
                values = _given(known[name], flags)
                built[name] = (
                    config.build(values) if isinstance(config, OneOf) else options.build(config, values)
                )
            return function(**{p.name: given[p.name] for p in own}, **built)

        del command.__wrapped__  # type: ignore[attr-defined]  # else Typer would read the wrapped signature
        parameters = sorted([*own, *added], key=lambda p: p.default is not inspect.Parameter.empty)
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return wrap


def _is_plain(option: options.Option) -> bool:
    return bool(option.choices) or option.type in (bool, int, float, str, Path)


def _flag(option: options.Option) -> inspect.Parameter:
    """Typer parameter of an option. Mappings and nested configs are typed as JSON.

    Limits and choices are only displayed here; :func:`workbench.core.options.build` checks them.
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
        default = list(default) if isinstance(default, tuple) else default
    if default is None:
        kind = kind | None
    flag = f"{option.flag}/--no-{option.flag[2:]}" if option.type is bool else option.flag
    annotation = Annotated[kind, typer.Option(flag, help=text, metavar=metavar)]
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _given(known: tuple[options.Option, ...], given: dict[str, Any]) -> dict[str, Any]:
    """Typed or default values of these options; those left out keep the config's default."""
    values = {}
    for option in known:
        value = given.get(option.name)
        if value is None or (option.many and not value):
            continue
        if option.many and not _is_plain(option):
            value = [_json(option, item) for item in value]
        plain = _is_plain(option) or option.many
        values[option.name] = value if plain else options.parse(option, str(value))
    return values


def _json(option: options.Option, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WorkbenchError(f"Expected JSON after {option.flag} but got {text!r}.") from error


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, at least one."""
    from workbench.data.images import list_images

    paths = list_images(folder)
    if not paths:
        raise ImageError(f"Expected pictures in {folder} but found none. Check the path.")
    return paths


def report(failed: list[str]) -> None:
    """List failures on stderr and exit with code 1, if there are any."""
    if failed:
        typer.echo(f"{len(failed)} not done:", err=True)
        for line in failed:
            typer.echo(f"  {line}", err=True)
        raise typer.Exit(1)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Text of a table whose first row is the header."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def _width(text: str) -> int:
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def settings(pairs: list[str]) -> dict:
    """KEY=VALUE pairs; a value that is not valid JSON is taken as text."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise WorkbenchError(f"Expected KEY=VALUE after --set but got {pair!r}.")
        try:
            values[key] = json.loads(value)
        except json.JSONDecodeError:
            values[key] = value
    return values
