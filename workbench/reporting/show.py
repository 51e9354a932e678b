"""What the full report shows of its table: blocks and figures, in the order of its sections."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data.images import read_image
from workbench.interpret.descriptors import DESCRIPTORS
from workbench.models.weights import card
from workbench.plots import classification, descriptors, explanations, moods
from workbench.plots.style import pretty
from workbench.reporting import blocks, words
from workbench.reporting.blocks import Block, Shown
from workbench.reporting.full import READER, FullReport, shown_path
from workbench.reporting.looks import measures_table
from workbench.reporting.parts import BASELINE, MAJORITY, SCORES

WRONG = 8  # pictures shown of those that were read wrongly
SUSPECTS = 12  # likely label errors shown
PAIRS = 6  # most-confused pairs listed
NAMES = {  # of what is scored
    READER: "this report's reader",
    "linear_probe_squeezed": "linear probe, squeezed",
    BASELINE: "linear probe, same views",
    MAJORITY: "commonest class",
}
LOWER = ("ece", "log_loss", "log_loss_votes")  # less is better
HIDDEN = "The pictures themselves are left out of this report."


def number(value: float, digits: int = 3) -> str:
    """A score as text; – where there is none."""
    return "–" if value != value else f"{value:.{digits}f}"


def interval(row, digits: int = 3) -> str:
    """Estimate with its interval."""
    if row.low != row.low:
        return number(row.estimate, digits)
    return f"{row.estimate:.{digits}f} ({row.low:.{digits}f} to {row.high:.{digits}f})"


def data_card(report: FullReport) -> Block:
    """Counts, sizes, duplicates, problems."""
    rows = report.rows("data")
    count = rows.dropna(subset=["count"]).set_index("name")["count"]
    grouped = rows.loc[rows["name"] == "grouped by", "text"].iloc[0]
    width, height = (rows[rows["name"] == side].iloc[0] for side in ("width", "height"))
    values = {
        "Pictures": f"{count['pictures']:.0f}",
        "Groups": f"{count['groups']:.0f} by {grouped}, at most {count['largest group']:.0f} pictures each"
        if grouped
        else "none known: every picture counts as its own",
        "Size": f"{width.least_px:.0f} to {width.most_px:.0f} pixels wide (median {width.median_px:.0f}), "
        f"{height.least_px:.0f} to {height.most_px:.0f} high (median {height.median_px:.0f})",
        "Duplicates": f"{count['equal files']:.0f} equal files, "
        f"{count['one picture photographed twice']:.0f} photographed twice, "
        f"{count['pairs of one hand and motif']:.0f} pairs of one hand and motif",
        "Unreadable files": f"{count['unreadable files']:.0f}",
        "Long scrolls": f"{count['long scrolls']:.0f}",
        "Raters' votes": rows.loc[rows["name"] == "votes", "text"].iloc[0] or "none",
    }
    shown = blocks.facts(values)
    for kind, title in (("problem", "What would spoil a training"), ("note", "Worth knowing")):
        lines = [" ".join(text.split()) for text in rows.loc[rows["name"] == kind, "text"]]
        if lines:
            shown += Block(f"<h4>{title}</h4>", title) + blocks.bullets(lines)
    return shown


def class_counts(report: FullReport):
    """Figure: pictures and groups of each class."""
    rows = report.rows("data")
    own = rows[rows["name"] == "class"]
    grouped = rows.loc[rows["name"] == "grouped by", "text"].iloc[0]
    parts = [own.assign(mood=own["other"], what="pictures")]
    if grouped:
        parts.append(own.assign(mood=own["other"], what="groups", count=own["groups"]))
    return moods.counts(pd.concat(parts))


def score_table(report: FullReport) -> Block:
    """Scores of the reader and of what it is held against, with intervals."""
    rows = report.rows("scores")
    models = [m for m in NAMES if m in set(rows["other"])]
    body = []
    for metric in SCORES:
        own = rows[rows["name"] == metric].set_index("other")
        if len(own):
            cells = [interval(own.loc[m]) if m in own.index else "–" for m in models]
            body.append([f"{pretty(metric)} {'↓' if metric in LOWER else '↑'}", *cells])
    gains = [
        f"{pretty(r.name)} {r.estimate:+.3f} ({r.low:+.3f} to {r.high:+.3f})"
        for r in _tuples(rows[rows["other"] == f"{READER} - {BASELINE}"])
        if r.name in ("accuracy", "balanced_accuracy", "log_loss")
    ]
    shown = blocks.table(
        ["score", *(NAMES[m] for m in models)],
        body,
        "Mean, with 95 % intervals over groups; ↑ more is better.",
    )
    if gains:
        shown += blocks.note(f"Paired, the reader against the linear probe: {'; '.join(gains)}.")
    return shown


def _tuples(table: pd.DataFrame):
    return table.itertuples(index=False)


def scores(report: FullReport):
    """Figure: accuracy and balanced accuracy with intervals."""
    rows = report.rows("scores")
    own = rows[rows["name"].isin(["accuracy", "balanced_accuracy"])].copy()
    own = own[own["other"].isin(NAMES) & own["low"].notna()]
    floor = rows[rows["other"] == MAJORITY].set_index("name")["estimate"]
    references = {metric: {"commonest class": floor[metric]} for metric in own["name"].unique()}
    return classification.metric_intervals(
        own.assign(model=own["other"].map(NAMES), metric=own["name"]), references=references
    )


def confusion(report: FullReport):
    """Figure: the confusion matrix."""
    classes = report.classes
    rows = report.rows("scores")
    own = rows[rows["text"] == "confusion"]
    matrix = own.assign(name=own["name"].str.removeprefix("true ")).pivot(
        index="name", columns="other", values="count"
    )
    return classification.confusion(matrix.loc[classes, classes].to_numpy(), classes)


def confused_pairs(report: FullReport) -> Block:
    """The pairs of classes that are taken for each other most often."""
    rows = report.rows("scores")
    own = rows[rows["text"] == "confusion"]
    own = own.assign(true=own["name"].str.removeprefix("true "))
    support = own.groupby("true")["count"].sum()
    wrong = own[(own["true"] != own["other"]) & (own["count"] > 0)].sort_values("count", ascending=False)
    body = [
        [pretty(r.true), pretty(r.other), f"{r.count:.0f}", f"{100 * r.count / support[r.true]:.0f} %"]
        for r in _tuples(wrong[["true", "other", "count"]].rename_axis(None).head(PAIRS))
    ]
    if not body:
        return blocks.note("No picture was read as another class.")
    return blocks.table(["true class", "read as", "pictures", "of the class"], body, "Most-confused pairs")


def by_class(report: FullReport):
    """Figure: precision and recall of each class."""
    rows = report.rows("scores")
    own = rows[rows["name"].isin(["precision", "recall"])]
    return classification.per_class(own.assign(metric=own["name"], **{"class": own["other"]}))


def calibration(report: FullReport):
    """Figure: how far the stated probabilities can be believed."""
    own = report.rows("scores").query("name == 'bin'")
    edges = [*own["bin_from"], own["bin_to"].iloc[-1]]
    return classification.reliability(edges, own["count"], own["confidence"], own["share_right"])


def _gallery(report: FullReport, rows: pd.DataFrame, say) -> Block:
    entries = []
    for r in _tuples(rows):
        alt = f"{pretty(r.name)}, read as {pretty(r.other)}: {shown_path(r.path)}"
        entries.append(Shown([report.picture(r.path)], [alt], *say(r), shown_path(r.path)))
    return blocks.gallery(entries)


def most_wrong(report: FullReport) -> Block:
    """Pictures that were read wrongly with the greatest certainty."""
    rows = report.rows("scores")
    wrong = rows[rows["text"] == "wrong"].sort_values("p_read", ascending=False).head(WRONG)
    if not len(wrong):
        return blocks.note("Every picture was read rightly.")
    if not report.pictures:
        body = [[shown_path(r.path), r.name, r.other, number(r.p_read, 2)] for r in _tuples(wrong)]
        return blocks.table(["picture", "label", "read as", "probability"], body, HIDDEN)
    return _gallery(report, wrong, lambda r: (f"{r.name} → {r.other}", f"probability {r.p_read:.2f}"))


def shipped(report: FullReport) -> Block:
    """What the shipped mood classifier says."""
    rows = report.rows("shipped")
    if (rows["name"] == "left out").any():
        reason = rows.loc[rows["name"] == "left out", "text"].iloc[0]
        return blocks.note(f"The shipped mood classifier was not asked: {reason}.")
    own = rows[rows["other"] != ""]
    reader = report.rows("scores")
    reader = reader[reader["other"] == READER].set_index("name")
    body = [[pretty(r.name), interval(r), interval(reader.loc[r.name])] for r in _tuples(own)]
    shown = blocks.table(
        ["score", own["other"].iloc[0], NAMES[READER]],
        body,
        "The shipped model as it is, beside the reader trained on these pictures (cross-validated).",
    )
    if (rows["name"] == "warning").any():
        shown += blocks.note(
            "These pictures have the very counts of those that the shipped model was trained on. If they are "
            "those, its column here shows memory and no skill; its own card has the cross-validated numbers.",
            warning=True,
        )
    return shown


def suspects(report: FullReport) -> Block:
    """Labels that may be wrong."""
    rows = report.rows("suspects")
    total = int(rows.loc[rows["name"] == "suspects", "count"].iloc[0])
    own = rows[rows["path"] != ""]
    voted = own["votes_read"].notna().any()
    lead = f"{total} of {words.count(report, 'pictures')} labels are contradicted by the reader's answers."
    if voted and total:
        more = int((own["votes_read"] > own["votes_label"]).sum())
        equal = int((own["votes_read"] == own["votes_label"]).sum())
        lead += (
            f" On {more} of them more raters named the reader's class than the label's (as many on {equal})."
        )
    shown = blocks.note(
        f"{lead} A suspect is a picture to look at again, not an error: a reader that is often wrong "
        "suspects many good labels."
    )
    first = own.head(SUSPECTS)
    if not len(first):
        return shown
    if report.pictures:
        return shown + _gallery(
            report,
            first,
            lambda r: (
                f"{r.name}, or {r.other}?",
                f"label {r.p_label:.2f}, other {r.p_read:.2f}"
                + (f"; raters {100 * r.votes_label:.0f} % and {100 * r.votes_read:.0f} %" if voted else ""),
            ),
        )
    body = [
        [shown_path(r.path), r.name, r.other, number(r.p_label, 2), number(r.p_read, 2)]
        + ([f"{100 * r.votes_label:.0f} %", f"{100 * r.votes_read:.0f} %"] if voted else [])
        for r in _tuples(first)
    ]
    heads = ["picture", "label", "reader's class", "p(label)", "p(reader's)"]
    return shown + blocks.table(
        heads + (["raters: label", "raters: reader's"] if voted else []), body, HIDDEN
    )


def expression(report: FullReport):
    """Figure: expression descriptors by class."""
    rows = report.rows("expression")
    table = rows.rename(columns={"name": "descriptor", "other": "class", "estimate": "mean"})
    return descriptors.class_profile(table, report.classes)


def strongest(report: FullReport, count: int = 6) -> Block:
    """The descriptors that differ most between classes, in their units."""
    rows = report.rows("expression")
    found = []
    for name, own in rows.groupby("name", sort=False):
        spread = own["spread"].iloc[0]
        if spread > 0:
            most, least = own.loc[own["estimate"].idxmax()], own.loc[own["estimate"].idxmin()]
            apart = most["low"] > least["high"]
            gap = (most["estimate"] - least["estimate"]) / spread
            found.append((gap, apart, name, most, least))
    found.sort(key=lambda f: -f[0])
    body = [
        [
            pretty(name),
            f"{pretty(most['other'])} {_unit(most['estimate'], name)}",
            f"{pretty(least['other'])} {_unit(least['estimate'], name)}",
            f"{gap:.2f}",
            "yes" if apart else "no",
        ]
        for gap, apart, name, most, least in found[:count]
    ]
    heads = ["descriptor", "most", "least", "deviations between", "intervals apart"]
    return blocks.table(heads, body, "What differs most between the classes")


def _unit(value: float, name: str) -> str:
    unit = DESCRIPTORS[name].unit if name in DESCRIPTORS else ""
    return f"{value:.3g}" + (f" {unit}" if unit and unit != "1" else "")


def heat_maps(report: FullReport) -> Block:
    """Pictures with what spoke for the class that was named."""
    rows = report.rows("explanations")
    own = rows[rows["path"] != ""]
    verdict = rows[rows["name"] == "verdict"].iloc[0]
    trust = blocks.note(f"How far to trust it, judged on {verdict['count']:.0f} pictures: {verdict['text']}")
    if not report.pictures:
        return trust + blocks.note(HIDDEN)
    entries = []
    for r in _tuples(own):
        right = "rightly" if r.name == r.other else "wrongly"
        alt = f"{shown_path(r.path)}, {pretty(r.name)}"
        entries.append(
            Shown(
                [report.picture(r.path), read_image(report.out / r.text)],
                [alt, f"the same with what spoke for {pretty(r.other)}"],
                f"{r.other}, {right}",
                f"probability {r.p_read:.2f}; label {r.name}",
                shown_path(r.path),
            )
        )
    return trust + blocks.gallery(entries)


def faithfulness(report: FullReport):
    """Figure: every measure of the heat maps against controls that know nothing of the classifier."""
    return explanations.faithfulness_plot(measures_table(report.rows("explanations")))


def redrawn(report: FullReport) -> Block:
    """A few pictures and their drawings."""
    rows = report.rows("redrawn")
    drift = rows["color_drift"].mean()
    said = blocks.note(
        f"Redrawn by {rows['other'].iloc[0]}, which was trained on scenes. Colours drift by {drift:.1f} "
        "(mean ΔE2000 after blurring; 2 is just seen side by side)."
    )
    if not report.pictures:
        return said + blocks.note(HIDDEN)
    entries = [
        Shown(
            [report.picture(r.path), read_image(report.out / r.text)],
            [f"{shown_path(r.path)}, {pretty(r.name)}", "the same, redrawn"],
            pretty(r.name),
            f"colour drift {r.color_drift:.1f}",
            shown_path(r.path),
        )
        for r in _tuples(rows)
    ]
    return said + blocks.gallery(entries)


def shift_table(report: FullReport) -> Block:
    """How often redrawing changes what is read."""
    rows = report.rows("shift")
    changed = rows[rows["name"] == "changed"]
    pictures = rows[rows["name"] == "pictures"].iloc[0]
    if not len(changed):
        return blocks.note("One group only: there is no interval to give.")
    row = changed.iloc[0]
    return blocks.note(
        f"On {100 * row['estimate']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f}) of "
        f"{pictures['count']:.0f} pictures the class that is named changes when the picture is redrawn."
    )


def shift(report: FullReport):
    """Figure: how the probability of each class moves."""
    rows = report.rows("shift")
    own = rows[rows["name"] == "shift"]
    table = own.assign(model=own["other"], metric="change of probability")
    return classification.metric_intervals(table, references={"change of probability": {"no change": 0.0}})


def moves(report: FullReport):
    """Figure: what was read before and after."""
    rows = report.rows("shift")
    own = rows[rows["text"] == "moves"]
    own = own.assign(name=own["name"].str.removeprefix("before "))
    classes = report.classes
    counts = own.pivot(index="name", columns="other", values="count").loc[classes, classes].to_numpy()
    total = counts.sum(1, keepdims=True)
    shares = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    named = [f"{c} ({n:.0f})" for c, n in zip(classes, total[:, 0], strict=True)]
    return moods.votes_heat_map(shares, named, classes, "read before", "read after")


def model_cards(report: FullReport) -> Block:
    """The models that had a part in this report, from their cards."""
    shown = Block("", "")
    names = [] if report.drawn_only else [report.out / READER / f"{READER}.safetensors"]
    asked = not (report.rows("shipped")["name"] == "left out").any()
    names += ["mood_statistics"] if asked else []
    for name in [*names, "fsgan_pepper"]:
        found = card(name)
        values = {"What it is": found.description, "Architecture": found.architecture}
        if found.kind == "classifier":
            values["Trained on"] = (
                f"{found.training.get('data', '')}: {found.training.get('pictures', '')} pictures; "
                f"first weights: {found.training.get('initial_weights', '')}"
            )
            score = found.metrics.get("balanced_accuracy")
            if score:
                values["Measured"] = (
                    f"balanced accuracy {score['estimate']:.3f} ({score['low']:.3f} to {score['high']:.3f}); "
                    f"{found.metrics['split']}"
                )
        else:
            values["Trained on"] = f"{found.training.get('photos', '')}; {found.training.get('style', '')}"
            values["Measured"] = found.metrics["split"]
        values |= {"Limits": found.limitations, "Licence": found.licence}
        title = f"{found.name}: {found.title}"
        shown += Block(f"<h4>{blocks.escape(title)}</h4>", title) + blocks.facts(values)
    return shown
