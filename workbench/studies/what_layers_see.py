"""What do a network's layers encode of a painter's means of expression, and which blocks to aggregate?

Parts of the table, in order:

- ``probe``: for every residual block (and the last feature map), how well each expression descriptor and each
  mood can be predicted from its features; with ImageNet weights and, as a control, random ones.
- ``similarity``: representational similarity of the blocks (RSA).
- ``relevance``: the share of a descriptor's variance that lies between moods.
- ``recommendation``: the blocks to aggregate according to these, in the order of choice.
- ``test``: MAFR with the recommended blocks, with as many of the deepest blocks and with as many random ones,
  trained alike on the same painter-grouped folds: one row per choice and split seed. All training runs and
  predictions are in ``what_layers_see_blocks.csv`` and ``what_layers_see_blocks_predictions.csv``.
- ``comparison``: each choice over all split seeds with its interval over painters, and its paired difference
  from the recommended blocks (``difference``, with interval and corrected p).
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from workbench import models
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.summary import summarise, write_tables
from workbench.classify.validation import Validation, cross_validate
from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings
from workbench.data.transforms import Squeeze, Views
from workbench.interpret.descriptors import DESCRIPTORS, describe_folder
from workbench.interpret.layers import blocks, stages
from workbench.interpret.probing import gains_over, probe, recommend, relevance, similarity, stage_features
from workbench.metrics.classification import accuracy, balanced_accuracy, confusion_matrix
from workbench.models.mafr import BLOCKS
from workbench.studies.mafr import CONFIG
from workbench.studies.study import Study, grouped, register

CHOICES = ("recommended", "deepest", "random")
SCORES = ("accuracy", "balanced_accuracy")


@register
@dataclasses.dataclass(frozen=True)
class WhatLayersSee(Study):
    """What do layers encode of a painter's means of expression, and which blocks should be aggregated?

    The column ``part`` says which of the parts above a row belongs to.
    """

    version = 2  # without painters, near-duplicates share a fold
    keys = ("section", "choice", "seed")
    sources = ("data", "ratings")
    selection = ("seeds",)

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    ratings: str = ""  # the table of a folder, if it is not its ratings.csv
    pictures: int = 200  # at most so many pictures, drawn by the seed
    size: int = 160  # pixels of a side for the probes
    folds: int = 5  # of the probes
    samples: int = 200  # bootstrap samples
    share: float = 0.95  # of the value of all blocks that the recommended ones must reach
    seeds: tuple[int, ...] = (0, 1, 2)  # of the test's splits, heads and random blocks; empty leaves it out
    epochs: int = 4  # of the test
    train_size: int = 128  # pixels of its views
    train_folds: int = 3  # of the test
    seed: int = 0  # of the choice of pictures and of the random weights

    def run(self, out: str | os.PathLike) -> Path:
        """Probes first, since the recommendation depends on them; then the test and the comparison."""
        runs = self.runs(out)
        first = [{"section": "probe", "choice": "", "seed": self.seed}]
        runs.do(first, lambda section, choice, seed: self._probes(), "probes")
        if not self.seeds:
            return runs.path
        validations = self._train(recommended(runs.rows), out)
        tests = [{"section": "test", "choice": c, "seed": s} for s in self.seeds for c in CHOICES]
        runs.do(tests, lambda section, choice, seed: score_row(validations[choice], seed), "scores")
        seeds = " ".join(map(str, self.seeds))
        overall = [{"section": "comparison", "choice": c, "seed": seeds} for c in CHOICES]
        if any(key not in runs for key in overall):
            compared = summarise(validations, CHOICES[0], SCORES, calibrated=False).to_dict("records")
            runs.do(overall, lambda section, choice, seed: comparison_rows(compared, choice), "comparison")
        return runs.path

    @functools.cached_property
    def _pictures(self) -> Paintings:
        return grouped(sample(open_dataset(self.data, self.ratings or None), self.pictures, self.seed))

    def _features(self, pretrained: bool) -> dict:
        torch.manual_seed(self.seed)
        network = models.create("lite0_classifier", pretrained=pretrained).eval()
        modules = {**blocks(network), "head": stages(network)["head"]}
        views = Views((Squeeze(self.size),))
        return stage_features(
            network, (self._pictures.read(i) for i in range(len(self._pictures))), views, modules
        )

    def _probes(self) -> list[dict]:
        """Parts probe to recommendation."""
        data = self._pictures
        described = describe_folder(data)
        descriptors = {name: described[name] for name in DESCRIPTORS}
        moods = {name: data.labels == i for i, name in enumerate(data.classes)}
        tables, features = {}, {}
        for weights in ("imagenet", "random"):
            features[weights] = self._features(weights == "imagenet")
            tables[weights] = probe(
                features[weights], descriptors, moods, data.groups, self.folds, self.samples
            )
        rows = [{"part": "probe", "weights": w, **row} for w in tables for row in tables[w]]
        names, alike = similarity(features["imagenet"])
        rows += [
            {
                "part": "similarity",
                "weights": "imagenet",
                "layer": a,
                "characteristic": b,
                "score": float(alike[i, j]),
            }
            for i, a in enumerate(names)
            for j, b in enumerate(names)
        ]
        shares = {name: relevance(values, data.labels) for name, values in descriptors.items()}
        rows += [{"part": "relevance", "characteristic": k, "score": v} for k, v in shares.items()]
        worth = shares | dict.fromkeys(moods, 1 / len(moods))  # all moods together count as one descriptor
        gains = gains_over(tables["imagenet"], tables["random"])
        gains = {layer: row for layer, row in gains.items() if layer.startswith("block")}
        for place, block in enumerate(recommend(gains, worth, self.share), start=1):
            rows.append({"part": "recommendation", "layer": block, "score": float(place)})
        return rows

    def _train(self, chosen: Sequence[int], out: str | os.PathLike) -> dict[str, Validation]:
        """Cross-validate MAFR with each choice of blocks; finished folds are kept."""

        def estimator(choice: str, split_seed: int) -> FinetuneEstimator:
            arguments = {"aggregated": blocks_of(choice, chosen, split_seed)}
            return FinetuneEstimator(CONFIG, arguments=arguments, size=self.train_size, epochs=self.epochs)

        validations = {
            choice: cross_validate(
                functools.partial(estimator, choice),
                self._pictures,
                folds=self.train_folds,
                split_seeds=self.seeds,
                out=Path(out) / "cache",
                desc=choice,
            )
            for choice in CHOICES
        }
        write_tables(
            f"{self.name}_blocks",
            out,
            validations,
            CHOICES[0],
            scores=SCORES,
            calibrated=False,
            label="variant",
        )
        return validations


def sample(data: Paintings, count: int, seed: int) -> Paintings:
    """At most ``count`` of the paintings, drawn by ``seed``, in about the same class proportions."""
    if count >= len(data):
        return data
    return data.subset(np.sort(np.random.default_rng(seed).permutation(len(data))[:count]))


def recommended(rows: Sequence[Mapping]) -> list[int]:
    """Indices of the recommended blocks, ascending, from the table."""
    return sorted(
        int(str(r["layer"]).removeprefix("block")) for r in rows if r.get("part") == "recommendation"
    )


def blocks_of(choice: str, chosen: Sequence[int], seed: int) -> list[int]:
    """The blocks that a choice aggregates: as many as were recommended."""
    count = len(chosen)
    rng = np.random.default_rng([seed, 7])
    return {
        "recommended": list(chosen),
        "deepest": list(range(BLOCKS - count, BLOCKS)),
        "random": sorted(rng.choice(BLOCKS, count, replace=False).tolist()),
    }[choice]


def score_row(validation: Validation, split_seed: int) -> dict:
    """One row of part test: all pictures of one split seed."""
    probabilities = validation.probabilities(calibrated=False)[validation.split_seeds.index(split_seed)]
    labels, count = validation.paintings.labels, len(validation.paintings.classes)
    matrix = confusion_matrix(labels, probabilities.argmax(1), count)
    return {
        "part": "test",
        "measure": "balanced_accuracy",
        "score": float(balanced_accuracy(matrix)),
        "accuracy": float(accuracy(matrix)),
        "pictures": len(labels),
    }


def comparison_rows(table: Sequence[Mapping], choice: str) -> list[dict]:
    """Rows of part comparison, one per score."""
    names = ("low", "high", "difference", "difference_low", "difference_high", "p", "p_holm")
    return [
        {"part": "comparison", "measure": row["metric"], "score": row["estimate"]}
        | {n: row[n] for n in names if row[n] == row[n]}  # the recommended blocks have no difference: nan
        for row in table
        if row["model"] == choice
    ]
