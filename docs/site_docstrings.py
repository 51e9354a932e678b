"""Docstrings of the package as mkdocstrings reads them: roles become links, examples become code.

A role such as ``:func:`workbench.ui.app.launch``` that leads to nothing in the package is plain code.
"""

import re

import griffe

ROLE = re.compile(r":(?:func|class|mod|meth|data|attr):`~?([\w.]+)`")
TOGETHER = re.compile(r"(?m)^( +)(\w+(?:, \w+)+)(:.*(?:\n\1 +.*)*)")  # "low, high: …" of Args
EXAMPLE = re.compile(r"(?m)^>>> (?:.+\n?)+")


def found(name: str, where: griffe.Object) -> griffe.Object | griffe.Alias | None:
    """What a role means by ``name`` in a docstring of ``where``: a full name, or one known there."""
    package = where.package
    if name.startswith(f"{package.name}."):
        inner = name.removeprefix(f"{package.name}.")
        return package[inner] if known(package, inner) else None
    scope: griffe.Object | None = where
    while scope is not None:
        if known(scope, name):
            return scope[name]
        scope = scope.parent
    return None


def known(scope: griffe.Object, name: str) -> bool:
    """Whether ``scope`` has a member of this name."""
    try:
        return scope[name] is not None
    except (KeyError, griffe.AliasResolutionError):
        return False


def apart(words: str, where: griffe.Object) -> str:
    """Parameters that share an entry, each with its own: griffe knows no other."""

    def split(match: re.Match) -> str:
        names = match[2].split(", ")
        if not set(names) <= {p.name for p in getattr(where, "parameters", ())}:
            return match[0]
        return "\n".join(f"{match[1]}{name}{match[3]}" for name in names)

    return TOGETHER.sub(split, words)


class Docstrings(griffe.Extension):
    """Rewrite every docstring of a package once all of it is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_) -> None:
        """Rewrite the docstrings of the package and of all below it."""
        self._rewrite(pkg)

    def _rewrite(self, thing: griffe.Object) -> None:
        if thing.docstring:
            words = apart(thing.docstring.value, thing)
            words = EXAMPLE.sub(lambda m: f"```pycon\n{m[0].rstrip()}\n```\n", words)
            thing.docstring.value = ROLE.sub(lambda m: self._link(m[1], thing), words)
        for member in thing.members.values():
            if not member.is_alias:
                self._rewrite(member)

    def _link(self, name: str, where: griffe.Object) -> str:
        target = found(name, where)
        shown = name.rpartition(".")[2] if name.startswith(f"{where.package.name}.") else name
        if target is None or not target.has_docstring:  # what has none has no entry
            return f"`{shown}`"
        return f"[`{shown}`][{target.canonical_path}]"
