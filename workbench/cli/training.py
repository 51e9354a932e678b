"""``workbench train …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench.cli.common import settings

train = typer.Typer(help="Fit a stylizer or a classifier to your own pictures.", no_args_is_help=True)


@train.command("classifier")
def train_classifier(
    data: Annotated[Path, typer.Option(help="Folder of paintings: one sub-folder a class, or with a table.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights, the tables and checkpoints; resumed.")],
    ratings: Annotated[
        Path | None,
        typer.Option(help="CSV: path, label, painter, votes_CLASS …; ratings.csv in DATA if there."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Architecture: `workbench models --architectures` names them.")
    ] = "lite0_classifier",
    name: Annotated[str, typer.Option(help="Name of the weights.")] = "my_classifier",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the pictures.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-validation; painters stay together.")] = 5,
    split_seed: Annotated[
        list[int] | None, typer.Option(help="Cross-validate with this shuffle; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the views, the batches and dropout.")] = 0,
    transfer: Annotated[
        Literal["frozen", "partial", "full"] | None, typer.Option(help="Which layers of MODEL are trained.")
    ] = None,
    pretrained: Annotated[bool | None, typer.Option(help="Start from ImageNet weights.")] = None,
    augmentation: Annotated[str | None, typer.Option(help="none, flip, crop, brush, strong …")] = None,
    patience: Annotated[
        int | None, typer.Option(min=0, help="Epochs without progress before stopping early; 0 is never.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any other setting, KEY=VALUE in JSON, e.g. 'arguments={\"aggregated\": 3}'."
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Column whose pictures stay together, or near-duplicates to find them by likeness."
        ),
    ] = None,
    skip_unreadable: Annotated[bool, typer.Option(help="Leave out files that cannot be read.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes PyTorch's default.")] = 0,
    title: Annotated[str | None, typer.Option(help="One line for menus.")] = None,
    description: Annotated[str | None, typer.Option(help="A paragraph for the card.")] = None,
    data_source: Annotated[str | None, typer.Option(help="What the paintings are, for the card.")] = None,
    data_licence: Annotated[str, typer.Option(help="Licence of the paintings.")] = "unstated",
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
    limitations: Annotated[str | None, typer.Option(help="What the model must not be used for.")] = None,
) -> None:
    """Train a classifier of your own on labelled paintings, cross-validated with painters kept apart.

    Writes the weights with their card, the scores of every fold, a summary with intervals and a linear
    baseline, and the out-of-fold predictions. ``workbench classify IN --model OUT/NAME.safetensors`` uses it.
    """
    import logging

    import torch

    from workbench.classify.publish import main as fit
    from workbench.classify.recipes import config_for

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if threads:
        torch.set_num_threads(threads)
    named = {
        "epochs": epochs,
        "transfer": transfer,
        "pretrained": pretrained,
        "augmentation": augmentation,
        "patience": patience,
        "seed": seed or None,
    }
    given = {k: v for k, v in named.items() if v is not None} | settings(setting or [])
    config = config_for(model, {"folds": folds, "split_seeds": tuple(split_seed or [seed]), **given})
    said = {"title": title, "description": description, "licence": licence, "limitations": limitations}
    said = {k: v for k, v in said.items() if v is not None} | {"data_licence": data_licence}
    said |= {"group_by": group_by, "skip_unreadable": skip_unreadable}
    typer.echo(str(fit(data, out, ratings, name=name, config=config, data_name=data_source, **said)))
