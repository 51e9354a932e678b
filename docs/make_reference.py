"""Build the reference of the package from its docstrings: ``python docs/make_reference.py [OUT]``.

Every public module is listed by itself. What cannot be documented rightly is an error, not a warning.
"""

import re
import sys
import warnings
from pathlib import Path

import pdoc

from workbench import __version__

HERE = Path(__file__).resolve().parent
ROLES = re.compile(r":(?:func|class|mod|meth|data|attr):(?=`)")  # pdoc links the names by themselves


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
    pdoc.render.env.filters["without_roles"] = lambda text: ROLES.sub("", text)
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
