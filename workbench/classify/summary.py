"""What cross-validation says of a classifier: calibrated scores, intervals over painters, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.data.paintings import Paintings
from workbench.metrics.bootstrap import group_intervals
from workbench.metrics.calibration import apply_temperature, fit_temperature
from workbench.metrics.classification import classification_report


def calibrate_across_folds(folds: Sequence[Mapping], labels: NDArray) -> list[NDArray]:
    """Probabilities of each fold with the temperature fitted on the *other* folds of the same split seed.

    So a calibrated score is never measured on the logits its temperature was fitted on.
    """
    calibrated = []
    for own in folds:
        others = [f for f in folds if f["split_seed"] == own["split_seed"] and f["fold"] != own["fold"]]
        logits = np.concatenate([f["logits"] for f in others])
        truth = labels[np.concatenate([f["test"] for f in others])]
        calibrated.append(apply_temperature(own["logits"], fit_temperature(logits, truth)))
    return calibrated


def shipped_temperature(folds: Sequence[Mapping], labels: NDArray) -> float:
    """One temperature from all out-of-fold logits, for the model trained on all pictures."""
    return fit_temperature(
        np.concatenate([f["logits"] for f in folds]), labels[np.concatenate([f["test"] for f in folds])]
    )


def out_of_fold(folds: Sequence[Mapping], labels: NDArray, num_classes: int) -> NDArray[np.float64]:
    """(S, N, C) calibrated probabilities: every picture once a split seed."""
    seeds = sorted({f["split_seed"] for f in folds})
    table = np.full((len(seeds), len(labels), num_classes), np.nan)
    for fold, probabilities in zip(folds, calibrate_across_folds(folds, labels), strict=True):
        table[seeds.index(fold["split_seed"]), fold["test"]] = probabilities
    if np.isnan(table).any():
        raise ValueError("Expected every picture in one test fold of each split seed but some are in none.")
    return table


def summarise(
    predictions: Mapping[str, NDArray], data: Paintings, samples: int = 2000, seed: int = 0
) -> list[dict[str, object]]:
    """Scores with 95 % intervals over groups, and paired differences of the first model to each other one.

    Args:
        predictions: model name -> (S, N, C) out-of-fold probabilities. Scores are averaged over the S split
            seeds, within the bootstrap too: the interval is over painters, not over seeds. Resampling raises
            ECE, so its interval lies high and may not even hold the estimate.

    Returns:
        Rows with model, metric, estimate, low, high.
    """
    names = list(predictions)

    def statistic(indices: NDArray) -> dict[str, float]:
        scores: dict[str, float] = {}
        for name in names:
            runs = [
                classification_report(
                    p[indices], data.labels[indices], None if data.votes is None else data.votes[indices]
                )
                for p in predictions[name]
            ]
            for metric in runs[0]:
                scores[f"{name}\t{metric}"] = float(np.mean([r[metric] for r in runs]))
        for name in names[1:]:
            for metric in runs[0]:
                scores[f"{names[0]} - {name}\t{metric}"] = (
                    scores[f"{names[0]}\t{metric}"] - scores[f"{name}\t{metric}"]
                )
        return scores

    intervals = group_intervals(statistic, data.groups, samples=samples, seed=seed)
    return [
        {"model": key.split("\t")[0], "metric": key.split("\t")[1], "estimate": e, "low": low, "high": high}
        for key, (e, low, high) in intervals.items()
    ]


def fold_rows(
    model: str, folds: Sequence[Mapping], data: Paintings, stamp: Mapping[str, str]
) -> list[dict[str, object]]:
    """One row a training run: split seed, fold, sizes, scores, seconds, provenance."""
    rows = []
    for fold, probabilities in zip(folds, calibrate_across_folds(folds, data.labels), strict=True):
        test = fold["test"]
        votes = None if data.votes is None else data.votes[test]
        rows.append(
            {
                "model": model,
                "split_seed": fold["split_seed"],
                "fold": fold["fold"],
                "pictures": len(test),
                "groups": len(np.unique(data.groups[test])),
                **classification_report(probabilities, data.labels[test], votes),
                "seconds": round(fold["seconds"], 1),
                **stamp,
            }
        )
    return rows


def prediction_rows(model: str, folds: Sequence[Mapping], data: Paintings) -> list[dict[str, object]]:
    """One row a picture and split seed: its path, label and calibrated probabilities."""
    rows = []
    for fold, probabilities in zip(folds, calibrate_across_folds(folds, data.labels), strict=True):
        for index, p in zip(fold["test"], probabilities, strict=True):
            named = {f"p_{c}": round(float(v), 5) for c, v in zip(data.classes, p, strict=True)}
            rows.append(
                {
                    "model": model,
                    "split_seed": fold["split_seed"],
                    "fold": fold["fold"],
                    "path": data.paths[index],
                    "label": data.classes[data.labels[index]],
                    **named,
                }
            )
    return rows
