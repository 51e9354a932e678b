"""Tables of a cross-validation: scores of every training run, probabilities of every picture, comparisons.

A study has three tables: one row per training with its provenance (``NAME.csv``), the probabilities of every
tested picture (``NAME_predictions.csv``), and the comparison (``NAME_summary.csv``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.classify.results import unsure
from workbench.classify.validation import Fold, Tested, Validation, Variant, cross_validate
from workbench.core.cells import guarded
from workbench.core.errors import DatasetError
from workbench.core.files import write_whole
from workbench.data.paintings import Paintings
from workbench.data.rated import RatedPaintings
from workbench.metrics.bootstrap import resample, run_shares
from workbench.metrics.paired import holm, mcnemar

SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
BIASED = ("ece",)  # biased upwards by noise: see Resamples.interval
_LEAST = 1e-12  # probability that a table's 0 stands for, as in the log-loss


def score_rows(name: str, validation: Tested, calibrated: bool = True, label: str = "model") -> list[dict]:
    """One row per training: split seed, fold, sizes, scores, fitted parameters, seconds and provenance."""
    return [
        {
            label: name,
            "split_seed": fold.split_seed,
            "fold": fold.fold,
            "pictures": len(fold.rows),
            "groups": len(np.unique(validation.paintings.groups[fold.rows])),
            **validation.scores(answers, fold.rows),
            **fold.measures,
            "parameters": fold.parameters,
            "seconds": round(fold.seconds, 1),
            **fold.provenance,
        }
        for fold, answers in zip(validation.folds, validation.by_fold(calibrated), strict=True)
    ]


def prediction_rows(
    name: str, validation: Tested, calibrated: bool = True, label: str = "model"
) -> list[dict]:
    """One row per picture and split seed: its path, group, truth and answer.

    Of classes these are the label and the probability of every class, else rating and prediction.
    """
    data, rows = validation.paintings, []
    for fold, answers in zip(validation.folds, validation.by_fold(calibrated), strict=True):
        for index, answer in zip(fold.rows, answers, strict=True):
            own: dict[str, object] = {"rating": float(data.truth[index]), "prediction": answer}
            if isinstance(data, Paintings):
                own = {"label": data.classes[data.labels[index]]}
                own |= {f"p_{c}": float(v) for c, v in zip(data.classes, answer, strict=True)}
            rows.append(
                {
                    label: name,
                    "split_seed": fold.split_seed,
                    "fold": fold.fold,
                    "path": data.paths[index],
                    "group": data.groups[index],
                    **own,
                }
            )
    return rows


def summarise(
    validations: Mapping[str, Tested],
    baseline: str,
    scores: Sequence[str] | None = None,
    samples: int = 2000,
    seed: int = 0,
    calibrated: bool = True,
    label: str = "model",
) -> pd.DataFrame:
    """Scores with 95 % intervals over groups, and each estimator's paired difference from ``baseline``.

    A score is the mean over the split seeds. All predictions for a painter's pictures enter a resample
    together, and the split seeds, each with its own training runs, are drawn anew for each resample, too: the
    interval is over painters and training runs. With one split seed it is over painters only. Calibration
    error and its interval are corrected for their upward bias. McNemar's test, which needs one prediction per
    picture, uses the mean probabilities over split seeds.

    Args:
        validations: of the same pictures and split seeds, by name.
        baseline: name of one of them.
        scores: of :func:`~workbench.metrics.classification.classification_report`, or of
            :func:`~workbench.metrics.regression.regression_report` where ratings were predicted; by default
            all.
        samples: of the bootstrap.
        seed: of the bootstrap.
        calibrated: whether to use calibrated probabilities.
        label: heading of the column of names.

    Returns:
        One row per name and metric: estimate, low, high, ceiling (of ratings: what their reliability allows,
        nan if that is unknown), difference, difference_low, difference_high, p (two-sided, bootstrap), p_holm
        (corrected over the names) and mcnemar_p (with accuracy).

    Raises:
        DatasetError: an unknown baseline, or validations of other pictures or split seeds.
    """
    first = _alike(validations, baseline)
    data, ceilings = first.paintings, first.ceilings()
    answers = {name: v.answers(calibrated) for name, v in validations.items()}
    runs, rng = len(first.split_seeds), np.random.default_rng([seed, 1])

    def metric(rows: NDArray, weights: NDArray | None = None) -> dict[tuple[str, str], NDArray | float]:
        shares, resamples = run_shares(runs, weights, rng), {}
        for name, tables in answers.items():
            reports = [first.scores(table[rows], rows, weights) for table in tables]
            for score in reports[0] if scores is None else scores:
                resamples[name, score] = (np.array([report[score] for report in reports]) * shares).sum(0)
        return resamples

    resamples = resample(metric, np.arange(len(data)), groups=data.groups, samples=samples, seed=seed)
    others, rows = [name for name in validations if name != baseline], []
    for score in dict.fromkeys(score for _, score in resamples.estimate):
        differences = {n: resamples.difference((n, score), (baseline, score)) for n in others}
        corrected = holm({name: difference.p for name, difference in differences.items()})
        for name in validations:
            share_of = resamples.groups if score == "accuracy" else None
            interval = resamples.interval((name, score), debias=score in BIASED, share_of=share_of)
            row = {label: name, "metric": score, **interval._asdict()}
            if score in ceilings:
                row["ceiling"] = ceilings[score]
            if name in differences:
                value, low, high, p = differences[name]
                row |= {"difference": value, "difference_low": low, "difference_high": high}
                row |= {"p": p, "p_holm": corrected[name]}
                if score == "accuracy":
                    right = (answers[n].mean(0).argmax(1) == data.truth for n in (name, baseline))
                    row["mcnemar_p"] = mcnemar(*right).p
            rows.append(row)
    return pd.DataFrame(rows)


def sureness(
    validation: Validation, samples: int = 2000, seed: int = 0, calibrated: bool = True
) -> dict[str, dict[str, float]]:
    """How often a classifier is unsure of a held-out picture, and how often it is right then and otherwise.

    Returns:
        ``unsure``, ``right_if_unsure`` and ``right_if_sure``, each with ``estimate``, ``low`` and ``high`` as
        in :func:`summarise`; what never occurred is left out.
    """
    answers, truth = validation.answers(calibrated), validation.paintings.truth
    doubts, right = unsure(answers), answers.argmax(2) == truth  # (S, N) each
    rng = np.random.default_rng([seed, 1])

    def metric(rows: NDArray, weights: NDArray | None = None) -> dict[str, NDArray | float]:
        w = np.ones(len(rows)) if weights is None else weights
        shares = run_shares(len(answers), weights, rng)

        def total(chosen: NDArray) -> NDArray:
            return sum(
                share * (w @ one[rows]) for share, one in zip(shares, chosen.astype(float), strict=True)
            )

        with np.errstate(invalid="ignore"):
            return {
                "unsure": total(doubts) / total(np.ones_like(doubts)),
                "right_if_unsure": total(doubts & right) / total(doubts),
                "right_if_sure": total(~doubts & right) / total(~doubts),
            }

    found = resample(
        metric, np.arange(len(truth)), groups=validation.paintings.groups, samples=samples, seed=seed
    )
    rows = {name: found.interval(name)._asdict() for name in found.estimate}
    return {name: row for name, row in rows.items() if not np.isnan(row["estimate"])}


def _alike(validations: Mapping[str, Tested], baseline: str) -> Tested:
    """The first validation, after a check that all have the same pictures and split seeds."""
    if baseline not in validations:
        raise DatasetError(f"Expected the baseline to be one of {list(validations)} but got {baseline!r}.")
    first = next(iter(validations.values()))
    for name, other in validations.items():
        same = other.paintings.paths == first.paintings.paths and other.split_seeds == first.split_seeds
        if not same:
            raise DatasetError(f"Expected {name} to be tested on the pictures and splits of the others.")
    return first


def compare(
    name: str,
    out: str | os.PathLike,
    paintings: Paintings | RatedPaintings,
    estimators: Mapping[str, Variant],
    baseline: str,
    *,
    folds: int = 5,
    split_seeds: Sequence[int] = (0,),
    scores: Sequence[str] | None = None,
    samples: int = 2000,
    calibrated: bool = False,
    label: str = "variant",
    cache: str | os.PathLike | None = None,
    stamp: Mapping[str, str] | None = None,
) -> Path:
    """Cross-validate several estimators on the same folds and write the three tables of a study.

    The tables hold the pictures and estimators of this call only. Finished folds are cached under a key of
    everything they depend on, so that an interrupted study resumes.

    Args:
        name: of the study, and stem of the tables' file names.
        out: their folder.
        paintings: labelled or rated pictures.
        estimators: by label; see :func:`~workbench.classify.validation.cross_validate`.
        baseline: label of the estimator that the others are compared with.
        folds: of each split.
        split_seeds: one split each.
        scores: of the summary; by default :data:`SCORES` of classes, and all of ratings.
        samples: of the bootstrap.
        calibrated: whether the tables have calibrated probabilities.
        label: heading of the column of labels.
        cache: folder of features and finished folds; by default ``cache`` in ``out``.
        stamp: further columns of the tables of training runs and of the summary.

    Returns:
        Path of ``NAME.csv``.
    """
    if baseline not in estimators:
        raise DatasetError(f"Expected the baseline to be one of {list(estimators)} but got {baseline!r}.")
    if scores is None and isinstance(paintings, Paintings):
        scores = SCORES
    kept = Path(cache) if cache is not None else Path(out) / "cache"
    # seeds in the outer loop: an interrupted study has complete comparisons
    parts: dict[str, list[Tested]] = {variant: [] for variant in estimators}
    for seed in split_seeds:
        for variant, estimator in estimators.items():
            desc = f"{variant}, split {seed}"
            parts[variant].append(
                cross_validate(estimator, paintings, folds=folds, split_seeds=[seed], out=kept, desc=desc)
            )
    validations = {
        variant: rows[0].with_folds([fold for part in rows for fold in part.folds])
        for variant, rows in parts.items()
    }
    write_tables(
        name,
        out,
        validations,
        baseline,
        scores=scores,
        samples=samples,
        calibrated=calibrated,
        label=label,
        stamp=stamp,
    )
    return Path(out) / f"{name}.csv"


def write_tables(
    name: str,
    out: str | os.PathLike,
    validations: Mapping[str, Tested],
    baseline: str,
    *,
    scores: Sequence[str] | None = None,
    samples: int = 2000,
    calibrated: bool = True,
    label: str = "model",
    suffix: str = "",
    stamp: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Write scores per training run (``NAME{suffix}.csv``), predictions and summary; return the summary."""
    runs = [r for n, v in validations.items() for r in score_rows(n, v, calibrated, label)]
    predictions = [r for n, v in validations.items() for r in prediction_rows(n, v, calibrated, label)]
    summary = summarise(validations, baseline, scores, samples, calibrated=calibrated, label=label)
    runs = [{**row, **{k: v for k, v in (stamp or {}).items() if k not in row}} for row in runs]
    _write(pd.DataFrame(runs), Path(out) / f"{name}{suffix}.csv", "%.6g")
    answers = Path(out) / f"{name}_predictions.csv"
    _write(pd.DataFrame(predictions), answers, "%.9g")  # nine digits say which float32 it was
    write_summary(summary.assign(**(stamp or {})), Path(out) / f"{name}_summary.csv")
    return summary


def write_summary(summary: pd.DataFrame, path: Path) -> None:
    """Write the comparison of a study, whole or not at all."""
    _write(summary, path, "%.6g")


def _write(table: pd.DataFrame, path: Path, float_format: str) -> None:
    text = table.map(guarded).to_csv(index=False, float_format=float_format, lineterminator="\n")
    write_whole(text.encode(), path)


def read_predictions(path: str | os.PathLike, paintings: Paintings) -> tuple[str, dict[str, Validation]]:
    """The heading of the names in a table of answers, and by name what was answered, with today's groups.

    Args:
        path: ``NAME_predictions.csv`` of a study of classes.
        paintings: the pictures that were answered for; their groups need not be those of the folds.

    Returns:
        Validations whose uncalibrated probabilities are those of the table. Trainings' times and sizes, which
        it has not, are 0.

    Raises:
        DatasetError: the table is none of answers, or is about other pictures, classes or labels.
    """
    table = pd.read_csv(path)
    columns, label = [f"p_{name}" for name in paintings.classes], str(table.columns[0])
    missing = [c for c in ("split_seed", "fold", "path", "label", *columns) if c not in table]
    if missing:
        raise DatasetError(f"Expected the column {missing[0]} in {Path(path).name} but it has none.")
    where = {name: i for i, name in enumerate(paintings.paths)}
    known = table["path"].map(where)
    if (
        known.isna().any()
        or (table["label"] != known.map(lambda i: paintings.classes[paintings.labels[int(i)]])).any()
    ):
        raise DatasetError(
            f"Expected {Path(path).name} to be about the pictures of {paintings.root} and their labels."
        )
    found = {}
    for name, own in table.assign(row=known.astype(int)).groupby(label, sort=False):
        folds = []
        for (seed, fold), part in own.groupby(["split_seed", "fold"]):
            rows = part["row"].to_numpy()
            logits = np.log(np.maximum(part[columns].to_numpy(), _LEAST))
            folds.append(Fold(int(seed), int(fold), rows, logits, paintings.truth[rows], 0.0, 0, {}))
        found[str(name)] = Validation(paintings, tuple(folds))
    return label, found


def read_summary(table: str | os.PathLike) -> pd.DataFrame:
    """The comparison that belongs to a study's table."""
    path = Path(table)
    return pd.read_csv(path.with_name(f"{path.stem}_summary.csv"))
