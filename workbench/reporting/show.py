"""Blocks and figures of the full report, made from its table, in the order of its sections."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.classify.results import DEFAULT_CLASSIFIER
from workbench.core.errors import UnknownNameError
from workbench.interpret.descriptors import DESCRIPTORS
from workbench.interpret.measuring import IMAGE_PROPERTIES, MEASURES
from workbench.models.weights import card
from workbench.plots import classification, collection, descriptors, explanations, moods
from workbench.plots.style import pretty
from workbench.reporting import blocks
from workbench.reporting.blocks import Block, GalleryEntry
from workbench.reporting.full import Report
from workbench.reporting.readings import card_facts
from workbench.studies import report_rows as kinds
from workbench.studies.report_rows import LEFT_OUT, MAY_KNOW, UNRATED
from workbench.studies.report_scores import BASELINE, MAJORITY, READER

SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss", "log_loss_votes")
WRONG = 8  # misclassified pictures shown
SUSPECTS = 12  # likely label errors shown
PAIRS = 6  # most-confused pairs listed
NAMES = {  # of scores
    READER: "classifier of this report",
    "linear_probe_squeezed": "linear probe, squeezed",
    BASELINE: "linear probe, same views",
    MAJORITY: "largest class",
}
LOWER = ("ece", "log_loss", "log_loss_votes")  # less is better
ABSENT = "The table of this report was written by an earlier version, which did not measure this."
HIDDEN = "The pictures themselves are left out of this report."


def number(value: float, digits: int = 3) -> str:
    """A score as text; "–" if missing."""
    return "–" if value != value else f"{value:.{digits}f}"


def interval(row, digits: int = 3) -> str:
    """Estimate with its interval."""
    if row.low != row.low:
        return number(row.estimate, digits)
    return f"{row.estimate:.{digits}f} ({row.low:.{digits}f} to {row.high:.{digits}f})"


def data_card(report: Report) -> Block:
    """Counts, sizes, duplicates, problems."""
    folder, remarks = report.one(kinds.Collection), report.rows(kinds.Remark)
    width, height = (row for _, row in report.rows(kinds.Side).iterrows())
    values = {
        "Pictures": f"{folder.pictures}",
        "Groups": f"{folder.groups} by {folder.grouped_by}, at most {folder.largest_group} pictures each"
        if folder.grouped_by
        else "none known: every picture counts as its own",
        "Size": f"{width.least_px:.0f} to {width.most_px:.0f} pixels wide (median {width.median_px:.0f}), "
        f"{height.least_px:.0f} to {height.most_px:.0f} high (median {height.median_px:.0f})",
        "Duplicates": f"{folder.equal_files} equal files, {folder.same_pictures} photographed twice, "
        f"{folder.alike_pictures} pairs as alike as pictures of one series",
        "Unreadable files": f"{folder.unreadable_files}",
        "Long scrolls": f"{folder.long_scrolls}",
        "Raters' votes": "yes" if folder.voted else "none",
    }
    shown = blocks.facts(values)
    for topic, title in (("problem", "Problems for training"), ("note", "Notes")):
        lines = [" ".join(text.split()) for text in remarks.loc[remarks["topic"] == topic, "text"]]
        if lines:
            shown += Block(f"<h4>{title}</h4>", title) + blocks.bullets(lines)
    return shown


def class_counts(report: Report):
    """Figure: pictures and groups of each class."""
    own = report.rows(kinds.Class).rename(columns={"label": "mood"})
    known = ["pictures", "groups"] if report.one(kinds.Collection).grouped_by else ["pictures"]
    return moods.counts(own.melt("mood", known, "what", "count"))


def score_table(report: Report) -> Block:
    """Scores of the classifier and of its baselines, with intervals."""
    rows, differences = report.rows(kinds.Score), report.rows(kinds.Gain)
    models = [m for m in NAMES if m in set(rows["model"])]
    body = []
    for metric in SCORES:
        own = rows[rows["metric"] == metric].set_index("model")
        if len(own):
            cells = [interval(own.loc[m]) if m in own.index else "–" for m in models]
            body.append([f"{pretty(metric)} {'↓' if metric in LOWER else '↑'}", *cells])
    gains = [
        f"{pretty(r.metric)} {r.difference:+.3f} ({r.difference_low:+.3f} to {r.difference_high:+.3f})"
        for r in _tuples(differences[differences["baseline"] == BASELINE])
        if r.metric in ("accuracy", "balanced_accuracy", "log_loss")
    ]
    shown = blocks.table(
        ["score", *(NAMES[m] for m in models)],
        body,
        "Mean, with 95 % intervals over groups; ↑ more is better.",
    )
    if gains:
        shown += blocks.note(f"Paired differences from the linear probe: {'; '.join(gains)}.")
    return shown


def _tuples(table: pd.DataFrame):
    return table.itertuples(index=False)


def scores(report: Report):
    """Figure: accuracy and balanced accuracy with intervals."""
    rows = report.rows(kinds.Score)
    own = rows[rows["metric"].isin(["accuracy", "balanced_accuracy"]) & rows["low"].notna()]
    own = own[own["model"].isin(NAMES)]
    floor = rows[rows["model"] == MAJORITY].set_index("metric")["estimate"]
    references = {metric: {NAMES[MAJORITY]: floor[metric]} for metric in own["metric"].unique()}
    return classification.metric_intervals(own.assign(model=own["model"].map(NAMES)), references=references)


def confusion(report: Report):
    """Figure: the confusion matrix."""
    classes = report.classes
    matrix = report.rows(kinds.Confusion).pivot(index="label", columns="answer", values="pictures")
    return classification.confusion(matrix.loc[classes, classes].to_numpy(), classes)


def confused_pairs(report: Report) -> Block:
    """The pairs of classes that are confused most often."""
    rows = report.rows(kinds.Confusion)
    support = rows.groupby("label")["pictures"].sum()
    wrong = rows[(rows["label"] != rows["answer"]) & (rows["pictures"] > 0)]
    body = [
        [pretty(r.label), pretty(r.answer), f"{r.pictures}", f"{100 * r.pictures / support[r.label]:.0f} %"]
        for r in _tuples(wrong.sort_values("pictures", ascending=False, kind="stable").head(PAIRS))
    ]
    if not body:
        return blocks.note("No picture was classified as another class.")
    return blocks.table(["true class", "predicted", "pictures", "of the class"], body, "Most-confused pairs")


def by_class(report: Report):
    """Figure: precision and recall of each class."""
    return classification.per_class(report.rows(kinds.ClassScore).rename(columns={"label": "class"}))


def calibration(report: Report):
    """Figure: calibration of the probabilities."""
    own = report.rows(kinds.Bin)
    edges = [*own["bin_from"], own["bin_to"].iloc[-1]]
    return classification.reliability(edges, own["pictures"], own["confidence"], own["share_right"])


def _gallery(report: Report, rows: pd.DataFrame, title_and_caption) -> Block:
    entries = []
    for r in _tuples(rows):
        alt = f"{pretty(r.label)}, predicted {pretty(r.answer)}: {r.path}"
        title, caption = title_and_caption(r)
        entries.append(GalleryEntry([report.picture(r.path)], [alt], title, caption, r.path))
    return blocks.gallery(entries)


def most_wrong(report: Report) -> Block:
    """Misclassified pictures with the highest probabilities."""
    rows = report.rows(kinds.Answer)
    wrong = rows[rows["label"] != rows["answer"]].sort_values("p_answer", ascending=False).head(WRONG)
    if not len(wrong):
        return blocks.note("Every picture was classified correctly.")
    if not report.shows_pictures:
        body = [[r.path, r.label, r.answer, number(r.p_answer, 2)] for r in _tuples(wrong)]
        return blocks.table(["picture", "label", "predicted", "probability"], body, HIDDEN)
    return _gallery(report, wrong, lambda r: (f"{r.label} → {r.answer}", f"probability {r.p_answer:.2f}"))


def shipped(report: Report) -> Block:
    """Scores of the shipped mood classifier on these pictures."""
    rows, remarks = report.rows(kinds.Score), report.rows(kinds.Remark).set_index("topic")["text"]
    if LEFT_OUT in remarks:
        return blocks.note(f"The shipped mood classifier was not applied: {remarks[LEFT_OUT]}.")
    own = rows[rows["model"] == DEFAULT_CLASSIFIER]
    trained = rows[rows["model"] == READER].set_index("metric")
    body = [[pretty(r.metric), interval(r), interval(trained.loc[r.metric])] for r in _tuples(own)]
    shown = blocks.table(
        ["score", DEFAULT_CLASSIFIER, NAMES[READER]],
        body,
        "The shipped model, and the classifier trained on these pictures (cross-validated).",
    )
    if MAY_KNOW in remarks:
        shown += blocks.note(
            "These pictures have the same counts as those that the shipped model was trained on. If they are "
            "the same ones, these scores are of its training data; its card has cross-validated scores.",
            warning=True,
        )
    return shown


def suspects(report: Report) -> Block:
    """Labels that may be wrong."""
    own = report.rows(kinds.Suspect)
    total, voted = len(own), bool(own["votes_answer"].notna().any())
    pictures = report.one(kinds.Collection).pictures
    lead = f"{total} of {pictures} labels are contradicted by the classifier's out-of-fold predictions."
    if voted and total:
        more = int((own["votes_answer"] > own["votes_label"]).sum())
        equal = int((own["votes_answer"] == own["votes_label"]).sum())
        lead += f" For {more} of them more raters named the prediction than the label (as many: {equal})."
    shown = blocks.note(
        f"{lead} These are pictures to look at again, not proven errors: a classifier that is often wrong "
        "contradicts many correct labels."
    )
    first = own.head(SUSPECTS)
    if not len(first):
        return shown
    if report.shows_pictures:
        return shown + _gallery(
            report,
            first,
            lambda r: (
                f"{r.label}, or {r.answer}?",
                f"label {r.p_label:.2f}, other {r.p_answer:.2f}"
                + (f"; raters {100 * r.votes_label:.0f} % and {100 * r.votes_answer:.0f} %" if voted else ""),
            ),
        )
    body = [
        [r.path, r.label, r.answer, number(r.p_label, 2), number(r.p_answer, 2)]
        + ([f"{100 * r.votes_label:.0f} %", f"{100 * r.votes_answer:.0f} %"] if voted else [])
        for r in _tuples(first)
    ]
    heads = ["picture", "label", "predicted", "p(label)", "p(predicted)"]
    return shown + blocks.table(
        heads + (["raters: label", "raters: predicted"] if voted else []), body, HIDDEN
    )


def expression(report: Report):
    """Figure: expression descriptors by class."""
    return _profile(report, DESCRIPTORS)


def properties(report: Report):
    """Figure: image properties by class."""
    return _profile(report, IMAGE_PROPERTIES)


def _profile(report: Report, names: Collection[str]):
    table = report.rows(kinds.Descriptor)
    own = table[table["descriptor"].isin(names)]
    if not len(own):
        return blocks.note(ABSENT)
    new = {"label": "class", "estimate": "mean", "deviation": "spread"}
    return descriptors.class_profile(own.rename(columns=new), report.classes)


def largest_differences(report: Report, names: Collection[str] = DESCRIPTORS, count: int = 6) -> Block:
    """The measures among ``names`` that differ most between classes, in their units."""
    found = []
    rows = report.rows(kinds.Descriptor)
    for name, own in rows[rows["descriptor"].isin(names)].groupby("descriptor", sort=False):
        deviation = own["deviation"].iloc[0]
        if deviation > 0:
            most, least = own.loc[own["estimate"].idxmax()], own.loc[own["estimate"].idxmin()]
            apart = most["low"] > least["high"]
            gap = (most["estimate"] - least["estimate"]) / deviation
            found.append((gap, apart, name, most, least))
    found.sort(key=lambda f: -f[0])
    body = [
        [
            pretty(name),
            f"{pretty(most['label'])} {_unit(most['estimate'], name)}",
            f"{pretty(least['label'])} {_unit(least['estimate'], name)}",
            f"{gap:.2f}",
            "yes" if apart else "no",
        ]
        for gap, apart, name, most, least in found[:count]
    ]
    heads = ["measure", "highest", "lowest", "difference in sd", "intervals disjoint"]
    return blocks.table(heads, body, "Largest differences between classes")


def _unit(value: float, name: str) -> str:
    unit = MEASURES[name].unit if name in MEASURES else ""
    if unit in ("", "1"):
        return f"{value:.3g}"
    return f"{value:.3g} ({unit})" if " " in unit else f"{value:.3g} {unit}"  # words are no unit to read on


def raters(report: Report) -> Block:
    """Agreement of the raters, and the upper bound that it sets for classifiers."""
    votes, scales = report.rows(kinds.VoteAgreement), report.rows(kinds.Scale)
    remarks = report.rows(kinds.Remark).set_index("topic")["text"]
    if not len(votes) and not len(scales):
        return blocks.note(remarks.get(UNRATED, ABSENT))
    shown = Block("", "")
    if len(votes):
        body = [
            [r.measure if not r.of else f"{r.measure} ({pretty(r.of)})", interval(r), f"{r.pictures}"]
            for r in _tuples(votes[~votes["of"].isin(report.classes)])
        ]
        shown += blocks.table(
            ["votes", "value", "pictures"],
            body,
            "Raters' votes for classes: their agreement, and the best score that a classifier can reach.",
        )
    if len(scales):
        body = [
            [
                pretty(r.column), r.pictures, r.raters or "–", number(r.mean, 2), number(r.sd, 2),
                interval(_Interval(r.alpha, r.alpha_low, r.alpha_high)), number(r.split_half),
                number(r.ceiling),
            ]
            for r in _tuples(scales)
        ]  # fmt: skip
        heads = ["scale", "pictures", "raters", "mean", "sd", "alpha", "reliability of the mean", "ceiling"]
        shown += blocks.table(
            heads,
            body,
            "Numeric ratings. Alpha is Krippendorff's; the ceiling is the highest correlation that any "
            "prediction can have with the mean rating.",
        )
        notes = [f"{pretty(r.column)}: {r.note}." for r in _tuples(scales) if r.note]
        shown += blocks.bullets(notes) if notes else Block("", "")
    return shown


class _Interval(NamedTuple):
    estimate: float
    low: float
    high: float


def scale_means(report: Report):
    """Figure: the mean rating of each class on every numeric scale; None without one."""
    table = report.rows(kinds.ScaleMean)
    if not len(table):
        return None
    names = {"column": "descriptor", "label": "class", "estimate": "mean"}
    return descriptors.class_averages(table.rename(columns=names), report.classes)


def places(report: Report):
    """Figure: the map of the pictures, with some thumbnails if pictures may be shown."""
    table = report.rows(kinds.Place)
    if not len(table):
        return blocks.note(ABSENT)
    shown = collection.spread(table["x"], table["y"]) if report.shows_pictures else []
    thumbnails = {row: report.picture(table["path"].iloc[row]) for row in shown}
    return collection.places(table, report.classes, thumbnails)


def heat_maps(report: Report) -> Block:
    """Pictures with heat maps of the evidence for the predicted class."""
    verdict = report.one(kinds.Verdict)
    trust = blocks.note(f"Faithfulness, measured on {verdict.pictures} pictures: {verdict.text}")
    if not report.shows_pictures:
        return trust + blocks.note(HIDDEN)
    entries = []
    for r in _tuples(report.rows(kinds.HeatMap)):
        right = "correct" if r.label == r.answer else "wrong"
        entries.append(
            GalleryEntry(
                [report.picture(r.path), report.output_image(r.file)],
                [f"{r.path}, {pretty(r.label)}", f"evidence for {pretty(r.answer)}"],
                f"{r.answer}, {right}",
                f"probability {r.p_answer:.2f}; label {r.label}",
                r.path,
            )
        )
    return trust + blocks.gallery(entries)


def faithfulness(report: Report):
    """Figure: every measure of the heat maps against controls that do not depend on the classifier."""
    table = report.rows(kinds.Faithfulness).assign(case=NAMES[READER], part="")
    return explanations.faithfulness_plot(table)


def redrawn(report: Report) -> Block:
    """A few pictures and their drawings."""
    rows = report.rows(kinds.Drawing)
    drift = rows["color_drift"].mean()
    note = blocks.note(
        f"Redrawn by {rows['style'].iloc[0]}, which was trained on scenes. Colours drift by {drift:.1f} "
        "(mean ΔE2000 after blurring; 2 is just visible side by side)."
    )
    if not report.shows_pictures:
        return note + blocks.note(HIDDEN)
    entries = [
        GalleryEntry(
            [report.picture(r.path), report.output_image(r.file)],
            [f"{r.path}, {pretty(r.label)}", "the same, redrawn"],
            pretty(r.label),
            f"colour drift {r.color_drift:.1f}",
            r.path,
        )
        for r in _tuples(rows)
    ]
    return note + blocks.gallery(entries)


def shift_table(report: Report) -> Block:
    """How often redrawing changes the predicted class."""
    changed = report.rows(kinds.Changed)
    if not len(changed):
        return blocks.note("One group only, so there is no interval.")
    row = 100 * changed.iloc[0]
    return blocks.note(
        f"On {row.estimate:.0f} % ({row.low:.0f} to {row.high:.0f}) of {report.one(kinds.Redrawn).pictures} "
        "pictures the predicted class changes when the picture is redrawn."
    )


def shift(report: Report):
    """Figure: change of the probability of each class."""
    table = report.rows(kinds.Shift).rename(columns={"label": "model"}).assign(metric="change of probability")
    return classification.metric_intervals(table, references={"change of probability": {"no change": 0.0}})


def transitions(report: Report):
    """Figure: predicted classes before and after."""
    classes = report.classes
    table = report.rows(kinds.Move).pivot(index="before", columns="after", values="pictures")
    counts = table.loc[classes, classes].to_numpy()
    total = counts.sum(1, keepdims=True)
    shares = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    named = [f"{c} ({n})" for c, n in zip(classes, total[:, 0], strict=True)]
    return moods.votes_heat_map(shares, named, classes, "predicted before", "predicted after")


def model_cards(report: Report) -> Block:
    """The models used in this report, from their cards."""
    shown = Block("", "")
    trained = report.table.parent / READER / f"{READER}.safetensors"
    applied = LEFT_OUT not in set(report.rows(kinds.Remark)["topic"])
    names = [*([trained] if trained.is_file() else []), *([DEFAULT_CLASSIFIER] if applied else [])]
    for name in [*names, *report.rows(kinds.Drawing)["style"].unique()]:
        try:
            found = card(name)
        except UnknownNameError:  # of an older report
            gone = {"What it is": "Weights that are no longer in the package."}
            shown += Block(f"<h4>{blocks.escape(name)}</h4>", name) + blocks.facts(gone)
            continue
        shown += Block(f"<h4>{blocks.escape(found.name)}</h4>") + blocks.facts(card_facts(found))
    return shown
