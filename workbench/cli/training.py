"""``workbench train …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.classify.configs import OF_ARCHITECTURE, FinetuneConfig, Publication, Source
from workbench.cli.common import OneOf, with_options

train = typer.Typer(help="Fit a stylizer or a classifier to your own pictures.", no_args_is_help=True)

MODELS = OneOf({**OF_ARCHITECTURE, "others": FinetuneConfig})


@train.command("classifier")
@with_options(source=Source, about=Publication, settings=MODELS)
def train_classifier(
    source: Source,
    about: Publication,
    settings: dict,
    out: Annotated[Path, typer.Option(help="Folder for the weights, the tables and checkpoints; resumed.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Architecture: `workbench models --architectures` names them. By default lite0_classifier, "
            "or backbone_probe, a linear layer on embeddings, where a backbone is named."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes PyTorch's default.")] = 0,
) -> None:
    """Train a classifier of your own on labelled paintings, cross-validated with painters kept apart.

    Writes the weights with their card, the scores of every fold, a summary with intervals and a linear
    baseline, and the out-of-fold predictions. ``workbench classify IN --model OUT/NAME.safetensors`` uses it.
    Defaults are the best settings found for MODEL; not every model has every setting.
    """
    import logging

    import torch

    from workbench.classify.estimators import config_for
    from workbench.classify.publish import train_classifier as fit

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if threads:
        torch.set_num_threads(threads)
    model = model or ("backbone_probe" if "backbone" in settings else "lite0_classifier")
    typer.echo(str(fit(source, out, config_for(model, settings), about)))


@train.command("novelty")
@with_options(source=Source)
def add_novelty(
    model: Annotated[Path, typer.Argument(help="Weights (.safetensors) with their card beside them.")],
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for the weights with the score, and their card.")],
) -> None:
    """Give a classifier that has none a score of how unlike its training pictures a picture is.

    `workbench train classifier` fits one by itself. The network stays as it is; the pictures must be those
    that it was trained on.
    """
    from workbench.classify.novelty import add_novelty as fit

    typer.echo(str(fit(model, source, out)))
