"""Optional packages by extra, and an error of one line that says which is missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from workbench.core.errors import WorkbenchError

# Extra: the modules that it brings. pyproject.toml names their packages; a test holds the two together.
EXTRAS = {
    "app": (
        "alembic",
        "argon2",
        "gradio",
        "httpx",
        "itsdangerous",
        "jinja2",
        "markdown_it",
        "plotly",
        "prometheus_client",
        "psutil",
        "pykka",
        "sqlalchemy",
        "starlette",
        "uvicorn",
    ),
    "report": ("cleanlab", "ipykernel", "jupyter_client", "nbconvert", "nbformat", "papermill", "seaborn"),
    "cluster": ("ray",),
    "collection": ("plotly",),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "lab": ("jupyterlab",),
    "mcp": ("mcp",),
    "postgresql": ("psycopg",),
    "ratings": ("patsy", "statsmodels"),
    "tables": ("pyarrow",),
}


class MissingExtraError(WorkbenchError):
    """An optional part of the package was asked for that is not installed."""

    def __init__(self, extra: str, module: str):
        super().__init__(
            f"This needs {module}, which is not installed. "
            f"Run: pip install 'painter-psychology-workbench[{extra}]'"
        )
        self.extra, self.module = extra, module


def require(extra: str) -> None:
    """Fail in one line if a module of an extra is not installed.

    Raises:
        MissingExtraError: the first one that is missing.
    """
    for module in EXTRAS[extra]:
        if (module not in sys.modules and find_spec(module) is None) or sys.modules.get(module, "") is None:
            raise MissingExtraError(extra, module)


def missing(error: ImportError) -> MissingExtraError | None:
    """The extra behind a failed import; None if it is no import of an extra's module."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return MissingExtraError(extra, module)
    return None
