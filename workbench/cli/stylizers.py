"""``workbench train stylizer`` and ``workbench train portraits``."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli.common import OneOf, report, settings, with_options
from workbench.core import options
from workbench.training.configs import (
    RECIPES,
    PortraitConfig,
    PortraitPublication,
    Publication,
    StylizerConfig,
    StylizerPublication,
    TrainingConfig,
    recorded_command,
)

SCENES = {name: config for name, config in RECIPES.items() if issubclass(config, StylizerConfig)}


@with_options(
    config=OneOf(SCENES, "recipe", "fsgan", "losses, discriminators and network, by the name of their paper"),
    publication=StylizerPublication,
)
def train_stylizer(
    config: StylizerConfig,
    publication: StylizerPublication,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE in JSON: another way to give any option.")
    ] = None,
) -> None:
    """Train a style from a folder of photos and a folder of pictures in the style.

    If training is interrupted or runs out of time, run the command again to resume. The weights that are
    closest to the style on held-out photos are saved with their card; use them as
    --style OUT/NAME.safetensors.
    """
    config = options.build(type(config), vars(config) | settings(setting or []))
    _train(f"workbench train stylizer --recipe {config.recipe}", config, publication)


@with_options(config=PortraitConfig, publication=PortraitPublication)
def train_portraits(config: PortraitConfig, publication: PortraitPublication) -> None:
    """Train a portrait style: people are redrawn as anime, the background is kept.

    A teacher draws each portrait from its landmarks; the network learns these drawings, then trains
    adversarially against anime faces. If training is interrupted or runs out of time, run the command again
    to resume. The card's metrics are measured on held-out people; use the weights as --style
    OUT/NAME.safetensors.
    """
    _train("workbench train portraits", config, publication)


def _train(command: str, config: TrainingConfig, publication: Publication) -> None:
    import logging

    from workbench.training.publish import publish
    from workbench.training.trainer import Trainer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    trainer = Trainer(config)
    trainer.run()
    typer.echo(str(publish(trainer, publication, recorded_command(command, config, publication))))
    report([f"{path}: {reason}" for path, reason in trainer.skipped.items()])
