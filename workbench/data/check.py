"""Checks whether a folder of labelled pictures is fit to train on, and lists all problems on one card.

A *problem* would spoil training or its score (files that cannot be read, one picture under two labels, the
same picture in two groups, a class too small to be tested); a *note* is worth knowing. ``read_paintings``
stops at the first problem.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from workbench.core.errors import ImageError
from workbench.data import duplicates, painter_names, painters
from workbench.data.findings import SCROLL, SHOWN, SMALL, Findings, summary
from workbench.data.images import read_image
from workbench.data.paintings import Paintings, list_paintings

__all__ = ["DataCard", "SimilarPair", "check_dataset", "summary"]


class SimilarPair(NamedTuple):
    """Two pictures that look alike (see :mod:`workbench.data.duplicates`)."""

    first: str  # path
    second: str  # path
    similarity: float  # cosine in [-1, 1]; of what local features found, that of both as they lie
    same_class: bool
    same_group: bool
    keypoints: int  # local features that agree; 0: judged by the cosine alone

    @property
    def is_same(self) -> bool:
        """Whether both show one picture, and are not only alike as pictures of one series are."""
        return self.keypoints > 0 or self.similarity >= duplicates.SAME


@dataclasses.dataclass(frozen=True)
class DataCard:
    """Size, classes, groups and faults of a folder of labelled pictures, before anything is trained on it."""

    root: str
    pictures: int  # readable ones
    classes: dict[str, int]  # readable pictures per class
    grouped_by: str  # column of the table; empty if it names nobody: every picture is its own group
    groups: int
    largest_group: int  # pictures in the largest group
    groups_of_class: dict[str, int]  # number of groups with pictures of the class
    voted: bool  # whether the table has the raters' votes
    width: tuple[int, int, int]  # pixels: minimum, median, maximum; zeros without pictures
    height: tuple[int, int, int]
    small: int  # pictures whose shorter side is below SMALL pixels
    scrolls: tuple[str, ...]  # pictures at least SCROLL times as long as wide
    unreadable: dict[str, str]  # path -> reason
    missing: tuple[str, ...]  # rows of the table whose picture does not exist
    loose: tuple[str, ...]  # pictures beside the class folders
    empty: tuple[str, ...]  # class folders without pictures
    equal: tuple[tuple[str, ...], ...]  # byte-identical files
    same: tuple[SimilarPair, ...]  # one picture photographed twice, by cosine ≥ SAME or local features
    alike: tuple[SimilarPair, ...]  # as alike as pictures of one series (SAME > cosine ≥ SERIES)
    near_duplicates_checked: bool
    groups_if_joined: int  # number of groups if near-duplicates share one
    merged: tuple[painters.Replacement, ...]  # names of painters and classes that were replaced, and why
    understood: tuple[str, ...]  # how the folder or its table was understood, where it was not plain
    near_names: tuple[painter_names.NearName, ...]  # names that may be one painter's
    contradicted: tuple[str, ...]  # pictures whose label has fewer votes than another class
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no problem that would spoil training."""
        return not self.problems

    def to_dict(self) -> dict:
        """All fields as values that JSON can hold."""
        plain = dataclasses.asdict(self)
        for name in ("same", "alike", "merged", "near_names"):
            plain[name] = [pair._asdict() for pair in getattr(self, name)]
        return {"ok": self.ok, **plain}


def check_dataset(
    root: str | os.PathLike,
    ratings: str | os.PathLike | None = None,
    *,
    near_duplicates: bool = True,
    cache: Path | None = None,
    progress: bool = False,
    shown: int | None = SHOWN,
) -> DataCard:
    """Check every picture of a folder and report all problems.

    Args:
        root: folder with one sub-folder per class, or with a table (see ``read_paintings``).
        ratings: the table, if it is not ``ratings.csv`` in ``root``.
        near_duplicates: also compare the features of all pairs of pictures, and keypoints of the nearest: the
            first time about 0.2 s per picture on one core, 0.5 s per photograph of 12 megapixels.
        cache: a folder for the features, see ``turned_features``.
        progress: show progress bars.
        shown: examples that each problem or note lists; None for all, which the card's fields always have.

    Raises:
        DatasetError: the folder does not exist, or its table cannot be parsed.
    """
    listing = list_paintings(root, ratings)
    listed = listing.paintings
    twice = tuple(name for name, n in Counter(listed.paths).items() if n > 1)
    sizes, unreadable = _sizes(listed, progress)
    first = {name: i for i, name in reversed(list(enumerate(listed.paths))) if name not in unreadable}
    kept = sorted(first.values())
    data = listed.subset(kept)
    titles = [listing.titles[i] for i in kept] if listing.titles else None
    grouped_by = data.grouped_by if data.groups.tolist() != list(data.paths) else ""
    equal = duplicates.equal_files(data.root / path for path in data.paths)
    pairs = _near_duplicates(data, equal, cache, progress) if near_duplicates and len(data) > 1 else []
    joined = duplicates.merge_groups(data.groups, [*equal, *(p[:2] for p in pairs)])
    alike = [_describe(data, pair) for pair in pairs]
    counts = np.bincount(data.labels, minlength=len(data.classes))
    pixels = np.array([sizes[name] for name in data.paths], dtype=np.int64).reshape(-1, 2)
    short, long = (pixels.min(1), pixels.max(1)) if len(pixels) else (np.zeros(0), np.ones(0))
    card = DataCard(
        root=str(data.root),
        pictures=len(data),
        classes=dict(zip(data.classes, counts.tolist(), strict=True)),
        grouped_by=grouped_by,
        groups=len(set(data.groups.tolist())),
        largest_group=max(Counter(data.groups.tolist()).values(), default=0),
        groups_of_class=_groups_of_class(data),
        voted=data.votes is not None,
        width=_spread(pixels[:, 0]),
        height=_spread(pixels[:, 1]),
        small=int((short < SMALL).sum()),
        scrolls=tuple(np.array(data.paths, dtype=object)[long >= SCROLL * short].tolist()),
        unreadable=unreadable,
        missing=listing.missing,
        loose=listing.loose,
        empty=listing.empty,
        equal=tuple(tuple(data.paths[i] for i in members) for members in equal),
        same=tuple(pair for pair in alike if pair.is_same),
        alike=tuple(pair for pair in alike if not pair.is_same),
        near_duplicates_checked=near_duplicates,
        groups_if_joined=len(set(joined.tolist())),
        merged=listing.merged,
        understood=listing.notes,
        near_names=_near_names(data, titles) if grouped_by else (),
        contradicted=_contradicted(data),
    )
    torn = [m for m in equal if len(set(data.labels[list(m)])) > 1]
    divided = [m for m in equal if grouped_by and len(set(data.groups[list(m)])) > 1]
    equal_paths = [[tuple(data.paths[i] for i in m) for m in found] for found in (torn, divided)]
    findings = Findings(card, shown)
    return dataclasses.replace(card, problems=findings.problems(twice, *equal_paths), notes=findings.notes())


def _sizes(data: Paintings, progress: bool) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Width and height of each readable file, and the reason for each unreadable one."""
    sizes, broken = {}, {}
    for name in tqdm(dict.fromkeys(data.paths), desc="reading", unit="picture", disable=not progress or None):
        try:
            sizes[name] = read_image(data.root / name).size
        except ImageError as error:
            broken[name] = str(error)
    return sizes, broken


def _near_duplicates(
    data: Paintings, equal: list[tuple[int, ...]], cache: Path | None, progress: bool
) -> list[duplicates.Pair]:
    """Pairs that look alike and are no equal files, each once, those with keypoints that agree first."""
    features = duplicates.turned_features(data.root, data.paths, cache, progress)
    known = {frozenset(pair) for members in equal for pair in itertools.combinations(members, 2)}
    pairs = []
    sure = duplicates.same_paintings(data.root, data.paths, features, cache=cache, progress=progress)
    for pair in [*sure, *duplicates.similar_pairs(features)]:
        if frozenset(pair[:2]) not in known:
            known.add(frozenset(pair[:2]))
            pairs.append(pair)
    return pairs


def _near_names(data: Paintings, titles: list[str] | None) -> tuple[painter_names.NearName, ...]:
    """Of the groups that the table names; a picture that it gives no group is by somebody unknown."""
    names = [
        f"{painter_names.UNKNOWN[0]} ({path})" if name == path else name
        for name, path in zip(data.groups.tolist(), data.paths, strict=True)
    ]
    return tuple(painter_names.near_names(names, titles))


def _describe(data: Paintings, pair: duplicates.Pair) -> SimilarPair:
    i, j = pair.first, pair.second
    return SimilarPair(
        data.paths[i],
        data.paths[j],
        round(pair.similarity, 4),
        bool(data.labels[i] == data.labels[j]),
        bool(data.groups[i] == data.groups[j]),
        pair.keypoints,
    )


def _contradicted(data: Paintings) -> tuple[str, ...]:
    if data.votes is None:
        return ()
    own = data.votes[np.arange(len(data)), data.labels]
    return tuple(np.array(data.paths, dtype=object)[own < data.votes.max(1) - 1e-9].tolist())


def _groups_of_class(data: Paintings) -> dict[str, int]:
    return {name: len(set(data.groups[data.labels == i].tolist())) for i, name in enumerate(data.classes)}


def _spread(values: NDArray) -> tuple[int, int, int]:
    if not len(values):
        return 0, 0, 0
    return int(values.min()), int(np.median(values)), int(values.max())
