"""Which intervals do stored answers have, with painters as they are known today?

A study leaves every network's answer for every picture. When painters are found to be one under two names,
or an interval is computed better, no network is trained again: the stored answers are resampled over today's
painters and over the training runs. What this cannot correct is reported beside it: how many groups kept the
folds apart, and which share of the answers is about a painter who was trained on, under another name.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.classify.summary import SCORES, read_predictions, summarise, write_summary
from workbench.classify.validation import Validation
from workbench.core.errors import DatasetError
from workbench.core.provenance import provenance
from workbench.data.atelier import open_dataset
from workbench.studies.study import Study, register

_ENDING = "_predictions.csv"


@register
@dataclasses.dataclass(frozen=True)
class Intervals(Study):
    """Which intervals do stored answers have, with painters as they are known today?

    Writes ``NAME_summary.csv``, as the study did, for each ``NAME_predictions.csv``, with three columns more:
    groups (today's), groups_of_folds (that training kept apart, if the table says so), and
    trained_on, the share of answers about a painter of whom another picture was trained on.
    """

    keys = ("table",)
    sources = ("data", "answers")

    data: str = "atelier:60"  # folder of the labelled paintings that were answered for, or atelier:N
    answers: tuple[str, ...] = ()  # tables of answers, NAME_predictions.csv
    baseline: str = ""  # that the others are compared with; by default that of the summary beside the answers
    scores: tuple[str, ...] = SCORES  # of the summary
    samples: int = 2000  # of the bootstrap

    def run(self, out: str | os.PathLike) -> list[Path]:  # type: ignore[override]
        """The summaries."""
        paintings, written = open_dataset(self.data), []
        for table in map(Path, self.answers):
            if not table.name.endswith(_ENDING):
                raise DatasetError(f"Expected answers in a file NAME{_ENDING} but got {table.name}.")
            name = table.name.removesuffix(_ENDING)
            label, found = read_predictions(table, paintings)
            beside = table.with_name(f"{name}_summary.csv")
            baseline = self.baseline or baseline_of(pd.read_csv(beside))
            summary = summarise(found, baseline, self.scores, self.samples, calibrated=False, label=label)
            first = next(iter(found.values()))
            columns = pd.read_csv(table, nrows=0).columns
            apart = pd.read_csv(table, usecols=["group"])["group"].nunique() if "group" in columns else ""
            facts = {
                "groups": len(np.unique(paintings.groups)),
                "groups_of_folds": apart,
                "trained_on": trained_on(first),
            }
            written.append(Path(out) / beside.name)
            write_summary(summary.assign(**facts, **provenance()), written[-1])
        return written


def baseline_of(summary: pd.DataFrame) -> str:
    """The name that a summary's differences are from: the one without any."""
    label = summary.columns[0]
    without = summary.groupby(label, sort=False)["difference"].count().eq(0)
    if without.sum() != 1:
        raise DatasetError("Expected a summary whose baseline alone has no difference. Name the baseline.")
    return str(without.idxmax())


def trained_on(validation: Validation) -> float:
    """Share of answers about a picture in whose group there is another that was trained on."""
    groups = validation.paintings.groups
    leaked = [
        np.isin(groups[fold.rows], groups[np.setdiff1d(np.arange(len(groups)), fold.rows)])
        for fold in validation.folds
    ]
    return float(np.concatenate(leaked).mean())
