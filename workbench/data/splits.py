"""Folds that keep a painter's pictures together.

A painter has a brush, a paper and a seal. A network that was trained on some of a painter's pictures
recognises the others, and a score over mixed folds measures that instead of mood. Every split here is
therefore by group and checked by :func:`check_no_leak`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from workbench.core.errors import DatasetError


def grouped_folds(
    labels: ArrayLike, groups: ArrayLike, folds: int = 5, seed: int = 0
) -> list[tuple[NDArray, NDArray]]:
    """Stratified folds in which no group is divided: ``folds`` pairs (training indices, test indices).

    Args:
        labels: (N,) class of each picture.
        groups: (N,) its group, e.g. the painter.
        folds: number of folds, at least 2.
        seed: of the shuffle. Equal seeds give equal folds.

    Raises:
        DatasetError: fewer groups than folds, or a class within one group, which could not be tested.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if labels.shape != groups.shape or labels.ndim != 1:
        raise ValueError(
            f"Expected one label and one group a picture but got {labels.shape} and {groups.shape}."
        )
    if folds < 2:
        raise DatasetError(f"Expected at least 2 folds but got {folds}. Ask for 2 or more.")
    distinct = len(np.unique(groups))
    if distinct < folds:
        raise DatasetError(
            f"Expected at least {folds} groups for {folds} folds but got {distinct}. "
            "Use fewer folds, or add pictures by other painters."
        )
    for label in np.unique(labels):
        if len(np.unique(groups[labels == label])) < 2:
            raise DatasetError(
                f"Expected class {label!s} in at least 2 groups but all its pictures are in one: it can be "
                "learned or tested, not both. Add pictures by other painters, or leave the class out."
            )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    pairs = list(splitter.split(np.zeros(len(labels)), labels, groups))
    for train, test in pairs:
        check_no_leak(groups, train, test)
    return pairs


def check_no_leak(groups: ArrayLike, train: NDArray, test: NDArray) -> None:
    """Raise if a split has a group on both sides.

    Raises:
        DatasetError: naming the first groups found on both sides.
    """
    groups = np.asarray(groups)
    shared = sorted(set(groups[train].tolist()) & set(groups[test].tolist()), key=str)
    if shared:
        raise DatasetError(
            f"Expected no group on both sides of a split but {len(shared)} are, e.g. {shared[:3]}. "
            "Split by group."
        )
