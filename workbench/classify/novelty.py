"""Gives a classifier that was trained without one a novelty score; its network stays as it is, bit by bit."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import torch
from tqdm import tqdm

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.configs import Source
from workbench.core import options
from workbench.core.errors import DatasetError, WeightsError
from workbench.core.provenance import provenance
from workbench.models.novelty import COMPONENTS, attach

_AT_ONCE = 8  # pictures in memory


def add_novelty(model: str | os.PathLike, source: Source, out: str | os.PathLike) -> Path:
    """Fit the score on the pictures that a classifier was trained on, as training does.

    Args:
        model: a shipped classifier, or a ``.safetensors`` file with its card beside it; it is not changed.
        source: its training pictures.
        out: folder for the weights and their card.

    Returns:
        Path of the weights.

    Raises:
        DatasetError: unusable pictures, or another number of them than the card has.
        WeightsError: the model has a score already, or is no classifier.
    """
    network, card = models.load(model)
    if card.arguments.get("novelty_components"):
        raise WeightsError(f"{card.name} has a novelty score already. Nothing is to be done.")
    classifier, paintings = Classifier(network, card), source.read()
    if len(paintings) != card.training.get("pictures", len(paintings)):
        raise DatasetError(
            f"Expected the {card.training['pictures']} pictures that {card.name} was trained on but "
            f"{source.data} has {len(paintings)}. Give the same folder and table."
        )
    starts = tqdm(range(0, len(paintings), _AT_ONCE), desc="novelty", unit="batch", disable=None)
    batches = [range(i, min(i + _AT_ONCE, len(paintings))) for i in starts]
    features = torch.cat([classifier.features_of([paintings.read(i) for i in batch]) for batch in batches])
    attach(network, COMPONENTS).fit(features, paintings.groups)
    stamp = provenance()
    command = options.command(
        "workbench train novelty MODEL --out OUT", source, shown={"data": "DATA", "ratings": "RATINGS"}
    )
    training = card.training | {
        "novelty": {"command": command, "commit": stamp["commit"], "date": stamp["date"]}
    }
    arguments = card.arguments | {"novelty_components": COMPONENTS}
    return models.save(network, dataclasses.replace(card, arguments=arguments, training=training), Path(out))
