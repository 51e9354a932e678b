"""``workbench train …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench.cli.common import settings

train = typer.Typer(help="Fit a stylizer or a classifier to your own pictures.", no_args_is_help=True)


@train.command("stylizer")
def train_stylizer(
    photos: Annotated[Path, typer.Option(help="Folder of photos: what shall be redrawn.")],
    style: Annotated[Path, typer.Option(help="Folder of pictures in the style, 50 or more.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the weights; resumed if used.")],
    name: Annotated[str, typer.Option(help="Name of the weights.")] = "my_style",
    recipe: Annotated[
        Literal["fsgan", "cartoongan", "animegan", "ugatit_light"],
        typer.Option(help="Losses, discriminators and network, by the name of their paper."),
    ] = "fsgan",
    teacher: Annotated[
        Literal["comic", "ink_wash"],
        typer.Option(help="What the first phase learns to draw: inked flat colours, or ink washes on paper."),
    ] = "comic",
    start: Annotated[
        str, typer.Option(help="Weights to begin from: a model's name, a .safetensors file or a best.pt.")
    ] = "",
    steps: Annotated[int, typer.Option(min=1, help="Steps of both phases together.")] = 5000,
    distil_steps: Annotated[
        int, typer.Option(min=0, help="Steps of the first phase, where the recipe has one.")
    ] = 2000,
    minutes: Annotated[float, typer.Option(min=0, help="Time budget; 0 has none.")] = 0,
    batch: Annotated[int | None, typer.Option(min=1, help="Crops a step; by default the recipe's.")] = None,
    crop: Annotated[int, typer.Option(min=160, help="Side of the crops in pixels.")] = 192,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 250,
    seed: Annotated[int, typer.Option(help="Of the split, the batches and the first weights.")] = 0,
    mixed_precision: Annotated[
        Literal["no", "bf16"], typer.Option(help="bf16 is faster where the processor has it.")
    ] = "no",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes PyTorch's default.")] = 0,
    keep: Annotated[
        Literal["best", "last"], typer.Option(help="Weights to keep: best (by KID) or last.")
    ] = "best",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other choice, KEY=VALUE in JSON: of the training, e.g. lr=5e-5, or the recipe's, "
            "e.g. w_boundary=30 (a weight of 0 leaves the term out).",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="One line for menus.")] = None,
    description: Annotated[str | None, typer.Option(help="A paragraph for the card.")] = None,
    photo_source: Annotated[str | None, typer.Option(help="What the photos are, and their licence.")] = None,
    style_source: Annotated[str | None, typer.Option(help="What the style is, and its licence.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
) -> None:
    """Train a style of your own from a folder of photos and a folder of pictures in the style.

    Stopped or out of time, it goes on where it was when called again. The weights that come closest to the
    style on held-out photos are written with their card; use them as --style OUT/NAME.safetensors.
    """
    import logging

    from workbench.drawing.teacher import TEACHERS
    from workbench.training import recipes as stylizer_recipes
    from workbench.training.publish import Publication, publish
    from workbench.training.stylizer import StylizerTrainer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = {
        "photos": str(photos),
        "style": str(style),
        "out": str(out),
        "start": start,
        "steps": steps,
        "distil_steps": distil_steps,
        "minutes": minutes,
        "crop": crop,
        "validate_every": validate_every,
        "seed": seed,
        "mixed_precision": mixed_precision,
        "threads": threads,
        "drawing": TEACHERS[teacher],
    }
    if batch is not None:
        given["batch"] = batch
    chosen = settings(setting or [])
    config = stylizer_recipes.config_for(recipe, **stylizer_recipes.sorted_settings(given | chosen))
    said = {"title": title, "description": description, "licence": licence}
    said |= {"photo_source": photo_source, "style_source": style_source}
    if recipe != "fsgan":
        said["recipe"] = stylizer_recipes.describe(recipe)
    publication = Publication(name=name, **{k: v for k, v in said.items() if v is not None})
    StylizerTrainer(config).run()
    command = "workbench train stylizer --photos PHOTOS --style STYLE --out OUT " + (
        f"--name {name} --recipe {recipe} --steps {steps} --distil-steps {distil_steps} "
        f"--batch {config.batch} --crop {crop} --seed {seed} --mixed-precision {mixed_precision}"
        + (f" --teacher {teacher}" if teacher != "comic" else "")
        + (f" --start {Path(start).name}" if start else "")
        + "".join(f" --set {pair}" for pair in setting or [])
    )
    typer.echo(str(publish(out, publication, command, keep)))


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
