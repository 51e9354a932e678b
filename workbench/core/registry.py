"""Registries of named objects, filled by a decorator and extended by other packages through entry points.

    networks = Registry("architecture", package="workbench.models", group="workbench.models")

    @networks.register
    def fsgan_small(): ...

The decorator alone registers. To find a name, the sources of the package are read for it, and only the module
that has it is imported. Another package adds its own in its ``pyproject.toml``:

    [project.entry-points."workbench.models"]
    my_network = "my_package.networks:my_network"

Names are unique: an entry of another package whose name is taken is skipped, and logged.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from workbench.core.errors import UnknownNameError

Entry = TypeVar("Entry")
log = logging.getLogger(__name__)


class Registry(Generic[Entry]):
    """Entries by name.

    Args:
        what: an entry is called in messages, e.g. "architecture".
        package: whose modules register entries by a decorator named "register"; none without.
        group: of entry points by which other packages add entries; none without.
        check: called with (name, entry) of another package; raises ``TypeError`` if it is no such thing.
    """

    def __init__(
        self, what: str, package: str = "", group: str = "", check: Callable[[str, Any], None] | None = None
    ):
        self.what, self.package, self.group = what, package, group
        self._check = check
        self._entries: dict[str, Entry] = {}
        self._left_out: set[str] = set()  # names of other packages' entries that cannot be loaded

    def add(self, name: str, entry: Entry) -> Entry:
        """Register an entry under a name; a module that is loaded again replaces its own."""
        self._entries[name] = entry
        return entry

    @contextlib.contextmanager
    def trying(self) -> Iterator[None]:
        """Entries added within the block are removed afterwards."""
        before = dict(self._entries)
        try:
            yield
        finally:
            self._entries = before

    def register(self, entry: Entry) -> Entry:
        """Decorator: register a function or class under its own name, unchanged."""
        return self.add(entry.__name__, entry)  # type: ignore[attr-defined]

    def names(self) -> list[str]:
        """Sorted names of all entries. The project's own are not imported for it."""
        return sorted({*self._entries, *self.own(), *self._others()} - self._left_out)

    def get(self, name: str) -> Entry:
        """The entry of a name.

        Raises:
            UnknownNameError: there is none; the error lists the known ones.
        """
        if name not in self._entries and name in self.own():
            importlib.import_module(self.own()[name].module)
        if name not in self._entries and name in self._others():
            self._load(self._others()[name])
        if name not in self._entries:
            raise UnknownNameError(self.what, name, self.names())
        return self._entries[name]

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Names and entries of all, imported for it; what cannot be loaded is left out."""
        for name in self.names():
            try:
                yield name, self.get(name)
            except UnknownNameError:
                continue

    def __contains__(self, name: object) -> bool:
        """Whether there is an entry of this name."""
        return name in self.names()

    def own(self) -> dict[str, Decorated]:
        """Where the project's own entries are, and what their decorators say; nothing is imported."""
        return decorated(self.package) if self.package else {}

    def _others(self) -> dict[str, EntryPoint]:
        return _entry_points(self.group) if self.group else {}

    def _load(self, point: EntryPoint) -> None:
        """Load an entry of another package; if it fails, it is skipped and logged."""
        if point.name in self._left_out:
            return
        try:
            entry = point.load()
            if self._check is not None:
                self._check(point.name, entry)
        except Exception as error:
            log.warning("%s %s cannot be loaded from %s: %s", self.what, point.name, point.value, error)
            self._left_out.add(point.name)
            return
        self._entries[point.name] = entry


class Decorated(NamedTuple):
    """A function or class that a decorator registers."""

    module: str  # that defines it
    arguments: tuple[Any, ...] = ()  # positional ones of the decorator that are literals


@functools.cache
def decorated(package: str, decorator: str = "register") -> dict[str, Decorated]:
    """Every function or class at the top of a package's modules that a decorator registers, by name.

    The sources are parsed, nothing is imported:
    ``{"fsgan_small": Decorated("workbench.models.fsgan", ("generator",)), …}``.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    entries = {}
    for folder in map(Path, folders):
        for file in sorted(folder.rglob("*.py")):
            module = ".".join([package, *file.relative_to(folder).with_suffix("").parts])
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                    continue
                for one in node.decorator_list:
                    if _name(one) == decorator:
                        texts = [a.value for a in _arguments(one) if isinstance(a, ast.Constant)]
                        entries[node.name] = Decorated(module.removesuffix(".__init__"), tuple(texts))
    return entries


def _name(node: ast.expr) -> str:
    """Last part of a decorator's name, called or not."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _arguments(node: ast.expr) -> list[ast.expr]:
    return node.args if isinstance(node, ast.Call) else []


@functools.cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}
