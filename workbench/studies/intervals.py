"""Recompute the intervals of stored predictions with the painters as they are known today.

A study stores every network's prediction for every picture. When two names turn out to be one painter, or the
method of an interval is improved, no network is trained again: the stored predictions are resampled over
today's painters and over the training runs. What this cannot correct is reported too: the number of groups
that separated the folds, and the share of predictions for painters who, under another name, were in the
training set. With ``apart`` the pictures of those predictions are left out, as if today's painters had
separated the folds.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.classify.summary import SCORES, read_predictions, summarise, write_summary
from workbench.classify.validation import Fold, Validation
from workbench.core.errors import DatasetError
from workbench.core.provenance import provenance
from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings
from workbench.metrics.paired import holm
from workbench.studies.study import Study, grouped, register

_ENDING = "_predictions.csv"
APART = "painters_apart.csv"


@register
@dataclasses.dataclass(frozen=True)
class Intervals(Study):
    """What are the intervals of stored predictions, with painters as they are known today?

    Writes ``NAME_summary.csv``, as the study did, for each ``NAME_predictions.csv``, with three columns more:
    groups (today's), groups_of_folds (that separated the folds, if the table has them), and trained_on, the
    share of predictions for a painter of whom another picture was in the training set. Near-duplicates stand
    in for painters in a folder without them, as in the studies. With ``apart`` it writes one table,
    :data:`APART`, with the columns table, pictures and left_out (a share) besides. With ``steps`` it writes
    ``NAME_steps.csv`` instead: what each estimator has more than the one before it (the column less), paired.
    """

    keys = ("table",)
    sources = ("data", "answers")

    data: str = "atelier:60"  # folder of the labelled paintings that were predicted, or atelier:N
    answers: tuple[str, ...] = ()  # tables of predictions, NAME_predictions.csv
    baseline: str = ""  # estimator to compare with; by default that of the summary beside the predictions
    scores: tuple[str, ...] = SCORES  # of the summary
    samples: int = 2000  # of the bootstrap
    # leave out pictures whose painter was, under another name, in the training set of a prediction
    apart: bool = False
    # estimators in the order in which each adds something to the one before: compare these neighbours alone
    steps: tuple[str, ...] = ()

    def run(self, out: str | os.PathLike) -> list[Path]:  # type: ignore[override]
        """The summaries."""
        paintings, written, without = grouped(open_dataset(self.data)), [], []
        for table in map(Path, self.answers):
            if not table.name.endswith(_ENDING):
                raise DatasetError(f"Expected predictions in a file NAME{_ENDING} but got {table.name}.")
            name = table.name.removesuffix(_ENDING)
            label, found = read_predictions(table, paintings)
            beside = table.with_name(f"{name}_summary.csv")
            baseline = self.baseline or (baseline_of(pd.read_csv(beside)) if beside.is_file() else "")
            baseline = baseline or next(iter(found))
            columns = pd.read_csv(table, nrows=0).columns
            parted = pd.read_csv(table, usecols=["group"])["group"].nunique() if "group" in columns else ""
            facts = {
                "groups": len(np.unique(paintings.groups)),
                "groups_of_folds": parted,
                "trained_on": trained_on(next(iter(found.values()))),
            }
            if self.apart:
                found = {variant: without_known_painters(validation) for variant, validation in found.items()}
                kept = next(iter(found.values())).paintings
                facts |= {
                    "groups": len(np.unique(kept.groups)),
                    "pictures": len(kept),
                    "left_out": 1 - len(kept) / len(paintings),
                }
            if self.steps:
                summary, ending = compare_steps(found, self.steps, self.scores, self.samples, label), "steps"
            else:
                ending = "summary"
                summary = summarise(found, baseline, self.scores, self.samples, calibrated=False, label=label)
            summary = summary.assign(**facts, **provenance())
            if self.apart:
                without.append(summary.rename(columns={label: "variant"}).assign(table=name))
            else:
                written.append(Path(out) / f"{name}_{ending}.csv")
                write_summary(summary, written[-1])
        if without:
            whole = pd.concat(without)
            written.append(Path(out) / APART)
            write_summary(whole[["table", *(c for c in whole.columns if c != "table")]], written[-1])
        return written


def compare_steps(
    found: Mapping[str, Validation],
    steps: Sequence[str],
    scores: Sequence[str] | None = None,
    samples: int = 2000,
    label: str = "model",
) -> pd.DataFrame:
    """Paired difference of every estimator from the one before it.

    Args:
        found: validations of the same pictures and split seeds, by name.
        steps: names in the order in which each adds something to the one before, at least two.
        scores: as in :func:`~workbench.classify.summary.summarise`.
        samples: of the bootstrap.
        label: heading of the column of names.

    Returns:
        One row for each step and score: its name, less (the one before), metric, difference, difference_low,
        difference_high, p and p_holm (corrected over the steps).

    Raises:
        DatasetError: fewer than two steps, or one that was not tested.
    """
    if len(steps) < 2 or (missing := [name for name in steps if name not in found]):
        wrong = f"{missing[0]!r}" if len(steps) > 1 else f"{len(steps)}"
        raise DatasetError(f"Expected at least two steps, each one of {list(found)}, but got {wrong}.")
    tables = []
    for before, after in itertools.pairwise(steps):
        both = {name: found[name] for name in (before, after)}
        rows = summarise(both, before, scores, samples, calibrated=False, label=label)
        rows = rows[rows[label] == after]
        rows.insert(1, "less", before)
        tables.append(rows[[label, "less", "metric", "difference", "difference_low", "difference_high", "p"]])
    whole = pd.concat(tables, ignore_index=True)
    for _, rows in whole.groupby("metric"):
        whole.loc[rows.index, "p_holm"] = pd.Series(holm(rows["p"].to_dict()))
    return whole


def baseline_of(summary: pd.DataFrame) -> str:
    """The baseline of a summary: the only estimator without a difference."""
    label = summary.columns[0]
    if "difference" not in summary:  # a single estimator
        return str(summary[label].iloc[0])
    without = summary.groupby(label, sort=False)["difference"].count().eq(0)
    if without.sum() != 1:
        raise DatasetError("Expected a summary whose baseline alone has no difference. Name the baseline.")
    return str(without.idxmax())


def trained_on(validation: Validation) -> float:
    """Share of predictions for pictures of whose group another picture was in the training set."""
    return float(
        np.concatenate([_known_painter(fold, validation.paintings) for fold in validation.folds]).mean()
    )


def without_known_painters(validation: Validation) -> Validation:
    """Without pictures of whose group, in any split, another picture was in the training set."""
    data, folds = validation.paintings, validation.folds
    kept = np.ones(len(data), dtype=bool)
    for fold in folds:
        kept[fold.rows[_known_painter(fold, data)]] = False
    place = np.cumsum(kept) - 1
    return dataclasses.replace(
        validation,
        paintings=data.subset(np.flatnonzero(kept)),
        folds=tuple(
            dataclasses.replace(
                fold,
                rows=place[fold.rows[kept[fold.rows]]],
                outputs=fold.outputs[kept[fold.rows]],
                truth=fold.truth[kept[fold.rows]],
            )
            for fold in folds
        ),
    )


def _known_painter(fold: Fold, paintings: Paintings) -> NDArray[np.bool_]:
    """Per tested picture, whether another one of its group was in the training set of its fold."""
    others = np.setdiff1d(np.arange(len(paintings)), fold.rows)
    return np.isin(paintings.groups[fold.rows], paintings.groups[others])
