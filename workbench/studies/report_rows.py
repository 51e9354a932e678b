"""Rows of the full report: a type for every kind of row. A column has the same meaning in all of them.

``label`` is the class that a picture has by its label and ``answer`` the one that the classifier gives;
``low`` and ``high`` bound the 95 % interval of ``estimate``, over groups; ``file`` is relative to the table.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

KIND = "kind"  # column of a row's type
PROBLEM, NOTE = "problem", "note"  # topics of remarks: problems for training, other notes
LEFT_OUT, MAY_KNOW = "shipped left out", "shipped may know"  # why the shipped classifier was not asked, …
UNRATED = "no ratings"  # why raters have no chapter


class Collection(NamedTuple):
    """The folder as a whole; one row."""

    name: str
    grouped_by: str  # "" if every picture is its own group
    voted: bool  # whether the table has the raters' votes
    pictures: int
    groups: int
    largest_group: int  # pictures
    folds: int  # of the cross-validation
    unreadable_files: int
    rows_without_picture: int
    equal_files: int
    same_pictures: int  # pairs of photographs of one picture
    alike_pictures: int  # pairs as alike as pictures of one series
    groups_if_joined: int  # if all of these were
    long_scrolls: int
    small_pictures: int


class Class(NamedTuple):
    """A class of the folder."""

    label: str
    pictures: int
    groups: int


class Side(NamedTuple):
    """Width or height of the pictures."""

    side: str
    median_px: float
    least_px: float
    most_px: float


class Remark(NamedTuple):
    """A sentence about the folder or about a part of the report."""

    topic: str  # one of the topics above
    text: str


class Score(NamedTuple):
    """A score of a classifier over all pictures."""

    model: str
    metric: str
    estimate: float
    low: float = float("nan")
    high: float = float("nan")


class Gain(NamedTuple):
    """The paired difference of two classifiers' scores."""

    model: str
    baseline: str
    metric: str
    difference: float
    difference_low: float
    difference_high: float


class ClassScore(NamedTuple):
    """Precision or recall of a class."""

    label: str
    metric: str
    estimate: float
    low: float
    high: float


class Confusion(NamedTuple):
    """How many pictures of a class were given an answer."""

    label: str
    answer: str
    pictures: int


class Answer(NamedTuple):
    """The answer for a picture, from classifiers that were not trained on it."""

    path: str
    label: str
    answer: str
    p_answer: float
    p_label: float


class Bin(NamedTuple):
    """A bin of the reliability diagram."""

    bin_from: float
    bin_to: float
    pictures: int
    confidence: float  # mean probability of the answers
    share_right: float


class Suspect(NamedTuple):
    """A picture whose label may be wrong; the votes are shares of the raters, nan without votes."""

    path: str
    label: str
    answer: str
    p_answer: float
    p_label: float
    votes_answer: float = float("nan")
    votes_label: float = float("nan")


class Descriptor(NamedTuple):
    """Mean of a measure in a class: a descriptor of expression or an image property."""

    descriptor: str
    label: str
    estimate: float
    low: float
    high: float
    deviation: float  # standard deviation over all pictures of the folder
    pictures: int


class Scale(NamedTuple):
    """How far raters agree on a numeric scale; nan where their own answers are not known."""

    column: str
    pictures: int
    raters: int  # 0 if the table has one row per picture
    mean: float
    sd: float
    alpha: float  # Krippendorff's
    alpha_low: float
    alpha_high: float
    split_half: float  # reliability of the mean over raters
    ceiling: float  # greatest correlation that any predictor can have with that mean
    note: str


class ScaleMean(NamedTuple):
    """Mean rating of the pictures of a class on a numeric scale."""

    column: str
    label: str
    estimate: float
    low: float
    high: float
    pictures: int


class VoteAgreement(NamedTuple):
    """How far raters agree on the class of a picture, and what that allows a classifier to reach."""

    measure: str
    of: str  # a class or a score; "" for all
    estimate: float
    low: float
    high: float
    pictures: int


class Place(NamedTuple):
    """Where a picture lies on the map, x and y in [0, 1]; pictures that look alike lie side by side."""

    path: str
    label: str
    x: float
    y: float


class HeatMap(NamedTuple):
    """A picture with a heat map of the evidence for the answer."""

    path: str
    label: str
    answer: str
    p_answer: float
    file: str


class Verdict(NamedTuple):
    """How far the heat maps can be trusted; one row."""

    pictures: int
    text: str


class Faithfulness(NamedTuple):
    """A measure of heat maps on this folder's classifier."""

    method: str
    measure: str
    estimate: float
    low: float
    high: float


class Drawing(NamedTuple):
    """A picture that was redrawn."""

    path: str
    label: str
    style: str
    color_drift: float  # mean ΔE2000 after blurring
    file: str


class Redrawn(NamedTuple):
    """The pictures that were classified before and after they were redrawn; one row."""

    pictures: int
    groups: int


class Changed(NamedTuple):
    """Share of them with another answer afterwards; one row, and none if all are of one group."""

    estimate: float
    low: float
    high: float


class Shift(NamedTuple):
    """How redrawing changes the mean probability of a class."""

    label: str
    estimate: float
    low: float
    high: float


class Move(NamedTuple):
    """How many pictures had one answer before and another after redrawing."""

    before: str
    after: str
    pictures: int


def to_rows(items: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows of the table: the fields of each item beside its kind."""
    return [{KIND: type(item).__name__, **item._asdict()} for item in items]


def of_kind(kind: type, rows: Iterable[Mapping[str, str]]) -> pd.DataFrame:
    """The rows of one kind, with its fields as columns, in their types."""
    own = [row for row in rows if row[KIND] == kind.__name__]
    fields = typing.get_type_hints(kind)
    return pd.DataFrame({name: [_READ[kept](row[name]) for row in own] for name, kept in fields.items()})


_READ: dict[type, Any] = {str: str, int: int, float: float, bool: "True".__eq__}
