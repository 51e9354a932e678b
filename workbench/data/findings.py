"""What the check of a folder found, in sentences: its problems, its notes, and the card for a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from workbench.data.paintings import NEAR_DUPLICATES

if TYPE_CHECKING:
    from workbench.data.check import DataCard, SimilarPair

SCROLL = 3.0  # aspect ratio (longer side / shorter side) from which a picture is a long scroll
SMALL = 224  # pixels; with a shorter side below this, brushwork is lost
IMBALANCE = 10.0  # ratio of the largest class to the smallest from which accuracy alone misleads
FOLDS = 5  # a class in fewer groups is missing from some folds of a five-fold cross-validation
SHOWN = 5  # examples listed per problem or note
_LONGEST = 120  # characters of a name that are shown


@dataclasses.dataclass(frozen=True)
class Findings:
    """The sentences of one card."""

    card: DataCard
    shown: int | None = SHOWN  # examples listed in a sentence; None: all

    def problems(self, twice: Sequence[str], torn: Sequence, divided: Sequence) -> tuple[str, ...]:
        """What would spoil training or its score.

        Args:
            twice: pictures that are listed twice.
            torn: equal files under two labels.
            divided: equal files in two groups.
        """
        card, some = self.card, self._some
        problems = []
        if card.unreadable:
            problems.append(f"{_count(card.unreadable, 'file')} cannot be read: {some(card.unreadable)}")
        if twice:
            problems.append(f"{_count(twice, 'picture')} listed twice in the table: {some(twice)}")
        if card.loose:
            problems.append(f"{_count(card.loose, 'picture')} beside the class folders: {some(card.loose)}")
        if card.empty:
            problems.append(f"class folders without pictures: {some(card.empty)}")
        if not card.pictures and card.loose and not card.unreadable:
            lacking = "no picture has a class: make a folder for each class, or a table (ratings.csv)"
            return (*problems, lacking)
        if not card.pictures:
            return (*problems, "no picture that can be read")
        problems += self._classes_too_small()
        if self._mixed_up:
            problems.append(
                f"{len(card.contradicted)} of {_count(card.pictures, 'picture')} have a label for which "
                "fewer raters voted than for another (are columns of votes mixed up?): "
                f"{some(card.contradicted)}"
            )
        for found, where in ((torn, "under two labels"), (divided, "in two groups")):
            if found:
                names = some(" = ".join(members) for members in found)
                problems.append(f"{_count(found, 'picture')} {where} (equal files): {names}")
        labels = [pair for pair in card.same if not pair.same_class]
        if labels:
            pairs = self._pairs(labels)
            problems.append(f"{_count(labels, 'picture')} shown twice, under two labels: {pairs}")
        leaks = [pair for pair in card.same if pair.same_class and not pair.same_group]
        if leaks:
            problems.append(
                f"{_count(leaks, 'picture')} shown twice{self._in_two_groups}: a split between them leaks "
                f'(group by "{NEAR_DUPLICATES}"): {self._pairs(leaks)}'
            )
        return tuple(problems)

    def notes(self) -> tuple[str, ...]:
        """What is worth knowing."""
        card, some = self.card, self._some
        notes = list(card.understood)
        if card.missing:
            notes.append(
                f"{_count(card.missing, 'row')} of the table without a picture: {some(card.missing)}"
            )
        if card.equal:
            names = some(" = ".join(members) for members in card.equal)
            notes.append(f"{_count(card.equal, 'picture')} there more than once: {names}")
        notes += self._near_duplicates()
        notes += self._names()
        if card.contradicted and not self._mixed_up:
            notes.append(
                f"{_count(card.contradicted, 'picture')} for whose label fewer raters voted than for "
                f"another: {some(card.contradicted)}"
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
            have = f"in fewer than {FOLDS} groups" if card.grouped_by else f"fewer than {FOLDS} pictures"
            notes.append(f"{have}, so missing from some of {FOLDS} folds: {some(few)}")
        if card.scrolls:
            notes.append(
                f"{_count(card.scrolls, 'long scroll')} ({SCROLL:g} : 1 or longer), which squeezing spoils: "
                f"{some(card.scrolls)}"
            )
        if card.small:
            notes.append(f"{_count(card.small, 'picture')} with a shorter side below {SMALL} pixels")
        return tuple(notes)

    def _classes_too_small(self) -> list[str]:
        card = self.card
        problems = []
        if len(card.classes) < 2:
            problems.append(f"one class only ({next(iter(card.classes))}): there is nothing to learn")
        for name, n in card.classes.items():
            where = (
                f"has {_count(n, 'picture')}"
                if n < 2
                else f"lies in one group of {card.grouped_by}"
                if card.groups_of_class[name] < 2
                else ""
            )
            if where:
                problems.append(f"class {name} {where}: it can be learned or tested, not both")
        return problems

    @property
    def _mixed_up(self) -> bool:
        """Whether the votes speak against most labels."""
        return 2 * len(self.card.contradicted) > self.card.pictures

    @property
    def _in_two_groups(self) -> str:
        """Said of pictures apart; where no painters are known every picture is apart from all others."""
        return ", in two groups" if self.card.grouped_by else ""

    def _near_duplicates(self) -> list[str]:
        """Those that are no problem: in one group, or alike without showing one picture."""
        card = self.card
        notes = []
        within = [pair for pair in card.same if pair.same_class and pair.same_group]
        if within:
            notes.append(
                f"{_count(within, 'picture')} shown twice, in one group, so that no split by "
                f"{card.grouped_by} divides the two: {self._pairs(within)}"
            )
        apart = [pair for pair in card.alike if not pair.same_group]
        if apart:
            across = sum(not pair.same_class for pair in apart)
            groups = f"{card.groups} groups" if card.grouped_by else _count(card.pictures, "picture")
            notes.append(
                f"{_count(apart, 'pair')} as alike as pictures of one series{self._in_two_groups} "
                f'({across} across classes); grouping by "{NEAR_DUPLICATES}" makes {card.groups_if_joined} '
                f"groups of {groups}: {self._pairs(apart)}"
            )
        inside = [pair for pair in card.alike if pair.same_group]
        if inside:
            notes.append(
                f"{_count(inside, 'pair')} as alike as pictures of one series, in one group: "
                f"{self._pairs(inside)}"
            )
        return notes

    def _names(self) -> list[str]:
        card = self.card
        notes = []
        if card.merged:
            lines = self._lines(f"{_short(m.name)} = {m.painter} ({_short(m.reason)})" for m in card.merged)
            notes.append(
                f"{_count(card.merged, 'name')} replaced, so that a painter or class has one: {lines}"
            )
        if card.near_names:
            lines = self._lines(
                f"{_short(n.first)} ~ {_short(n.second)} ({_short(n.reason)})" for n in card.near_names
            )
            notes.append(
                f"{_count(card.near_names, 'pair')} of names that may be one painter's, not merged "
                f"(if they are, give them one name in the table): {lines}"
            )
        return notes

    def _some(self, names: Iterable[str]) -> str:
        """The first names in a row, or one a line if there are more than fit a row."""
        names = [_short(name) for name in names]
        if self.shown is None and len(names) > SHOWN:
            return self._lines(names)
        first = ", ".join(names[: self.shown])
        return f"{first}, {self._more(len(names))}" if self._more(len(names)) else first

    def _pairs(self, pairs: Iterable[SimilarPair]) -> str:
        return self._lines(f"{_short(p.first)} ~ {_short(p.second)} ({_found_by(p)})" for p in pairs)

    def _lines(self, items: Iterable[str]) -> str:
        """One example a line."""
        items = list(items)
        more = self._more(len(items))
        return "\n      " + ";\n      ".join(items[: self.shown] + [more] * bool(more))

    def _more(self, n: int) -> str:
        left = 0 if self.shown is None else n - self.shown
        return f"… and {left} more (`workbench data check --all` lists them)" if left > 0 else ""


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


def _found_by(pair: SimilarPair) -> str:
    """What says that two pictures are alike: the cosine of what local features found says nothing."""
    return f"{pair.keypoints} keypoints agree" if pair.keypoints else f"cosine {pair.similarity:.3f}"


def _count(things, noun: str) -> str:
    n = things if isinstance(things, int) else len(things)
    return f"{n} {noun if n == 1 else noun + ('es' if noun.endswith('s') else 's')}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
