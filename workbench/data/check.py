"""Checks whether a folder of labelled pictures is fit to train on, and lists all problems on one card.

A *problem* would spoil training or its score (files that cannot be read, one picture under two labels, the
same picture in two groups, a class too small to be tested); a *note* is worth knowing. ``read_paintings``
stops at the first problem.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from workbench.core.errors import ImageError
from workbench.data import duplicates, painters
from workbench.data.images import read_image
from workbench.data.paintings import NEAR_DUPLICATES, Paintings, list_paintings

log = logging.getLogger(__name__)

SCROLL = 3.0  # aspect ratio (longer side / shorter side) from which a picture is a long scroll
SMALL = 224  # pixels; with a shorter side below this, brushwork is lost
IMBALANCE = 10.0  # ratio of the largest class to the smallest from which accuracy alone misleads
FOLDS = 5  # a class in fewer groups is missing from some folds of a five-fold cross-validation
_LONGEST = 120  # characters of a name that are shown
SHOWN = 5  # examples listed per problem or note


class SimilarPair(NamedTuple):
    """Two pictures that look alike (see :mod:`workbench.data.duplicates`)."""

    first: str  # path
    second: str  # path
    similarity: float  # cosine in [-1, 1]
    same_class: bool
    same_group: bool
    keypoints: int  # local features that agree; 0: judged by the cosine alone

    @property
    def is_same(self) -> bool:
        """Whether both show one picture, not just the same maker and motif."""
        return self.keypoints > 0 or self.similarity >= duplicates.SAME


@dataclasses.dataclass(frozen=True)
class DataCard:
    """Size, classes, groups and faults of a folder of labelled pictures, before anything is trained on it."""

    root: str
    pictures: int  # readable ones
    classes: dict[str, int]  # readable pictures per class
    grouped_by: str  # column of the table; empty if every picture is its own group
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
    alike: tuple[SimilarPair, ...]  # same maker and motif (SAME > cosine ≥ SERIES)
    near_duplicates_checked: bool
    groups_if_joined: int  # number of groups if near-duplicates share one
    merged: tuple[painters.Replacement, ...]  # names of painters and classes that were replaced, and why
    understood: tuple[str, ...]  # how the folder or its table was understood, where it was not plain
    near_names: tuple[tuple[str, str], ...]  # names that may be one painter's
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
        for name in ("same", "alike", "merged"):
            plain[name] = [pair._asdict() for pair in getattr(self, name)]
        return {"ok": self.ok, **plain}


def check_dataset(
    root: str | os.PathLike,
    ratings: str | os.PathLike | None = None,
    *,
    near_duplicates: bool = True,
    cache: Path | None = None,
    progress: bool = False,
) -> DataCard:
    """Check every picture of a folder and report all problems.

    Args:
        root: folder with one sub-folder per class, or with a table (see ``read_paintings``).
        ratings: the table, if it is not ``ratings.csv`` in ``root``.
        near_duplicates: also compare the features of all pairs of pictures (about 0.5 s per picture).
        cache: a folder for the features, see ``turned_features``.
        progress: show progress bars.

    Raises:
        DatasetError: the folder does not exist, or its table cannot be parsed.
    """
    listing = list_paintings(root, ratings)
    listed = listing.paintings
    twice = tuple(name for name, n in Counter(listed.paths).items() if n > 1)
    sizes, unreadable = _sizes(listed, progress)
    seen: set[str] = set()
    kept = []
    for i, name in enumerate(listed.paths):
        if name not in unreadable and name not in seen:
            kept.append(i)
            seen.add(name)
    data = listed.subset(kept)
    equal = duplicates.equal_files(data.root / path for path in data.paths)
    pairs = []
    if near_duplicates and len(data) > 1:
        features = duplicates.turned_features(data.root, data.paths, cache, progress)
        equal_pairs = {frozenset((a, b)) for members in equal for a in members for b in members if a < b}
        repeated = set(equal_pairs)
        sure = duplicates.same_paintings(data.root, data.paths, features, cache=cache, progress=progress)
        repeated |= {frozenset(p[:2]) for p in sure}
        pairs = [p for p in sure if frozenset(p[:2]) not in equal_pairs]
        pairs += [p for p in duplicates.similar_pairs(features) if frozenset(p[:2]) not in repeated]
    joined = duplicates.merge_groups(data.groups, [*equal, *(p[:2] for p in pairs)])
    alike = [_describe(data, pair) for pair in pairs]
    counts = np.bincount(data.labels, minlength=len(data.classes))
    pixels = np.array([sizes[name] for name in data.paths], dtype=np.int64).reshape(-1, 2)
    short, long = (pixels.min(1), pixels.max(1)) if len(pixels) else (np.zeros(0), np.ones(0))
    card = DataCard(
        root=str(data.root),
        pictures=len(data),
        classes=dict(zip(data.classes, counts.tolist(), strict=True)),
        grouped_by=data.grouped_by,
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
        near_names=tuple(painters.near_names(data.groups.tolist())) if data.grouped else (),
        contradicted=_contradicted(data),
    )
    torn = [m for m in equal if len(set(data.labels[list(m)])) > 1]
    divided = [m for m in equal if data.grouped and len(set(data.groups[list(m)])) > 1]
    equal_paths = [[tuple(data.paths[i] for i in m) for m in found] for found in (torn, divided)]
    return dataclasses.replace(card, problems=_problems(card, twice, *equal_paths), notes=_notes(card))


def _problems(card: DataCard, twice: tuple, torn: list, divided: list) -> tuple[str, ...]:
    problems = []
    if card.unreadable:
        problems.append(f"{_count(card.unreadable, 'file')} cannot be read: {_some(card.unreadable)}")
    if twice:
        problems.append(f"{_count(twice, 'picture')} listed twice in the table: {_some(twice)}")
    if card.loose:
        problems.append(f"{_count(card.loose, 'picture')} beside the class folders: {_some(card.loose)}")
    if card.empty:
        problems.append(f"class folders without pictures: {_some(card.empty)}")
    if not card.pictures and card.loose and not card.unreadable:
        return (*problems, "no picture has a class: make a folder for each class, or a table (ratings.csv)")
    if not card.pictures:
        return (*problems, "no picture that can be read")
    if len(card.classes) < 2:
        problems.append(f"one class only ({next(iter(card.classes))}): there is nothing to learn")
    for name, n in card.classes.items():
        groups = card.groups_of_class[name]
        if n < 2:
            problems.append(f"class {name} has {_count(n, 'picture')}: it can be learned or tested, not both")
        elif groups < 2:
            problems.append(
                f"class {name} lies in one group of {card.grouped_by}: it can be learned or tested, not both"
            )
    if _mixed_up(card):
        problems.append(
            f"{len(card.contradicted)} of {_count(card.pictures, 'picture')} have a label for which fewer "
            f"raters voted than for another (are columns of votes mixed up?): {_some(card.contradicted)}"
        )
    if torn:
        problems.append(f"{_count(torn, 'picture')} under two labels (equal files): {_some(map(_and, torn))}")
    if divided:
        problems.append(
            f"{_count(divided, 'picture')} in two groups (equal files): {_some(map(_and, divided))}"
        )
    labels = [pair for pair in card.same if not pair.same_class]
    if labels:
        problems.append(f"{_count(labels, 'picture')} shown twice, under two labels: {_pairs(labels)}")
    leaks = [pair for pair in card.same if pair.same_class and not pair.same_group]
    if leaks:
        problems.append(
            f"{_count(leaks, 'picture')} shown twice, in two groups: a split between them leaks "
            f'(group by "{NEAR_DUPLICATES}"): {_pairs(leaks)}'
        )
    return tuple(problems)


def _mixed_up(card: DataCard) -> bool:
    """Whether the votes speak against most labels."""
    return 2 * len(card.contradicted) > card.pictures


def _notes(card: DataCard) -> tuple[str, ...]:
    notes = list(card.understood)
    if card.missing:
        notes.append(f"{_count(card.missing, 'row')} of the table without a picture: {_some(card.missing)}")
    if card.equal:
        notes.append(f"{_count(card.equal, 'picture')} there more than once: {_some(map(_and, card.equal))}")
    apart = [pair for pair in card.alike if not pair.same_group]
    if apart:
        notes.append(
            f"{_count(apart, 'pair')} by one maker with one motif in two groups "
            f"({sum(not pair.same_class for pair in apart)} across classes); grouping by "
            f'"{NEAR_DUPLICATES}" leaves {card.groups_if_joined} of {card.groups} groups: {_pairs(apart)}'
        )
    if card.merged:
        lines = "".join(f"\n      {m.name} = {m.painter} ({m.reason})" for m in card.merged[:SHOWN])
        more = "\n      …" * (len(card.merged) > SHOWN)
        notes.append(
            f"{_count(card.merged, 'name')} replaced, so that a painter or class has one: {lines}{more}"
        )
    if card.near_names:
        notes.append(
            f"{_count(card.near_names, 'pair')} of names that may be one painter's: "
            f"{_some(f'{a} ~ {b}' for a, b in card.near_names)}"
        )
    if card.contradicted and not _mixed_up(card):
        notes.append(
            f"{_count(card.contradicted, 'picture')} for whose label fewer raters voted than for another: "
            f"{_some(card.contradicted)}"
        )
    if not card.grouped_by:
        notes.append("no painters are known: scores over plain folds may be too good")
    sizes = [n for n in card.classes.values() if n]
    if sizes and max(sizes) >= IMBALANCE * min(sizes):
        notes.append(
            f"classes from {min(sizes)} to {max(sizes)} pictures: read balanced accuracy, not accuracy"
        )
    few = [name for name, n in card.groups_of_class.items() if 2 <= n < FOLDS]
    if few:
        notes.append(f"in fewer than {FOLDS} groups, so missing from some of {FOLDS} folds: {_some(few)}")
    if card.scrolls:
        notes.append(
            f"{_count(card.scrolls, 'long scroll')} ({SCROLL:g} : 1 or longer), which squeezing spoils: "
            f"{_some(card.scrolls)}"
        )
    if card.small:
        notes.append(f"{_count(card.small, 'picture')} with a shorter side below {SMALL} pixels")
    return tuple(notes)


def summary(card: DataCard) -> str:
    """The card as text for a terminal."""
    lines = [f"{card.root}: {_count(card.pictures, 'picture')} of {_count(card.classes, 'class')}"]
    width = max((len(name) for name in card.classes), default=0)
    for name, n in card.classes.items():
        share = n / card.pictures if card.pictures else 0.0
        groups = f" in {_count(card.groups_of_class[name], 'group')}" if card.grouped_by else ""
        lines.append(f"  {name.ljust(width)}  {n:5d}  {share:6.1%}{groups}")
    if card.grouped_by:
        groups = _count(card.groups, "group")
        lines.append(f"grouped by {card.grouped_by}: {groups}, the largest has {card.largest_group}")
    if card.pictures:
        (w, x, y), (h, i, j) = card.width, card.height
        lines.append(f"width {w} to {y} pixels (median {x}), height {h} to {j} (median {i})")
    if card.voted:
        lines.append("the table has the raters' votes")
    if not card.near_duplicates_checked:
        lines.append("near-duplicates were not looked for")
    for title, found in (("PROBLEMS", card.problems), ("notes", card.notes)):
        if found:
            lines += ["", f"{title}:", *(f"  - {line}" for line in found)]
    return "\n".join([*lines, "", "fit to train on" if card.ok else "not fit to train on as it is"])


def _sizes(data: Paintings, progress: bool) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Width and height of each readable file, and the reason for each unreadable one."""
    sizes, broken = {}, {}
    for name in tqdm(dict.fromkeys(data.paths), desc="reading", unit="picture", disable=not progress or None):
        try:
            sizes[name] = read_image(data.root / name).size
        except ImageError as error:
            broken[name] = str(error)
    return sizes, broken


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


def _count(things, noun: str) -> str:
    n = things if isinstance(things, int) else len(things)
    return f"{n} {noun if n == 1 else noun + ('es' if noun.endswith('s') else 's')}"


def _some(names: Iterable[str]) -> str:
    names = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in names]
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _and(names: Iterable[str]) -> str:
    return " = ".join(names)


def _pairs(pairs: list[SimilarPair]) -> str:
    lines = [f"      {pair.first} ~ {pair.second} ({pair.similarity:.3f})" for pair in pairs[:SHOWN]]
    return "\n" + "\n".join(lines + ["      …"] * (len(pairs) > SHOWN))
