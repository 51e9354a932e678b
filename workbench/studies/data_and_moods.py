"""What accuracy do the paintings and their raters allow?

Counts, painters and sizes; agreement of raters and the ceiling that their disagreement sets; means of
pleasure, arousal and dominance per mood; which moods raters confuse. Every interval is a bootstrap over
painters. The table has sums and means only, no values of single pictures.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from workbench.metrics import agreement
from workbench.metrics.bootstrap import bootstrap
from workbench.metrics.checks import weighted_mean
from workbench.studies.ratings import Ratings, read_ratings
from workbench.studies.study import TableStudy, collection_name, register

TOPICS = ("counts", "sizes", "agreement", "contradictions", "ceiling", "votes", "space")
CLEAR = 0.5  # of the raters: a picture on which half of them name one mood


class TopicRows:
    """Collects the rows of one topic: name, other, estimate, low, high, sd, pictures."""

    def __init__(self, groups: NDArray, samples: int, seed: int):
        self.groups, self.samples, self.seed = groups, samples, seed
        self.rows: list[dict] = []

    def number(self, name: str, value: float, other: str = "", pictures: int | None = None, **more) -> None:
        """A count or a number without an interval."""
        self._add(name, other, float(value), "", "", len(self.groups) if pictures is None else pictures, more)

    def interval(
        self, name: str, metric: Callable, *arrays, other: str = "", of: NDArray | None = None, **more
    ) -> None:
        """A metric with its interval over painters, on the pictures that ``of`` (N,) chooses."""
        keep = np.ones(len(self.groups), bool) if of is None else of
        chosen, groups = [np.asarray(a)[keep] for a in arrays], self.groups[keep]
        if len(np.unique(groups)) < 2:  # one painter: a value, but no spread
            self.number(
                name, float(metric(*chosen)) if keep.any() else np.nan, other, int(keep.sum()), **more
            )
            return
        is_share = metric is weighted_mean and chosen[0].dtype == bool
        shares = {"": len(np.unique(groups))} if is_share else None
        estimate, low, high = bootstrap(
            metric, *chosen, groups=groups, samples=self.samples, seed=self.seed, shares=shares
        )
        self._add(name, other, estimate, low, high, int(keep.sum()), more)

    def _add(self, name, other, estimate, low, high, pictures, more) -> None:
        interval = {"estimate": estimate, "low": low, "high": high}
        self.rows.append({"name": name, "other": other, **interval, "pictures": pictures, "sd": "", **more})


def counts(ratings: Ratings, rows: TopicRows) -> None:
    """Numbers of pictures and painters, and how well a painter's other pictures predict a picture's mood."""
    data = ratings.data
    for c, mood in enumerate(data.classes):
        own = data.labels == c
        rows.number("pictures", own.sum(), mood, int(own.sum()))
        if data.grouped:
            rows.number("painters", len(np.unique(data.groups[own])), mood, int(own.sum()))
    rows.number("pictures", len(data))
    rows.number("majority accuracy", np.bincount(data.labels).max() / len(data))
    if not data.grouped:
        return
    _, sizes = np.unique(data.groups, return_counts=True)
    rows.number("painters", len(sizes))
    rows.number("painters of one picture", (sizes == 1).sum())
    rows.number("most pictures of one painter", sizes.max())
    alone = np.isin(data.groups, np.unique(data.groups)[sizes == 1])
    if not alone.all():
        hits = _same_painter(data.labels, data.groups, len(data.classes))
        rows.interval("painter's other pictures, accuracy", weighted_mean, hits, of=~alone)
        base = (data.labels == np.bincount(data.labels).argmax()).astype(float)
        rows.interval("majority on the same pictures, accuracy", weighted_mean, base, of=~alone)


def _same_painter(labels: NDArray, groups: NDArray, num_classes: int) -> NDArray:
    """(N,) chance that the most frequent mood of a painter's *other* pictures is the label; ties share it."""
    codes = np.unique(groups, return_inverse=True)[1]
    hot = np.eye(num_classes)[labels]
    table = np.zeros((codes.max() + 1, num_classes))
    np.add.at(table, codes, hot)
    rest = table[codes] - hot
    top = rest == rest.max(1, keepdims=True)
    return (top & hot.astype(bool)).sum(1) / top.sum(1)


def sizes(ratings: Ratings, rows: TopicRows) -> None:
    """Short side in pixels and aspect ratio, which says how much a square crop loses."""
    data = ratings.data
    image_sizes = []
    for path in data.paths:
        with Image.open(data.root / path) as image:  # the header: pixels were checked when the data was read
            image_sizes.append(image.size)
    size = np.array(image_sizes)
    short, aspect = size.min(1), size.max(1) / size.min(1)
    for q in (5, 50, 95):
        rows.number(f"short side, {q} % quantile", np.percentile(short, q))
        rows.number(f"long side / short side, {q} % quantile", np.percentile(aspect, q))
    rows.interval("share longer than 2:1", weighted_mean, aspect > 2)
    rows.interval("share longer than 3:1", weighted_mean, aspect > 3)
    for c, mood in enumerate(data.classes):
        own = data.labels == c
        rows.number("long side / short side, 50 % quantile", np.median(aspect[own]), mood, int(own.sum()))


def agreement_of_raters(ratings: Ratings, rows: TopicRows) -> None:
    """How often two raters name the same mood, and how clearly the votes support the label."""
    data = ratings.data
    if data.votes is None:
        return
    shares, at_label = data.votes, data.votes[np.arange(len(data)), data.labels]
    rows.interval("share of the commonest mood", weighted_mean, shares.max(1))
    rows.interval(
        "pictures with half of the votes or more on one mood", weighted_mean, shares.max(1) >= CLEAR
    )
    rows.interval("pictures whose label has the most votes", weighted_mean, at_label >= shares.max(1) - 1e-9)
    rows.interval("entropy of the votes (nats)", weighted_mean, agreement.vote_entropy(shares))
    if ratings.counts is None:
        return
    n = ratings.counts
    rows.number("raters a picture", n.sum(1).mean() if ratings.raters is None else ratings.raters)
    if ratings.raters is not None:
        rows.interval("raters who named a mood", weighted_mean, n.sum(1) / ratings.raters)
    rows.interval("pictures with a tie", weighted_mean, (n == n.max(1, keepdims=True)).sum(1) > 1)
    two = n.sum(1) >= 2
    rows.interval("two raters agree", weighted_mean, agreement.pair_agreement(n), of=two)
    rows.interval("Fleiss kappa", agreement.fleiss_kappa, n, of=two)
    for c, mood in enumerate(data.classes):
        one = np.stack([n[:, c], n.sum(1) - n[:, c]], axis=1)
        rows.interval("Fleiss kappa", agreement.fleiss_kappa, one, other=mood, of=two)


def contradictions(ratings: Ratings, rows: TopicRows) -> None:
    """Pictures for whose label fewer raters voted than for another mood, by label and commonest vote."""
    data = ratings.data
    if data.votes is None:
        return
    at_label = data.votes[np.arange(len(data)), data.labels]
    lost, named = at_label < data.votes.max(1) - 1e-9, data.votes.argmax(1)
    rows.number("pictures", lost.sum())
    if lost.any():
        rows.number("mean lead of the commonest vote", (data.votes.max(1) - at_label)[lost].mean())
    for c, mood in enumerate(data.classes):
        for k, other in enumerate(data.classes):
            if c != k:
                rows.number(f"label {mood}", (lost & (data.labels == c) & (named == k)).sum(), other)


def ceiling(ratings: Ratings, rows: TopicRows) -> None:
    """Scores of guessing, of one more rater and of the best possible predictor against the labels."""
    data, n = ratings.data, ratings.counts
    rows.number("majority class", np.bincount(data.labels).max() / len(data), "accuracy")
    rows.number("majority class", 1 / len(data.classes), "balanced accuracy")
    if n is None or n.sum(1).min() < 2:  # the others' majority needs others
        return
    reached = {
        "one more rater, against the others' majority": (agreement.rater_against_majority(n), n.argmax(1)),
        "one rater, against the label": (agreement.model_agreement(data.labels, n), data.labels),
        "best predictor, against the commonest vote": (agreement.ceiling(n, seed=rows.seed), n.argmax(1)),
        "best predictor, against the label": (agreement.ceiling(n, data.labels, seed=rows.seed), data.labels),
    }
    if n.sum(1).min() >= 4:
        reached["half of the raters, against the other half"] = (
            agreement.split_half(n, seed=rows.seed),
            n.argmax(1),
        )
    for name, (hits, labels) in reached.items():
        rows.interval(name, weighted_mean, hits, other="accuracy")
        rows.interval(name, _class_mean, hits, labels, other="balanced accuracy")
    hits = reached["best predictor, against the label"][0]
    for c, mood in enumerate(data.classes):
        rows.interval(
            "best predictor, against the label", weighted_mean, hits, other=mood, of=data.labels == c
        )
    assert data.votes is not None  # as there are counts
    clear = data.votes.max(1) >= CLEAR
    rows.interval(
        "best predictor, half of the votes or more", weighted_mean, hits, other="accuracy", of=clear
    )


def _class_mean(hits: NDArray, labels: NDArray, weights: NDArray | None = None):
    """Mean over classes of the mean of ``hits``: balanced accuracy from probabilities of being right."""
    means = [
        weighted_mean(hits, (labels == c) * (1.0 if weights is None else weights)) for c in np.unique(labels)
    ]
    mean = np.nanmean(means, axis=0)
    return float(mean) if weights is None else mean


def votes(ratings: Ratings, rows: TopicRows) -> None:
    """Votes for pictures of each label, and what a second rater names given the mood of the first."""
    data = ratings.data
    if data.votes is None:
        return
    for c, mood in enumerate(data.classes):
        own = data.labels == c
        for k, named in enumerate(data.classes):
            rows.interval(f"votes, label {mood}", weighted_mean, data.votes[:, k], other=named, of=own)
    if ratings.counts is not None:
        table = agreement.rater_confusion(ratings.counts)
        for c, mood in enumerate(data.classes):
            for k, named in enumerate(data.classes):
                rows.number(f"second rater, first {mood}", table[c, k], named)


def space(ratings: Ratings, rows: TopicRows) -> None:
    """Means of the feelings per mood, their correlations, and the variance that the mood explains.

    Pictures without a rating are left out of what needs it.
    """
    data, feelings = ratings.data, ratings.feelings
    rated = {name: ~np.isnan(values) for name, values in feelings.items()}
    for c, mood in enumerate(data.classes):
        own = data.labels == c
        for name, values in feelings.items():
            known = own & rated[name]
            spread = float(values[known].std(ddof=1)) if known.sum() > 1 else np.nan
            rows.interval(f"mean, {mood}", weighted_mean, values, other=name, of=known, sd=spread)
        for first, second in itertools.combinations(feelings, 2):
            known = own & rated[first] & rated[second]
            r = np.corrcoef(feelings[first][known], feelings[second][known])[0, 1]
            rows.number(f"correlation, {mood}", r, f"{first} {second}", int(known.sum()))
    for first, second in itertools.combinations(feelings, 2):
        pair, both = (feelings[first], feelings[second]), rated[first] & rated[second]
        rows.interval("correlation", _correlation, *pair, other=f"{first} {second}", of=both)
    for name, values in feelings.items():
        explained = "variance that the label explains"
        rows.interval(explained, _eta_squared, values, data.labels, other=name, of=rated[name])


def _correlation(x: NDArray, y: NDArray, weights: NDArray | None = None):
    def mean(values):
        return weighted_mean(values, weights)

    covariance = mean(x * y) - mean(x) * mean(y)
    return covariance / np.sqrt((mean(x * x) - mean(x) ** 2) * (mean(y * y) - mean(y) ** 2))


def _eta_squared(values: NDArray, labels: NDArray, weights: NDArray | None = None):
    """Share of variance between classes: 1 - (mean squared distance to the class's mean) / variance."""
    weights = np.ones(len(values)) if weights is None else weights
    total = weighted_mean(values**2, weights) - weighted_mean(values, weights) ** 2
    between = 0.0
    for c in np.unique(labels):
        own = (labels == c) * weights
        mean = np.nan_to_num(weighted_mean(values, own))
        between = between + own.sum(-1) / weights.sum(-1) * (mean - weighted_mean(values, weights)) ** 2
    return between / total


_MEASURES = dict(
    zip(TOPICS, (counts, sizes, agreement_of_raters, contradictions, ceiling, votes, space), strict=True)
)


@register
@dataclasses.dataclass(frozen=True)
class DataAndMoods(TableStudy):
    """What accuracy do the paintings and their raters allow?

    A topic for which the data has no columns (votes, feelings) has no rows.
    """

    keys = ("data", "topic", "seed")
    sources = ("data", "ratings")

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    ratings: str = ""  # the table of a folder, if it is not its ratings.csv
    samples: int = 2000  # of the bootstrap over painters
    seed: int = 0  # of the bootstrap and the posterior draws

    def plan(self) -> list[dict]:
        name = collection_name(self.data)
        return [{"data": name, "topic": topic, "seed": self.seed} for topic in TOPICS]

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        ratings = read_ratings(self.data, self.ratings or None)

        def describe(data: str, topic: str, seed: int) -> list[dict]:
            rows = TopicRows(ratings.data.groups, self.samples, seed)
            _MEASURES[topic](ratings, rows)
            return rows.rows

        return describe


def read(path: str | Path) -> pd.DataFrame:
    """The table of the study, empty cells of the text columns as ""."""
    table = pd.read_csv(path, keep_default_na=True)
    return table.assign(other=table["other"].fillna(""))


def select(table: pd.DataFrame, topic: str, prefix: str = "", **columns: str) -> pd.DataFrame:
    """Rows of a topic whose name starts with ``prefix``, with columns renamed for a plot.

    Args:
        table: of :func:`read`.
        topic: one of :data:`TOPICS`.
        prefix: removed from the names, e.g. "mean, ".
        columns: old name -> new name, e.g. ``name="mood"``.
    """
    rows = table[(table["topic"] == topic) & table["name"].str.startswith(prefix)]
    rows = rows.assign(name=rows["name"].str.removeprefix(prefix))
    return rows.rename(columns=columns).reset_index(drop=True)


def matrix(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """The votes under names that start with ``prefix`` as a square table of shares."""
    rows = select(table, "votes", prefix)
    moods = list(dict.fromkeys(rows["other"]))
    return rows.pivot(index="name", columns="other", values="estimate").reindex(index=moods, columns=moods)
