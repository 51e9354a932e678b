"""``workbench rate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import PublicHosts, TrustedProxies
from workbench.core.errors import WorkbenchError


def rate(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY.toml", help="The study: pictures, questions and design.")
    ],
    template: Annotated[
        str | None,
        typer.Option(help="Only write STUDY.toml from a template: chinese, pairs, redrawn or scales."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the answers; STUDY_answers by default.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Write ratings.csv, answers.csv and raters.csv there instead of serving."),
    ] = None,
    forget: Annotated[
        list[str] | None,
        typer.Option(
            help="Delete a rater who withdraws, given by code or number (r007), with all answers; repeatable."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 7870,
    public_host: PublicHosts = None,
    trusted_proxy: TrustedProxies = None,
) -> None:
    """Serve a rating study, in which people rate pictures, and export its answers."""
    if template is not None:
        _write_template(template, study)
        return
    from workbench.rating import Collection, load

    collection = Collection(load(study), data or study.with_name(f"{study.stem}_answers"))
    try:
        for line in collection.skipped:
            typer.echo(f"left out: {line}", err=True)
        for name in forget or ():
            collection.forget(name)
            typer.echo(f"{name} is deleted.")
        if forget and export is None:
            return
        if export is not None:
            typer.echo("\n".join(map(str, collection.export(export))))
            return
        from workbench.rating.server import serve

        def ready(address: str) -> None:
            typer.echo(f"For raters: {address}/ (Ctrl-C stops it)")
            typer.echo(f"For you:    {address}/experimenter?key={collection.key}")

        serve(collection, host, port, public_host or (), trusted_proxy or (), ready)
    finally:
        collection.close()


def _write_template(name: str, path: Path) -> None:
    from workbench.core.errors import UnknownNameError
    from workbench.core.files import write_whole
    from workbench.rating.study import templates

    known = templates()
    if name not in known:
        raise UnknownNameError("template", name, known)
    if path.exists():
        raise WorkbenchError(f"{path} exists already. Name another file.")
    write_whole(known[name].replace("{file}", path.name).encode(), path)
    typer.echo(f"{path} written. Add pictures, edit it, and run: workbench rate {path}")
