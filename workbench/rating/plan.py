"""The trials of each rater and their order: practice, pictures or pairs, attention checks and breaks."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from workbench.core.errors import WorkbenchError
from workbench.rating.orders import least_used, williams
from workbench.rating.stimuli import Stimulus
from workbench.rating.study import Study

PRACTICE, RATING, ATTENTION = "practice", "rating", "attention"
MOST = 500  # trials of one rater
# kinds of scales, the most suitable for an attention check first
_CHECKED = ("likert", "choice", "mood", "preference", "sam", "slider")

Shown = tuple[str, ...]  # ids of the stimuli of one trial, one or two


@dataclasses.dataclass(frozen=True)
class Trial:
    """One page of questions."""

    phase: str  # PRACTICE, RATING or ATTENTION
    stimuli: Shown = ()
    has_break: bool = False  # a break before it
    scale: str = ""  # of an attention check: its only scale
    answer: Any = None  # that an attention check asks for

    def pack(self) -> dict[str, Any]:
        """The form stored in the database."""
        return dataclasses.asdict(self)

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> Trial:
        """From the database."""
        return cls(**packed | {"stimuli": tuple(packed["stimuli"])})


@dataclasses.dataclass(frozen=True)
class Cell:
    """A rater's cell of the design: a row of the order, and a rotation of styles or of sides of pairs."""

    row: int
    rotation: int


class Design:
    """The balanced design of a study.

    Args:
        study: its settings.
        stimuli: prepared pictures, all sources in the same styles, source by source.

    Raises:
        WorkbenchError: one rater would have more than :data:`MOST` trials, or pairs that do not exist.
    """

    def __init__(self, study: Study, stimuli: Sequence[Stimulus]):
        self.study = study
        self.practice = [s for s in stimuli if s.is_practice]
        rated = [s for s in stimuli if not s.is_practice]
        styles = len(study.styles)
        self.sources = [rated[i : i + styles] for i in range(0, len(rated), styles)]
        self.is_rotated = not study.is_pairs and styles > 1 and study.see == "one"
        self.items = self._items()
        size = study.per_rater or len(self.items)
        if size > MOST or size > len(self.items):
            raise WorkbenchError(
                f"Expected at most {min(MOST, len(self.items))} trials a rater but this study has {size}. "
                "Set per_rater to fewer."
            )
        self.rows = (
            williams(len(self.items)) if study.order == "williams" else np.arange(len(self.items))[None]
        )
        self.rotations = styles if self.is_rotated else 2 if study.is_pairs else 1

    def _items(self) -> list[list[Shown]]:
        """The items to order, each with its versions, of which a rater sees one."""
        if not self.study.is_pairs:
            if self.is_rotated:
                return [[(s.id,) for s in versions] for versions in self.sources]
            return [[(s.id,)] for versions in self.sources for s in versions]
        within = len(self.study.styles) > 1  # the same picture in two styles
        groups = self.sources if within else [[versions[0] for versions in self.sources]]
        pairs = [pair for group in groups for pair in itertools.combinations([s.id for s in group], 2)]
        return [[(a, b), (b, a)] for a, b in pairs]

    def choose_cell(self, taken: Iterable[Cell], rng: np.random.Generator) -> Cell:
        """The next cell: the least used, then the one with the least used rotation and row."""
        cells = list(taken)
        counts, rows = Counter(cells), Counter(c.row for c in cells)
        rotations = Counter(c.rotation for c in cells)
        places = [Cell(r, t) for r in range(len(self.rows)) for t in range(self.rotations)]
        ties = rng.random(len(places))
        order = {
            cell: (counts[cell], rotations[cell.rotation], rows[cell.row], ties[i])
            for i, cell in enumerate(places)
        }
        return min(places, key=order.__getitem__)

    def trials(self, cell: Cell, counts: Counter[Shown], rng: np.random.Generator) -> list[Trial]:
        """The trials of one rater.

        Args:
            cell: of the design.
            counts: how many raters were given each version of each item, for ``per_rater``.
            rng: of the rater.
        """
        shown = self._subset(counts, rng) if self.study.per_rater else self._all(cell)
        if self.study.order == "random":
            shown = [shown[i] for i in rng.permutation(len(shown))]
        else:
            shown = [shown[i] for i in self.rows[cell.row]]
        trials = [Trial(PRACTICE, stimuli) for stimuli in self._practice()]
        every = self.study.attention_every
        checks = set()
        for due in range(every, len(shown), every) if every else ():
            # not at a fixed distance, which raters would learn
            checks.add(due - int(rng.integers((every + 1) // 2)))
        for place, stimuli in enumerate(shown):
            if place in checks:
                trials.append(self._check(rng))
            pause = bool(self.study.break_every and place and place % self.study.break_every == 0)
            trials.append(Trial(RATING, stimuli, has_break=pause))
        return trials

    def _all(self, cell: Cell) -> list[Shown]:
        """One version of each item: a Latin square of items by rotations."""
        return [versions[(i + cell.rotation) % len(versions)] for i, versions in enumerate(self.items)]

    def _subset(self, seen: Counter[Shown], rng: np.random.Generator) -> list[Shown]:
        """The items that the fewest raters were given, equally many in each version."""
        most, width = self.study.per_rater or 0, len(self.items[0])
        counts = np.array([[seen[version] for version in versions] for versions in self.items])
        share, rest = divmod(most, width)
        limits = np.full(width, share)
        limits[np.argsort(counts.sum(0) + rng.random(width) / 2)[:rest]] += 1
        return [self.items[row][column] for row, column in least_used(counts, most, rng, limits)]

    def _practice(self) -> list[Shown]:
        ids = [s.id for s in self.practice]
        return list(zip(ids[::2], ids[1::2], strict=False)) if self.study.is_pairs else [(i,) for i in ids]

    def _check(self, rng: np.random.Generator) -> Trial:
        scale = min(self.study.scales, key=lambda s: _CHECKED.index(s.kind))
        return Trial(ATTENTION, scale=scale.name, answer=scale.values[int(rng.integers(len(scale.values)))])
