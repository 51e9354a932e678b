"""Options of config dataclasses, whose fields and comments are their only description.

    @dataclasses.dataclass(frozen=True)
    class DrawOptions:
        strength: Annotated[float, Range(0, 1, step=0.05)] = 1.0  # 1 is the drawing, 0 the photo
        runtime: Literal["torch", "onnx"] = "torch"  # what runs the network

:func:`options` reads name, type, default, limits, choices and help from it. The command line makes its flags
of them (``workbench.cli.common.with_options``), the page its controls, and :func:`command` the exact command
that a card records.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import io
import json
import math
import shlex
import textwrap
import tokenize
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from workbench.core.errors import UnknownNameError, WorkbenchError

Config = TypeVar("Config")
_MISSING = dataclasses.MISSING


@dataclasses.dataclass(frozen=True)
class Range:
    """Limits of a number, both inclusive; ``step`` is a slider's."""

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None

    @property
    def words(self) -> str:
        """In words: "between 0 and 1", "at least 1", "at most 9", or nothing without limits."""
        low, high = (None if x is None else f"{x:g}" for x in (self.minimum, self.maximum))
        if low is not None and high is not None:
            return f"between {low} and {high}"
        return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""


@dataclasses.dataclass(frozen=True)
class Option:
    """One field of a config, as a flag, a control or an entry of a table shows it."""

    name: str  # of the field
    type: Any  # bool, int, float, str, Path, dict, or the dataclass of a nested config
    default: Any  # `dataclasses.MISSING` if it must be given
    help: str  # the field's comment
    choices: tuple[str, ...] = ()  # of a Literal
    range: Range = dataclasses.field(default_factory=Range)
    optional: bool = False  # whether None is allowed
    many: bool = False  # a tuple of values

    @property
    def flag(self) -> str:
        """As it is typed: ``--validate-every``."""
        return "--" + self.name.replace("_", "-")

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is _MISSING

    def check(self, value: Any) -> Any:
        """``value`` in the option's type.

        Raises:
            WorkbenchError: another type, a number outside the limits, or none of the choices.
        """
        if value is None and self.optional:
            return None
        if self.many:
            if isinstance(value, str) or not isinstance(value, (list, tuple)):
                raise self._expected("a list", value)
            return tuple(self._one(item) for item in value)
        return self._one(value)

    def _one(self, value: Any) -> Any:
        if self.choices:
            if value not in self.choices:
                raise UnknownNameError(self.name.replace("_", " "), str(value)[:80], self.choices)
            return value
        if isinstance(self.type, type) and dataclasses.is_dataclass(self.type):
            if isinstance(value, self.type):
                return value
            if isinstance(value, Mapping):
                return build(self.type, value, self.default if isinstance(self.default, self.type) else None)
            raise self._expected("a mapping", value)
        if self.type in (int, float):
            return self._number(value)
        if self.type is Path:
            return Path(value)
        if self.type is tuple and isinstance(value, list):
            return tuple(value)
        if isinstance(self.type, type) and not isinstance(value, self.type):
            raise self._expected(_WORDS.get(self.type, self.type.__name__), value)
        return value

    def _number(self, value: Any) -> int | float:
        whole = self.type is int
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._expected("a whole number" if whole else "a number", value)
        if whole and value != int(value):
            raise self._expected("a whole number", value)
        low, high = self.range.minimum, self.range.maximum
        if math.isnan(value) or (low is not None and value < low) or (high is not None and value > high):
            raise self._expected(self.range.words or "a number", value)
        return self.type(value)

    def _expected(self, what: str, value: Any) -> WorkbenchError:
        return WorkbenchError(f"Expected {self.name} to be {what} but got {repr(value)[:80]}.")


_WORDS = {str: "text", bool: "true or false", dict: "a mapping"}


@functools.cache
def options(cls: type) -> tuple[Option, ...]:
    """The options of a config dataclass, in the order of its fields. Fields named with "_" are left out."""
    hints = typing.get_type_hints(cls, include_extras=True)
    comments = _comments(cls)
    return tuple(
        _option(field, hints[field.name], comments.get(field.name, ""))
        for field in dataclasses.fields(cls)
        if field.init and not field.name.startswith("_")
    )


def build(cls: type[Config], changes: Mapping[str, Any], base: Config | None = None) -> Config:
    """A config with some of its fields changed, all of them checked.

    Args:
        cls: of the config.
        changes: by name.
        base: what is changed; by default the config of all defaults.

    Raises:
        UnknownNameError: no such field. WorkbenchError: a value of the wrong type or outside its limits, or a
            required one that is missing.
    """
    known = {option.name: option for option in options(cls)}  # type: ignore[arg-type]
    for name in changes:
        if name not in known:
            raise UnknownNameError("setting", str(name)[:80], known)
    for name, option in known.items():
        if base is None and option.required and name not in changes:
            raise WorkbenchError(f"Expected {name} ({option.help}) but it is missing.")
    checked = {name: known[name].check(value) for name, value in changes.items()}
    return cls(**checked) if base is None else dataclasses.replace(base, **checked)  # type: ignore[type-var]


def command(
    prefix: str, *configs: Any, shown: Mapping[str, str] | None = None, leave_out: Collection[str] = ()
) -> str:
    """The command line that makes these configs: ``prefix`` and every option that is not its default.

    Args:
        prefix: the command, e.g. "workbench train stylizer".
        configs: config dataclasses whose options are the command's.
        shown: replacements of values that must not be shown, e.g. ``{"photos": "PHOTOS"}``.
        leave_out: names of options that do not change the result, or are not the command's.
    """
    words = [prefix]
    for config in configs:
        for option in options(type(config)):  # type: ignore[arg-type]
            value = getattr(config, option.name)
            if option.name in leave_out or (not option.required and value == option.default):
                continue
            if shown and option.name in shown:
                words.append(f"{option.flag} {shown[option.name]}")
            elif isinstance(value, bool):
                words.append(option.flag if value else "--no-" + option.flag[2:])
            elif value is not None:
                for item in value if option.many else [value]:
                    words.append(f"{option.flag} {shlex.quote(_text(item, option.default))}")
    return " ".join(words)


def parse(option: Option, text: str) -> Any:
    """The value of an option from a text that a person typed, checked.

    Raises:
        WorkbenchError: as :meth:`Option.check`.
    """
    value: Any = text
    if option.many or option.type not in (str, Path):
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    return option.check([value] if option.many and not isinstance(value, list) else value)


def _text(value: Any, base: Any) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {
            o.name: getattr(value, o.name)
            for o in options(type(value))
            if getattr(value, o.name) != (getattr(base, o.name) if type(base) is type(value) else o.default)
        }
        return json.dumps(changed, default=str)
    return json.dumps(value) if isinstance(value, (dict, list, tuple)) else str(value)


def _option(field: dataclasses.Field, hint: Any, comment: str) -> Option:
    limits, optional, many = Range(), False, False
    if get_origin(hint) is typing.Annotated:
        hint, *extras = get_args(hint)
        limits = next((extra for extra in extras if isinstance(extra, Range)), limits)
    if get_origin(hint) in (Union, types.UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        optional, hint = len(parts) < len(get_args(hint)), parts[0]
    if get_origin(hint) in (tuple, list):
        many, hint = True, get_args(hint)[0]
    if get_origin(hint) is typing.Annotated:
        hint, *extras = get_args(hint)
        limits = next((extra for extra in extras if isinstance(extra, Range)), limits)
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    default = field.default
    if field.default_factory is not _MISSING:
        default = field.default_factory()
    kind = str if choices else (get_origin(hint) or hint)
    return Option(field.name, kind, default, comment, choices, limits, optional, many)


def _comments(cls: type) -> dict[str, str]:
    """The comment of every field: on its line or lines, or alone on the lines right above it. A field that
    only changes an inherited default has the inherited comment.
    """
    comments: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            comments |= {name: comment for name, comment in _own_comments(base).items() if comment}
    return comments


def _own_comments(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}  # made at run time, or without its source
    alone: dict[int, str] = {}
    beside: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            is_alone = token.line.strip().startswith("#")
            (alone if is_alone else beside)[token.start[0]] = token.string.lstrip("# ").strip()
    comments = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.end_lineno or node.lineno
            inside = {**alone, **beside}
            lines = [inside[n] for n in range(node.lineno, last + 1) if n in inside]
            above = node.lineno - 1
            before: list[str] = []
            while above in alone:
                before.insert(0, alone[above])
                above -= 1
            comments[node.target.id] = " ".join(before + lines)
    return comments
