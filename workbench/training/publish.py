"""Publication of a trained network: weights with a card, measured on held-out pictures."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
from pathlib import Path

from workbench import models
from workbench.core.files import write_whole
from workbench.core.provenance import provenance
from workbench.core.runs import write_rows
from workbench.training.configs import Publication, config_for, settings
from workbench.training.scene_data import load_data
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


def measure_again(
    weights: str | Path,
    photos: str | Path,
    roles: str | Path,
    out: str | Path,
    count: int = 80,
    side: int = 288,
) -> Path:
    """Measure a published scene stylizer on other photos, and write the result into its card.

    The measures are those of its own recipe, with its own drawn teacher. The weights are not touched, nor is
    what the card says of their training.

    Args:
        weights: path of ``NAME.safetensors``, beside its card.
        photos: a folder of photos.
        roles: CSV of photo and role, written before: photos that "report" are measured.
        out: folder of the drawings of the teacher.
        count: photos that report.
        side: short side in pixels that they are measured at.

    Returns:
        Path of the card.

    Raises:
        DatasetError: too few photos, or a role that none of them has.
    """
    network, card = models.load(weights)
    values = dict(card.training["settings"])
    changed = {"photos": str(photos), "style": "", "out": str(out), "photo_side": side, "recoloured": 0.0}
    config = config_for(values.pop("recipe"), **values | changed)
    trainer = Trainer(config, load_data(config, roles, count))
    rows, _ = trainer.recipe.measure(network.to(trainer.device), card.name)
    split = (
        f"{rows[0]['photos']} photos that neither trained nor chose weights or settings ({Path(roles).name}: "
        f"report), short side {side} px; 95 % intervals over photos"
    )
    stamp = provenance(str(trainer.device))
    measured = {"split": split, "commit": stamp["commit"], "date": stamp["date"], "rows": rows}
    path = Path(weights).with_suffix(".json")
    text = json.dumps(dataclasses.asdict(card) | {"metrics": measured}, indent=2, ensure_ascii=False)
    write_whole(f"{text}\n".encode(), path)
    return path
