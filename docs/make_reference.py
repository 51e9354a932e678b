"""Build the reference of the package from its docstrings: ``python docs/make_reference.py [OUT]``.

Every public module is listed by itself. What cannot be documented rightly is an error, not a warning.
"""

import functools
import inspect
import re
import sys
import warnings
from pathlib import Path

import pdoc
from numpy.typing import ArrayLike

from workbench import __version__

HERE = Path(__file__).resolve().parent
ROLES = re.compile(r":(?:func|class|mod|meth|data|attr):(?=`)")  # pdoc links the names by themselves

ARRAY = re.compile(r"numpy\.ndarray\[tuple\[(?:typing\.)?Any, \.\.\.\], numpy\.dtype\[([\w.+~]+)\]\]")


class Written:
    """An annotation as it shall be read."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text


def short_types(signature: inspect.Signature) -> inspect.Signature:
    """A signature whose arrays are called as in the source, not by what NumPy's names stand for."""

    def short(annotation):
        if annotation is inspect.Signature.empty:
            return annotation
        text = inspect.formatannotation(annotation)
        named = text
        unions = ((ArrayLike | None, "ArrayLike | None"), (ArrayLike | int, "ArrayLike | int"))
        for meant, name in (*unions, (ArrayLike, "ArrayLike")):
            named = named.replace(inspect.formatannotation(meant), name)
        named = ARRAY.sub(lambda m: f"NDArray[{m[1].removeprefix('numpy.')}]", named)
        named = named.replace("NDArray[~_ScalarT]", "NDArray")
        return annotation if named == text else Written(named)

    parameters = [p.replace(annotation=short(p.annotation)) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=short(signature.return_annotation))


def own_words(member: pdoc.doc.Doc) -> str:
    """The docstring of a member, unless it is of a class that is not this package's (a torch module, say)."""
    if member.kind == "variable" and member.docstring.startswith("Alias for field number"):
        return ""
    if member.kind != "function" or inspect.unwrap(member.obj).__doc__ or "." not in member.qualname:
        return member.docstring if not member.docstring.startswith("Create new instance of") else ""
    owner = functools.reduce(getattr, member.qualname.split(".")[:-1], sys.modules[member.modulename])
    for base in owner.__mro__[1:]:
        if getattr(vars(base).get(member.name), "__doc__", None):
            package = member.modulename.partition(".")[0]
            return member.docstring if base.__module__.startswith(package) else ""
    return member.docstring


def shown(member: pdoc.doc.Doc, modules: dict) -> bool:
    """Whether a member has an entry: what is public, except layers and the like that say nothing."""
    if member.kind == "module":
        return member.fullname in modules and not member.name.startswith("_")
    if member.name == "__init__":
        words = own_words(member)
        return bool(words or (member.kind == "function" and member.signature_without_self.parameters))
    if member.kind == "variable" and not member.docstring:
        return not member.name.startswith("_") and bool(member.annotation_str or member.default_value_str)
    return not member.name.startswith("_")


def public_modules(package: Path) -> list[str]:
    """Dotted names of a package and of all modules below it whose names do not begin with an underscore."""
    files = sorted(package.rglob("*.py"), key=lambda file: file.with_suffix("").parts)
    names = [".".join(file.relative_to(package.parent).with_suffix("").parts) for file in files]
    names = [name.removesuffix(".__init__") for name in names]
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def build(out: Path, modules: list[str], source: bool = True) -> None:
    """Write the pages of ``modules`` to the folder ``out``.

    Raises:
        UserWarning, RuntimeError: a module cannot be imported, or something of it not be documented.
    """
    filters = pdoc.render.env.filters
    filters["without_roles"] = lambda text: ROLES.sub("", text)
    filters["own_words"], filters["shown"] = own_words, shown
    written = pdoc.render_helpers.format_signature
    filters["format_signature"] = lambda sig, colon: written(short_types(sig), colon)
    pdoc.render.configure(
        docformat="google",
        template_directory=HERE / "reference",
        footer_text=f"Painter Psychology Workbench {__version__}",
        show_source=source,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"pdoc\.")
        # pdoc finds some modules again below their package (those that no __all__ hides)
        warnings.filterwarnings("ignore", r"The module specification .* already been added", module=r"pdoc\.")
        # a NamedTuple's own constructor belongs to no module in which its names could be looked up
        warnings.filterwarnings("ignore", r"Error parsing .*\.__init__\. Import of", module=r"pdoc\.")
        pdoc.pdoc(*modules, output_directory=out)


if __name__ == "__main__":
    build(Path(sys.argv[1] if len(sys.argv) > 1 else "site"), public_modules(HERE.parent / "workbench"))
