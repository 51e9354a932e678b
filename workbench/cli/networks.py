"""``workbench models`` and ``workbench export``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import table


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards as JSON.")] = False,
    architectures: Annotated[
        bool, typer.Option("--architectures", help="List the architectures that can be trained instead.")
    ] = False,
) -> None:
    """List the models included in the workbench, from their cards."""
    from workbench.models import registry, weights

    if architectures:
        names_of = [(name, kind) for kind in registry.KINDS for name in registry.names(kind)]
        typer.echo(table([("architecture", "kind"), *names_of]))
        return
    names = weights.trained(folder=weights.SHIPPED)
    cards = [weights.card(name, weights.SHIPPED) for name in names]
    sizes = [(weights.SHIPPED / f"{name}.safetensors").stat().st_size for name in names]
    if as_json:
        full = [dataclasses.asdict(card) | {"bytes": size} for card, size in zip(cards, sizes, strict=True)]
        typer.echo(json.dumps(full, indent=2, ensure_ascii=False))
        return
    rows = [("name", "kind", "title", "size", "licence")]
    for card, size in zip(cards, sizes, strict=True):
        rows.append((card.name, card.kind, card.title, f"{size / 1e6:.2f} MB", card.licence))
    typer.echo(table(rows))


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model name, or your own .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file (.onnx or .pt) or a folder.")],
    format: Annotated[
        str, typer.Option(help="onnx (.onnx), torchscript (.pt), or hub (a folder for the Hugging Face Hub).")
    ] = "onnx",
) -> None:
    """Export a network with its card as one file for other runtimes, or as a folder for the Hub.

    The exported file is first compared with the network on photographs, and not written if they differ. ONNX
    needs the packages of the extra `export`.
    """
    if format == "hub":
        from workbench.models.hub import write_repository

        typer.echo(f"{write_repository(model, target)}: upload it with `hf upload USER/NAME {target}`")
        return
    from workbench.styles.export import export as write

    done = write(model, target, format)
    typer.echo(f"{done.path} (differs from the network by {done.difference:.1g} at most)")
