"""Publication of a trained network: weights with a card, measured on held-out pictures."""

from __future__ import annotations

import copy
import logging
from pathlib import Path

from workbench import models
from workbench.core.provenance import provenance
from workbench.core.runs import write_rows
from workbench.training.configs import Publication, settings
from workbench.training.start import time_before
from workbench.training.trainer import Trainer

log = logging.getLogger(__name__)


def publish(trainer: Trainer, publication: Publication, command: str) -> Path:
    """Write ``NAME.safetensors``, its card and ``measured.csv`` into the output folder of the run.

    Args:
        trainer: after its run.
        publication: which weights to publish, and texts of the card.
        command: the command that trained them.

    Returns:
        Path of the weights.

    Raises:
        WorkbenchError: there are no such weights.
    """
    config = trainer.config
    state, step = trainer.weights(publication.keep)
    network = copy.deepcopy(trainer.ema)
    network.load_state_dict({k: v.half().float() for k, v in state.items()})  # measured as shipped
    rows, split = trainer.recipe.measure(network, publication.name)
    stamp = provenance(str(trainer.device))
    run = {"seed": config.seed, "steps": step, "seconds": round(trainer.seconds)}
    write_rows([row | run | stamp for row in rows], trainer.out / "measured.csv")
    sources = {source: getattr(publication, f"{source}_source") for source in publication.sources}
    card = models.Card(
        name=publication.name,
        title=publication.title,
        description=publication.description,
        architecture=config.architecture,
        arguments=config.arguments,
        training={
            **sources,
            "recipe": publication.training(config),
            "command": command,
            "steps": step,
            "kept": publication.keep,
            **({"passed_over": len(trainer.skipped)} if trainer.skipped else {}),
            "seconds": round(trainer.seconds),
            **time_before(config.start),
            "device": stamp["device"],
            "settings": {"recipe": config.recipe, **settings(config)},
            "versions": stamp["versions"],
        },
        metrics={"split": split, "rows": rows},
        limitations=publication.limitations,
        licence=publication.licence,
        commit=stamp["commit"],
        date=stamp["date"],
        **trainer.recipe.card,
    )
    path = models.save(network, card, trainer.out)
    models.load(path)  # what was written can be read
    log.info("published %s", path)
    return path
