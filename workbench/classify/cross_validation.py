"""Cross-validate several variants of a classifier on the same folds, and compare them pairwise.

Two tables grow together: ``NAME.csv`` has one row a training (variant, split seed, fold, scores, seconds,
provenance), ``NAME_predictions.csv`` every tested picture's probabilities, so that intervals over painters
and paired tests are computed from what the runs left and never from memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.classify.finetune import FinetuneConfig, Pictures, fit, predict
from workbench.core.errors import DatasetError
from workbench.core.files import write_whole
from workbench.core.runs import Runs
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.metrics.bootstrap import bootstrap_draws, percentiles
from workbench.metrics.classification import classification_report
from workbench.metrics.paired import holm, mcnemar, two_sided_p

KEYS = ("variant", "split_seed", "fold")
SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")

# (training indices, test indices, seed) -> probabilities (len(test), C), plus what else the row shall say
Trainer = Callable[[NDArray, NDArray, int], tuple[NDArray, Mapping]]


def softmax(logits: NDArray) -> NDArray[np.float64]:
    """(N, C) probabilities."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def finetuned(data: Paintings, pictures: Pictures, config: FinetuneConfig) -> Trainer:
    """A trainer for :func:`cross_validate` that fits a network from ``config``."""

    def train(training: NDArray, test: NDArray, seed: int) -> tuple[NDArray, Mapping]:
        network = fit(data, pictures, training, config, seed)
        parameters = sum(p.numel() for p in network.parameters())
        return softmax(predict(network, pictures, test, config)), {"parameters": parameters}

    return train


def cross_validate(
    name: str,
    out: str | Path,
    data: Paintings,
    variants: Mapping[str, Trainer],
    folds: int = 5,
    split_seeds: Sequence[int] = (0, 1, 2),
    device: str = "cpu",
) -> Path:
    """Train and test every variant on every fold of every split seed; finished runs in ``out`` are kept.

    Args:
        name: of the study, stem of the two tables.
        out: their folder.
        data: the paintings; folds keep their groups apart.
        variants: label -> trainer.
        folds: of each split.
        split_seeds: one cross-validation each.
        device: for the provenance.

    Returns:
        Path of ``NAME.csv``; ``NAME_predictions.csv`` lies beside it.
    """
    out = Path(out)
    runs = Runs(out / f"{name}.csv", KEYS, device)
    answers = Runs(out / f"{name}_predictions.csv", KEYS, device)
    # seeds before variants: an interrupted study has whole comparisons
    plan = [
        {"variant": v, "split_seed": s, "fold": f}
        for s in split_seeds
        for v in variants
        for f in range(folds)
    ]
    splits = {s: grouped_folds(data.labels, data.groups, folds, s) for s in split_seeds}

    def run(variant: str, split_seed: int, fold: int) -> dict:
        training, test = splits[split_seed][fold]
        start = time.perf_counter()
        probabilities, extra = variants[variant](training, test, 1000 * split_seed + fold)
        key = {"variant": variant, "split_seed": split_seed, "fold": fold}
        if key not in answers:
            answers.add(
                key, *_answers(data, test, probabilities), seconds=time.perf_counter() - start, stamp=False
            )
        votes = None if data.votes is None else data.votes[test]
        report = classification_report(probabilities, data.labels[test], votes)
        return {"pictures": len(test), "groups": len(np.unique(data.groups[test])), **report, **extra}

    return runs.do(plan, run, desc=name)


def _answers(data: Paintings, test: NDArray, probabilities: NDArray) -> list[dict]:
    return [
        {
            "path": data.paths[i],
            "group": data.groups[i],
            "label": data.classes[data.labels[i]],
            **{f"p_{c}": round(float(v), 5) for c, v in zip(data.classes, p, strict=True)},
        }
        for i, p in zip(test, probabilities, strict=True)
    ]


class Answers:
    """The predictions of a study, aligned: for every variant the same pictures in the same order.

    Args:
        path: ``NAME_predictions.csv`` of :func:`cross_validate`.

    Raises:
        DatasetError: a variant has not answered for the same pictures and split seeds as the others.
    """

    def __init__(self, path: str | Path):
        table = pd.read_csv(path, dtype={"group": str, "label": str, "path": str, "variant": str})
        self.classes = [c.removeprefix("p_") for c in table.columns if c.startswith("p_")]
        self.variants = list(dict.fromkeys(table["variant"]))
        parts = {v: t.sort_values(["split_seed", "path"]) for v, t in table.groupby("variant", sort=False)}
        first = parts[self.variants[0]]
        for name, part in parts.items():
            if part[["split_seed", "path"]].values.tolist() != first[["split_seed", "path"]].values.tolist():
                raise DatasetError(
                    f"Expected every variant's answers for the same pictures but {name} has others than "
                    f"{self.variants[0]}. Let the study finish."
                )
        self.paths, self.groups = first["path"].to_numpy(), first["group"].to_numpy()
        self.split_seeds = first["split_seed"].to_numpy()
        self.labels = np.array([self.classes.index(c) for c in first["label"]])
        columns = [f"p_{c}" for c in self.classes]
        self.probabilities = {name: _normal(part[columns].to_numpy(float)) for name, part in parts.items()}


def _normal(p: NDArray) -> NDArray:
    return p / p.sum(1, keepdims=True)  # rounding left them off 1


def compare(
    predictions: str | Path, baseline: str, scores: Iterable[str] = SCORES, samples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Every variant's scores with intervals over groups, and its paired difference from ``baseline``.

    All split seeds of a picture stay together in a resample, since they share its painter: the interval is
    over painters. McNemar's test needs one answer a picture: the split seeds' probabilities are averaged for
    it.

    Returns:
        One row a variant and metric: estimate, low, high, difference, difference_low, difference_high, p
        (two-sided, bootstrap), p_holm (corrected over the variants of the metric) and mcnemar_p (on the
        metric accuracy).
    """
    answers = Answers(predictions)
    if baseline not in answers.variants:
        raise DatasetError(f"Expected the baseline to be one of {answers.variants} but got {baseline!r}.")
    scores = tuple(scores)

    def metric(*probabilities, labels, weights=None):
        out = {}
        for name, p in zip(answers.variants, probabilities, strict=True):
            report = classification_report(p, labels, weights=weights)
            out |= {(name, s): report[s] for s in scores}
        return out

    def weighted(*arrays, weights=None):
        return metric(*arrays[:-1], labels=arrays[-1], weights=weights)

    arrays = [answers.probabilities[v] for v in answers.variants]
    estimate, draws = bootstrap_draws(
        weighted, *arrays, answers.labels, groups=answers.groups, samples=samples, seed=seed
    )
    single = _votes_by_picture(answers)
    rows = []
    for score in scores:
        block = []
        for name in answers.variants:
            low, high = percentiles(draws[name, score])
            row = {
                "variant": name,
                "metric": score,
                "estimate": estimate[name, score],
                "low": low,
                "high": high,
            }
            if name != baseline:
                differences = draws[name, score] - draws[baseline, score]
                low, high = percentiles(differences)
                row |= {
                    "difference": estimate[name, score] - estimate[baseline, score],
                    "difference_low": low,
                    "difference_high": high,
                    "p": two_sided_p(differences),
                }
                if score == "accuracy":
                    row["mcnemar_p"] = mcnemar(single[name], single[baseline]).p
            block.append(row)
        corrected = holm({r["variant"]: r["p"] for r in block if "p" in r}) if len(block) > 1 else {}
        rows += [
            r | ({"p_holm": corrected[r["variant"]]} if r["variant"] in corrected else {}) for r in block
        ]
    return pd.DataFrame(rows)


def _votes_by_picture(answers: Answers) -> dict[str, NDArray]:
    """Whether each variant names the right class of each picture, by its mean over split seeds."""
    paths, codes = np.unique(answers.paths, return_inverse=True)
    labels = np.zeros(len(paths), dtype=int)
    labels[codes] = answers.labels
    right = {}
    for name, p in answers.probabilities.items():
        total = np.zeros((len(paths), p.shape[1]))
        np.add.at(total, codes, p)
        right[name] = total.argmax(1) == labels
    return right


def predictions_of(table: str | Path) -> Path:
    """The predictions that lie beside a study's table."""
    path = Path(table)
    return path.with_name(f"{path.stem}_predictions.csv")


def summary_of(table: str | Path) -> pd.DataFrame:
    """What :func:`summarise` wrote beside a study's table."""
    path = Path(table)
    return pd.read_csv(path.with_name(f"{path.stem}_summary.csv"))


def summarise(table: str | Path, baseline: str, samples: int = 2000) -> pd.DataFrame:
    """:func:`compare` of a finished study, written beside its table as ``NAME_summary.csv``."""
    path = Path(table)
    comparison = compare(predictions_of(path), baseline, samples=samples)
    write_whole(
        comparison.to_csv(index=False, float_format="%.4f").encode(),
        path.with_name(f"{path.stem}_summary.csv"),
    )
    return comparison
