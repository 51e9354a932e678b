"""Linear probes: which stage of a network encodes which characteristic of a painting.

For every stage a linear probe predicts each expression descriptor (ridge regression, R²) and each mood
against the rest (logistic regression, balanced accuracy), by cross-validation that keeps painters apart.
Features of a network with random weights are the control: some characteristics, such as brightness, can be
predicted from almost any features, and only a score above the control was learnt (Hewitt and Liang,
"Designing and Interpreting Probes", EMNLP 2019).

Stages are compared by representational similarity analysis, and the probes of the residual blocks recommend
which of them to aggregate.

Sources: Alain and Bengio, "Understanding intermediate layers using linear classifier probes", ICLR workshop
2017; Kriegeskorte et al., "Representational similarity analysis", Front. Syst. Neurosci. 2008; Nemhauser et
al., "An analysis of approximations for maximizing submodular set functions", Math. Programming 1978.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.spatial.distance import pdist
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from workbench.data.splits import grouped_folds
from workbench.interpret.layers import pooled_activations
from workbench.metrics.bootstrap import Interval, bootstrap
from workbench.metrics.classification import balanced_accuracy, confusion_matrix

PENALTIES = np.logspace(0, 5, 11)  # of the ridge; one is chosen inside each training fold
STRENGTH = 0.01  # scikit-learn's C of the logistic regression


def stage_features(
    network: nn.Module,
    pictures: Iterable[Image.Image],
    prepare: Callable[[Image.Image], Tensor],
    modules: Mapping[str, nn.Module],
) -> dict[str, NDArray[np.float64]]:
    """Pooled features of every module for every picture: name -> (N, K).

    Args:
        network: in eval mode.
        pictures: N pictures, read one at a time.
        prepare: maps a picture to views (V, 3, H, W), over which features are averaged.
        modules: from :func:`~workbench.interpret.layers.stages` or ``blocks``.
    """
    features: dict[str, list[NDArray]] = {name: [] for name in modules}
    for picture in pictures:
        for name, value in pooled_activations(network, prepare(picture), modules).items():
            features[name].append(value.mean(0).double().numpy())
    return {name: np.stack(values) for name, values in features.items() if values}


def r_squared(values: NDArray, predicted: NDArray) -> float:
    """1 - Σ (y - p)² / Σ (y - mean y)²; NaN for a constant y. Below 0: worse than the mean."""
    total = ((values - values.mean()) ** 2).sum()
    return float(1 - ((values - predicted) ** 2).sum() / total) if total > 0 else float("nan")


def probe_value(
    features: ArrayLike, values: ArrayLike, groups: ArrayLike, folds: int = 5, samples: int = 200
) -> Interval:
    """Cross-validated R² of a ridge probe for one number per picture, with its interval over groups.

    Args:
        features: (N, K), standardised inside each fold.
        values: (N,), finite.
        groups: (N,), never on both sides of a split.
        folds: at most the number of groups.
        samples: bootstrap samples of groups.
    """
    features, values, groups = np.asarray(features), np.asarray(values, dtype=float), np.asarray(groups)
    if not np.isfinite(values).all():
        raise ValueError("Expected finite values to predict but got NaN or infinity.")
    splits = GroupKFold(min(folds, len(np.unique(groups))))
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    predicted = cross_val_predict(model, features, values, groups=groups, cv=splits)

    return bootstrap(r_squared, values, predicted, groups=groups, samples=samples)


def probe_class(
    features: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    folds: int = 5,
    samples: int = 200,
    seed: int = 0,
) -> Interval:
    """Cross-validated balanced accuracy of a binary logistic probe, with its interval over groups.

    Args:
        features: (N, K), standardised inside each fold.
        labels: (N,) 0 or 1. Chance level: .5.
        groups: (N,).
        folds: stratified.
        samples: bootstrap samples of groups.
        seed: of the folds.
    """
    features, labels, groups = np.asarray(features), np.asarray(labels).astype(int), np.asarray(groups)
    predicted = np.zeros(len(labels), dtype=int)
    for train, test in grouped_folds(labels, groups, folds, seed):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=500)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            predicted[test] = model.fit(features[train], labels[train]).predict(features[test])

    def score(labels, predicted, weights=None):
        return balanced_accuracy(confusion_matrix(labels, predicted, 2, weights))

    return bootstrap(score, labels, predicted, groups=groups, samples=samples)


def probe(
    features: Mapping[str, NDArray],
    descriptors: Mapping[str, ArrayLike],
    moods: Mapping[str, ArrayLike],
    groups: ArrayLike,
    folds: int = 5,
    samples: int = 200,
) -> list[dict]:
    """Probe every stage for every characteristic.

    Args:
        features: stage -> (N, K).
        descriptors: name -> (N,) numbers; pictures with nan are left out of that probe, constant descriptors
            are skipped.
        moods: name -> (N,) 0 or 1.
        groups: (N,).
        folds: of the cross-validation.
        samples: bootstrap samples.

    Returns:
        Rows of layer, characteristic, kind ("descriptor" or "mood"), measure, score, low, high, pictures.
    """
    rows, groups = [], np.asarray(groups)
    for layer, x in features.items():
        for kind, table, measure, judge in (
            ("descriptor", descriptors, "R2", probe_value),
            ("mood", moods, "balanced_accuracy", probe_class),
        ):
            for name, values in table.items():
                values = np.asarray(values, dtype=float)
                known = np.isfinite(values)
                if not known.any() or np.ptp(values[known]) == 0:
                    continue
                score, low, high = judge(x[known], values[known], groups[known], folds=folds, samples=samples)
                keys = {"layer": layer, "characteristic": name, "kind": kind, "measure": measure}
                rows.append({**keys, "score": score, "low": low, "high": high, "pictures": int(known.sum())})
    return rows


def similarity(features: Mapping[str, NDArray]) -> tuple[list[str], NDArray[np.float64]]:
    """Representational similarity of stages: names and a symmetric (L, L) matrix with a unit diagonal.

    Two pictures' dissimilarity at a stage is 1 - Pearson's correlation of their standardised features; two
    stages' similarity is Spearman's correlation of their dissimilarities over all pairs of pictures.
    """
    ranks = []
    for x in features.values():
        if len(x) < 3:
            raise ValueError(f"Expected at least 3 pictures but got {len(x)}.")
        ranks.append(rankdata(pdist(StandardScaler().fit_transform(x), "correlation")))
    return list(features), np.corrcoef(np.stack(ranks)) if len(ranks) > 1 else np.ones((1, 1))


def relevance(values: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Any:
    """Correlation ratio η²: the between-mood share of a descriptor's variance, in [0, 1].

    Args:
        values: (N,) of the descriptor; pictures without a value (nan) are left out.
        labels: (N,) moods.
        weights: (N,) how often each picture counts, or (S, N) of S resamples; by default once.

    Returns:
        A number, or (S,).
    """
    x, moods = np.asarray(values, dtype=float), np.asarray(labels)
    known = np.isfinite(x)
    counts = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=float)
    x, moods, counts = x[known], moods[known], counts[..., known]
    x = x - (x.mean() if len(x) else 0)
    of_all = (counts @ x) ** 2 / np.maximum(counts.sum(-1), 1)
    total = counts @ x**2 - of_all
    own = [counts * (moods == mood) for mood in np.unique(moods)]
    between = sum((((c @ x) ** 2 / np.maximum(c.sum(-1), 1)) for c in own), np.zeros_like(total)) - of_all
    found = np.divide(between, total, out=np.zeros_like(between), where=total > 0).clip(0, 1)
    return found if counts.ndim > 1 else float(found)


def recommend(
    gains: Mapping[str, Mapping[str, float]], weights: Mapping[str, float], share: float = 0.95
) -> list[str]:
    """Blocks to aggregate: a small set, chosen greedily, that covers the characteristics of mood.

    A set of blocks covers a characteristic as well as its best block does; the value of a set is the sum over
    characteristics of weight × coverage. The block that adds most is taken next, with ties in favour of the
    deeper one, until the set has ``share`` of the value of all blocks. A greedy set has at least 1 - 1/e of
    the value of the best set of its size. The choice is deterministic.

    Args:
        gains: block -> characteristic -> score above the control (negative counts as 0), from shallow to
            deep.
        weights: characteristic -> its relevance to mood, e.g. :func:`relevance`; others are ignored.
        share: of the value of all blocks, in (0, 1].

    Returns:
        Names of the blocks in the order of choice.

    Raises:
        ValueError: all values are zero, or ``share`` is out of range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"Expected `share` in (0, 1] but got {share}.")
    names = [c for c, weight in weights.items() if weight > 0]
    value = np.array([[max(0.0, row.get(c, 0.0)) * weights[c] for c in names] for row in gains.values()])
    if not names or not value.size or value.max() <= 0:
        raise ValueError("Expected a block with information on mood above the control but there is none.")
    blocks, chosen, cover = list(gains), [], np.zeros(len(names))
    goal = share * value.max(0).sum()
    while cover.sum() < goal - 1e-12:
        added = np.maximum(value, cover).sum(1) - cover.sum()
        best = int(np.flatnonzero(added >= added.max() - 1e-12)[-1])
        chosen.append(blocks[best])
        cover = np.maximum(cover, value[best])
    return chosen


def gains_over(rows: Sequence[Mapping], control: Sequence[Mapping]) -> dict[str, dict[str, float]]:
    """Score of every layer and characteristic above that of the control (or chance, if higher).

    Args:
        rows: from :func:`probe` with the trained network.
        control: the same with random weights.
    """
    floor = {(r["layer"], r["characteristic"]): float(r["score"]) for r in control}
    gains: dict[str, dict[str, float]] = {}
    for row in rows:
        chance = 0.0 if row["measure"] == "R2" else 0.5
        base = max(chance, floor.get((row["layer"], row["characteristic"]), chance))
        gains.setdefault(row["layer"], {})[row["characteristic"]] = float(row["score"]) - base
    return gains
