"""Study 06 b: gains of the mood classifier from pleasure and dominance as auxiliary targets, and larger
views.

Each is blended with the shipped mood classifier (:mod:`workbench.classify.blended`). Its weight, possibly 0,
is chosen within the training painters of every fold. So is, for a row of its own, the recipe of the
classifier itself, among the steps that led to it and changes of its settings: the scores of that row lack
the optimism of a choice that saw the test pictures.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from workbench.classify.blended import BlendedProbe
from workbench.classify.configs import StatisticsConfig
from workbench.classify.estimators import Estimator
from workbench.classify.features import StatisticsFeatures
from workbench.classify.nested import ChosenProbe
from workbench.classify.statistics import StatisticsEstimator
from workbench.classify.summary import write_tables
from workbench.classify.validation import cross_validate
from workbench.data.atelier import open_dataset
from workbench.studies.study import Study, grouped, register

BASELINE = "mood_statistics"
CHOSEN = "recipe chosen in nested folds"
SCORES = ("accuracy", "balanced_accuracy", "log_loss", "log_loss_votes")


@register
@dataclasses.dataclass(frozen=True)
class MoodAblation(Study):
    """Do auxiliary targets and larger views improve the mood classifier?"""

    version = 2  # without painters, near-duplicates share a fold
    keys = ("variant", "split_seed", "fold")
    sources = ("data",)

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    auxiliary: tuple[str, ...] = ()  # columns of numbers in its ratings.csv, such as pleasure and dominance
    # short side in pixels, and number, of crops closer than the reader's; a number of 0 leaves them out
    crops: tuple[int, int] = (672, 4)
    choose: bool = True  # also choose the recipe itself within the training pictures
    reader: StatisticsConfig = dataclasses.field(default_factory=StatisticsConfig)  # the shipped reader
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one grouped cross-validation each
    folds: int = 5  # of each
    samples: int = 2000  # of the bootstrap

    def estimators(self) -> dict[str, Estimator]:
        """The classifier alone, and blended with each second source."""
        first = self.reader.variants[:1]
        found: dict[str, Estimator] = {BASELINE: StatisticsEstimator(self.reader)}
        if self.auxiliary:
            seen = StatisticsFeatures.of(self.reader, parts=(0,))
            name = f"and {', '.join(self.auxiliary)}"
            found[name] = BlendedProbe(features=seen, auxiliary=self.auxiliary, reader=self.reader)
        if self.crops[1]:
            near = StatisticsFeatures(variants=first, size=self.reader.size, crops=(self.crops,))
            found[f"and crops at {self.crops[0]} px"] = BlendedProbe(features=near, reader=self.reader)
        if self.choose:
            found[CHOSEN] = ChosenProbe(reader=self.reader)
        return found

    def run(self, out: str | os.PathLike) -> Path:
        paintings = grouped(open_dataset(self.data))
        validations = {
            name: cross_validate(
                estimator,
                paintings,
                folds=self.folds,
                split_seeds=self.split_seeds,
                calibrate_to="votes",
                out=Path(out) / "cache",
                desc=name,
            )
            for name, estimator in self.estimators().items()
        }
        scores = SCORES if paintings.votes is not None else SCORES[:-1]
        write_tables(
            self.name, out, validations, BASELINE, scores=scores, samples=self.samples, label="variant"
        )
        return Path(out) / f"{self.name}.csv"
