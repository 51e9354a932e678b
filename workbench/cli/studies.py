"""``workbench study …``: one command per study, whose flags are the study's options."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from workbench.cli.common import Device, with_options
from workbench.core import devices

_RUNS = Path("runs")


class _Studies(TyperGroup):
    """Lists studies without importing them; imports a study when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        from workbench.studies.study import STUDIES

        return STUDIES.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from workbench.studies.study import STUDIES

        study = STUDIES.get(cmd_name)
        single = typer.Typer(add_completion=False)

        @single.command(cmd_name, help=study.question())
        @with_options(study=study)
        def run(
            study,
            out: Annotated[
                Path, typer.Option(help="Folder of the tables; finished runs in it are kept.")
            ] = _RUNS,
            device: Device = None,
        ) -> None:
            devices.choose(device)
            found = study.run(out)
            typer.echo("\n".join(map(str, found if isinstance(found, list) else [found])))

        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Studies"):
            formatter.write_dl([(name, _question(name)) for name in self.list_commands(ctx)])


def _question(name: str) -> str:
    """First paragraph of a study's module docstring, without importing it."""
    from workbench.studies.study import STUDIES

    if name not in STUDIES.own():
        return "from another package"
    source = importlib.util.find_spec(STUDIES.own()[name].module).origin  # type: ignore[union-attr]
    text = ast.get_docstring(ast.parse(Path(source or "").read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


study = typer.Typer(
    cls=_Studies,
    help="Run a study: do the runs that its table lacks under the current data and settings.",
    no_args_is_help=True,
)


@study.callback()
def _study() -> None:
    pass
