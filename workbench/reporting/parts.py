"""The parts of the full report that look at data and scores: from pictures to rows of its table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from workbench.classify.classifier import DEFAULT_CLASSIFIER, Classifier
from workbench.classify.features import StatisticsFeatures
from workbench.classify.publish import Publication, Source, train_classifier
from workbench.core.cells import guarded, unguarded
from workbench.data.check import check_dataset
from workbench.interpret.descriptors import class_averages, describe_folder
from workbench.metrics.bootstrap import bootstrap
from workbench.metrics.calibration import apply_temperature, reliability_bins
from workbench.metrics.classification import classification_report, confusion_matrix, per_class
from workbench.reporting import folder
from workbench.reporting.full import READER, FullReport

SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss", "log_loss_votes")
BASELINE = "linear_probe_views"  # the linear probe on what the reader sees
MAJORITY = "commonest"  # always naming the majority class


def data_card(report: FullReport) -> list[dict]:
    """Counts, groups, sizes, duplicates, problems and notes of the folder."""
    atelier = folder.is_atelier(report.source)
    card = check_dataset(
        report.data.root if atelier else report.source,
        None if atelier else report.ratings,
        cache=folder.features_cache(report.source),
        progress=True,
    )
    rows = [{"name": "fingerprint", "text": report.mark}, {"name": "folder", "text": report.name}]
    count = np.bincount(report.data.labels)
    for i, (name, n) in enumerate(zip(report.data.classes, count, strict=True)):
        groups = len(set(report.data.groups[report.data.labels == i].tolist()))
        rows.append({"name": "class", "other": name, "count": int(n), "groups": groups})
    _, sizes = np.unique(report.data.groups, return_counts=True)
    numbers = {
        "pictures": len(report.data),
        "groups": len(sizes),
        "largest group": int(sizes.max()),
        "unreadable files": len(card.unreadable),
        "rows without a picture": len(card.missing),
        "equal files": len(card.equal),
        "one picture photographed twice": len(card.same),
        "pairs of one hand and motif": len(card.alike),
        "groups if these were joined": card.groups_if_joined,
        "long scrolls": len(card.scrolls),
        "small pictures": card.small,
    }
    rows += [{"name": name, "count": value} for name, value in numbers.items()]
    for name, (low, middle, high) in (("width", card.width), ("height", card.height)):
        rows.append({"name": name, "median_px": middle, "least_px": low, "most_px": high})
    rows.append({"name": "grouped by", "text": report.data.grouped_by})
    rows.append({"name": "votes", "text": "yes" if card.voted else ""})
    rows += [{"name": "problem", "text": line} for line in card.problems]
    return rows + [{"name": "note", "text": line} for line in card.notes]


def scores(report: FullReport) -> list[dict]:
    """Train and test a classifier on the folder; its scores, confusions, calibration and answers.

    Classifier, card, folds and predictions lie in ``out/reader``.
    """
    data, plan, out = report.data, report.plan, report.out / READER
    about = Publication(
        name=READER,
        samples=plan.samples,
        title=f"Reader of {report.name}",
        data_source=report.name,
        licence="as the pictures that it was trained on allow",
        limitations="Trained and tested on one folder only: it knows nothing of pictures unlike these.",
    )
    train_classifier(Source(report.view), out, report.config, about)
    summary = pd.read_csv(out / f"{READER}_summary.csv")
    rows = [
        {"name": r.metric, "other": r.model, "estimate": r.estimate, "low": r.low, "high": r.high}
        for r in summary.itertuples()
    ]
    own = summary[summary["model"] == READER]
    rows += [
        {"name": r.metric, "other": f"{READER} - {BASELINE}", "estimate": r.difference}
        | {"low": r.difference_low, "high": r.difference_high}
        for r in own.itertuples()
    ]
    share = np.bincount(data.labels) / len(data)
    for name, value in (("accuracy", share.max()), ("balanced_accuracy", 1 / len(share))):
        rows.append({"name": name, "other": MAJORITY, "estimate": float(value)})
    rows.append({"name": "folds", "count": report.folds})
    p = answers(report)
    return rows + _by_class(report, p) + _confusions(report, p) + _calibration(p, data.labels)


def answers(report: FullReport) -> NDArray[np.float64]:
    """(N, C) calibrated out-of-fold probabilities, averaged over the split seeds, in the data's order."""
    table = pd.read_csv(report.out / READER / f"{READER}_predictions.csv", dtype={"path": str})
    table["path"] = table["path"].map(unguarded)
    table = table[table["model"] == READER]
    columns = [f"p_{c}" for c in report.data.classes]
    mean = table.groupby("path")[columns].mean().loc[list(report.data.paths)].to_numpy()
    return mean / mean.sum(1, keepdims=True)


def _by_class(report: FullReport, p: NDArray) -> list[dict]:
    data, count = report.data, len(report.data.classes)

    def metric(top, labels, weights=None):
        found = per_class(confusion_matrix(labels, top, count, weights))
        return {
            (name, c): found[name][..., i]
            for name in ("precision", "recall")
            for i, c in enumerate(data.classes)
        }

    found = bootstrap(metric, p.argmax(1), data.labels, groups=data.groups, samples=report.plan.samples)
    return [
        {"name": name, "other": c, "estimate": i.estimate, "low": i.low, "high": i.high}
        for (name, c), i in found.items()
    ]


def _confusions(report: FullReport, p: NDArray) -> list[dict]:
    """Counts of every pair of classes, and every answer that was wrong, the surest first."""
    data, top = report.data, p.argmax(1)
    matrix = confusion_matrix(data.labels, top, len(data.classes))
    rows = [
        {"name": f"true {a}", "other": b, "count": int(matrix[i, j]), "text": "confusion"}
        for i, a in enumerate(data.classes)
        for j, b in enumerate(data.classes)
    ]
    for i in np.argsort(-p.max(1), kind="stable"):
        right = top[i] == data.labels[i]
        rows.append(
            {
                "name": data.classes[data.labels[i]],
                "other": data.classes[top[i]],
                "p_read": float(p[i, top[i]]),
                "p_label": float(p[i, data.labels[i]]),
                "path": data.paths[i],
                "text": "right" if right else "wrong",
            }
        )
    return rows


def _calibration(p: NDArray, labels: NDArray) -> list[dict]:
    edges, count, confidence, right = reliability_bins(p, labels)
    return [
        {"name": "bin", "bin_from": lo, "bin_to": hi, "count": int(n), "confidence": c, "share_right": a}
        for lo, hi, n, c, a in zip(edges[:-1], edges[1:], count, confidence, right, strict=True)
    ]


def shipped(report: FullReport) -> list[dict]:
    """What the shipped mood classifier says of the pictures, if their classes are its moods."""
    data = report.data
    classifier = Classifier.load(DEFAULT_CLASSIFIER)
    moods = classifier.card.class_names
    if not set(data.classes) <= set(moods):
        return [{"name": "left out", "text": f"the classes are others than {', '.join(moods)}"}]
    columns = [moods.index(c) for c in data.classes]
    table = torch.from_numpy(StatisticsFeatures.of(report.config).table32(data, report.estimator.cache))
    with torch.inference_mode():
        logits = classifier.network.classifier(table.to(classifier.device)).cpu().double().numpy()
    p = apply_temperature(logits[:, columns], classifier.temperature)
    names = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss")

    def metric(p, labels, weights=None):
        found = classification_report(p, labels, weights=weights)
        return {name: found[name] for name in names}

    found = bootstrap(metric, p, data.labels, groups=data.groups, samples=report.plan.samples)
    rows = [
        {"name": name, "other": DEFAULT_CLASSIFIER, "estimate": i.estimate, "low": i.low, "high": i.high}
        for name, i in found.items()
    ]
    counts = dict(zip(data.classes, np.bincount(data.labels).tolist(), strict=True))
    if classifier.card.training.get("classes") == counts:
        rows.append({"name": "warning", "text": "same counts as its own training pictures"})
    return rows


def suspects(report: FullReport) -> list[dict]:
    """Pictures whose label the out-of-fold answers contradict, the likeliest errors first (cleanlab).

    Source: Northcutt, Jiang and Chuang, "Confident Learning", JAIR 2021, arXiv:1911.00068.
    """
    from cleanlab.filter import find_label_issues

    data, p = report.data, answers(report)
    found = find_label_issues(
        data.labels, p, return_indices_ranked_by="normalized_margin", n_jobs=1, verbose=False
    )
    rows = [{"name": "suspects", "count": len(found)}]
    for i in found:
        other = int(p[i].argmax())
        row = {
            "name": data.classes[data.labels[i]],
            "other": data.classes[other],
            "p_read": float(p[i, other]),
            "p_label": float(p[i, data.labels[i]]),
            "path": data.paths[i],
        }
        if data.votes is not None:
            row |= {"votes_read": float(data.votes[i, other])}
            row |= {"votes_label": float(data.votes[i, data.labels[i]])}
        rows.append(row)
    return rows


def expression(report: FullReport) -> list[dict]:
    """Mean of every expression descriptor in every class, with intervals over groups."""
    table = describe_folder(report.data)
    described = pd.DataFrame(table).map(guarded)
    report.out.mkdir(parents=True, exist_ok=True)
    described.to_csv(report.out / "descriptors.csv", index=False, float_format="%.6g")
    return [
        {
            "name": row["descriptor"],
            "other": row["class"],
            "estimate": row["mean"],
            "low": row["low"],
            "high": row["high"],
            "spread": row["spread"],
            "count": row["pictures"],
        }
        for row in class_averages(table, samples=report.plan.samples)
    ]
