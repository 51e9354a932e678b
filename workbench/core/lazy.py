"""Packages that load their parts on first use (PEP 562), and what waits for another package's import.

``import workbench`` must cost nothing, and still ``workbench.stylize`` must be there, listed by ``dir`` and
known to type checkers. The stub ``__init__.pyi`` of a package says where its names come from: checkers and
editors read it, and so does :func:`names_of`. A package without a stub offers its modules.

Source: PEP 562; the idea of reading the stub is scientific Python's SPEC 1 (``lazy_loader``), which does not
support renamed imports.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

Attached = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]  # __getattr__, __dir__, __all__


def names_of(package: str, file: str | os.PathLike) -> Attached:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package, from the imports in its stub.

    Args:
        package: ``__name__`` of the package.
        file: its ``__file__``; the stub lies beside it. Every line of it is an absolute import,
            ``from workbench.models import create as create_model``.

    Raises:
        OSError: there is no stub.
    """
    folder = Path(file).parent
    tree = ast.parse((folder / "__init__.pyi").read_text(encoding="utf-8"))
    sources = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def load(name: str) -> Any:
        if (folder / name).is_dir():  # a package below this one: see callable_package
            return importlib.import_module(f"{package}.{name}")
        module, attribute = sources[name]
        return getattr(importlib.import_module(module), attribute)

    return _attach(package, sources, load)


def modules_of(package: str, path: Iterable[str]) -> Attached:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that offers its public modules.

    Args:
        package: ``__name__`` of the package.
        path: its ``__path__``.
    """
    modules = [module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_")]
    return _attach(package, modules, lambda name: importlib.import_module(f"{package}.{name}"))


def _attach(package: str, names: Iterable[str], load: Callable[[str], Any]) -> Attached:
    public = sorted(names)

    def __getattr__(name: str) -> Any:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = load(name)
        setattr(sys.modules[package], name, value)  # found at once the next time
        return value

    def __dir__() -> list[str]:
        return sorted({*public, *(name for name in vars(sys.modules[package]) if name.startswith("__"))})

    return __getattr__, __dir__, public


def callable_package(package: str, module: str, function: str) -> None:
    """Let a package be called: ``workbench.styles()`` lists the styles, ``workbench.styles.video`` is there.

    A package and a function of one name cannot both be the attribute ``workbench.styles``: the import system
    sets it to the package as soon as that is imported. So the package itself forwards the call.

    Args:
        package: ``__name__`` of the package.
        module: the module of the function, imported at the first call.
        function: its name.
    """

    class CallablePackage(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return getattr(importlib.import_module(module), function)(*args, **kwargs)

    sys.modules[package].__class__ = CallablePackage


def when_imported(module: str, act: Callable[[ModuleType], object]) -> None:
    """Call ``act`` with a module as soon as it is imported: now if it is, else never if nobody imports it.

    Args:
        module: its dotted name. The import itself is unchanged.
        act: what to do with it. One that waits already does not wait twice.
    """
    if module in sys.modules:
        act(sys.modules[module])
        return
    waiting = [(f.module, f.act) for f in sys.meta_path if isinstance(f, _AfterImport)]
    if (module, act) not in waiting:
        sys.meta_path.insert(0, _AfterImport(module, act))


class _AfterImport:
    """Finds its module as the others do, and acts on it after its code was run."""

    def __init__(self, module: str, act: Callable[[ModuleType], object]):
        self.module, self.act = module, act

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self.act(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
