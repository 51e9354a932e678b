"""The full report in plain words: its main results and its limits."""

from __future__ import annotations

from workbench.plots.style import pretty
from workbench.reporting import blocks
from workbench.reporting.blocks import Block
from workbench.reporting.full import Report
from workbench.studies.report_rows import Changed, Class, ClassScore, Collection, Score, Suspect
from workbench.studies.report_scores import MAJORITY, READER

FEW_GROUPS = 30  # below which an interval over groups is itself uncertain
FEW_PICTURES = 30  # of a class


def headline(report: Report) -> Block:
    """The main numbers, and their meaning in two sentences."""
    scores = report.rows(Score)
    own = scores[scores["model"] == READER].set_index("metric")
    floor = scores[scores["model"] == MAJORITY].set_index("metric")["estimate"]
    accuracy, balanced = own.loc["accuracy"], own.loc["balanced_accuracy"]
    folder, changed = report.one(Collection), report.rows(Changed)
    values = {
        f"pictures in {len(report.classes)} classes and {folder.groups} groups": f"{folder.pictures}",
        f"accuracy on unseen groups (95 %: {accuracy['low']:.2f} to {accuracy['high']:.2f}); "
        f"always naming the largest class gives {floor['accuracy']:.2f}": f"{accuracy['estimate']:.2f}",
        f"balanced accuracy ({balanced['low']:.2f} to {balanced['high']:.2f}); chance is "
        f"{floor['balanced_accuracy']:.2f}": f"{balanced['estimate']:.2f}",
        "labels worth a second look": f"{len(report.rows(Suspect))}",
    }
    if len(changed):
        values["of the predictions change when the picture is redrawn"] = (
            f"{100 * changed['estimate'].iloc[0]:.0f} %"
        )
    return blocks.big_numbers(values) + Block(f"<p>{blocks.escape(sentence(report))}</p>", sentence(report))


def sentence(report: Report) -> str:
    """Whether the classes can be told apart, and which best and worst."""
    scores = report.rows(Score)
    own = scores[scores["model"] == READER].set_index("metric")
    floor = scores[scores["model"] == MAJORITY].set_index("metric")["estimate"]
    low = own.loc["balanced_accuracy", "low"]
    if low > floor["balanced_accuracy"]:
        text = "The classes can be told apart better than by chance, in pictures of groups never seen before."
    else:
        text = (
            "These pictures do not show whether the classes can be told apart better than by chance: "
            "the interval includes chance."
        )
    by_class = report.rows(ClassScore)
    recall = by_class[by_class["metric"] == "recall"].dropna(subset=["estimate"])
    best, worst = recall.loc[recall["estimate"].idxmax()], recall.loc[recall["estimate"].idxmin()]
    return (
        f"{text} Recognised best: {pretty(best['label'])} ({100 * best['estimate']:.0f} % of its pictures); "
        f"worst: {pretty(worst['label'])} ({100 * worst['estimate']:.0f} %)."
    )


def limits(report: Report) -> Block:
    """Limits of the numbers of this folder."""
    folder, classes = report.one(Collection), report.rows(Class)
    lines = [
        "A class is what the labels say. If they are moods that people named, a classifier learns what "
        "people see in a picture: a trace of the painter's psychology, never a diagnosis of anybody.",
        "Everything was measured on this one folder. Pictures of another kind may be classified "
        "wrongly, with high probabilities.",
        "The classifier of this report is of one kind (a linear layer on frozen networks, chosen because "
        "it is quick and does well on few pictures); its settings are defaults, not chosen on this folder.",
    ]
    if not folder.grouped_by:
        lines.append(
            "No painters or series are known, so pictures by one painter may lie on both sides of a split: "
            "the scores may be too good. Give a table with a painter column, or --group-by near-duplicates."
        )
    elif folder.groups < FEW_GROUPS:
        lines.append(
            f"There are {folder.groups} groups only: the intervals, which are over groups, are "
            "themselves uncertain."
        )
    few = classes[classes["pictures"] < FEW_PICTURES]
    if len(few):
        names = ", ".join(f"{pretty(r.label)} ({r.pictures})" for r in few.itertuples())
        lines.append(f"Classes with fewer than {FEW_PICTURES} pictures are poorly measured: {names}.")
    lines += [
        "Resampling raises the calibration error (ECE), so its interval is biased upwards.",
        "A heat map shows what one layer of one of the classifier's two networks responds to. "
        "How faithful it is to the classifier is stated beside it.",
        "The effect of redrawing is measured with this classifier. People may see it differently.",
    ]
    return blocks.bullets(lines)
