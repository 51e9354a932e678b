"""How well can ratings be predicted from pictures, and how close is that to the ceiling?

Ridge regression, kernel ridge and partial least squares on measures, on pooled features of a network and on
its stage statistics, with painters kept apart. For the atelier, raters are simulated: they prefer warm
colours and dislike dry strokes by known amounts.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from workbench.classify.estimators import Estimator
from workbench.classify.features import MeasureFeatures, SqueezedFeatures, StatisticsFeatures
from workbench.classify.regression import MeanRating, RatingProbe
from workbench.classify.summary import summarise
from workbench.classify.validation import cross_validate
from workbench.core.cache import Cache
from workbench.core.runs import write_rows
from workbench.data.atelier import open_dataset, simulate_ratings
from workbench.data.rated import RatedPaintings, read_rated
from workbench.data.rating_tables import read_ratings
from workbench.studies.study import TableStudy, collection_name, grouped, register

EFFECTS = {"warmth": 2.0, "dryness": -1.5}  # points of the simulated scale per unit of the atelier's factors


def estimators() -> Mapping[str, Estimator]:
    """The estimators by name of their features and method."""
    measures, lite0, statistics = MeasureFeatures(), SqueezedFeatures(), StatisticsFeatures()
    return {
        "mean_rating": MeanRating(),
        "measures_ridge": RatingProbe(features=measures),
        "measures_pls": RatingProbe(features=measures, method="pls"),
        "lite0_ridge": RatingProbe(features=lite0),
        "statistics_ridge": RatingProbe(features=statistics),
        "statistics_kernel_ridge": RatingProbe(features=statistics, method="kernel_ridge"),
    }


def simulated_table(data: str, out: Path, raters: int = 20, seed: int = 0) -> tuple[Path, Path]:
    """The atelier's folder, and a table of simulated ratings of its pictures with :data:`EFFECTS`."""
    paintings = open_dataset(data)
    with (paintings.root / "ratings.csv").open(encoding="utf-8", newline="") as file:
        table = {row["path"]: row for row in csv.DictReader(file)}
    factors = {name: np.array([float(table[p][name]) for p in paintings.paths]) for name in EFFECTS}
    painters = [table[path]["painter"] for path in paintings.paths]
    rows = simulate_ratings(
        paintings.paths, factors, EFFECTS, painters=painters, painter_sd=0.3, raters=raters, seed=seed
    )
    return paintings.root, write_rows(rows, out / "simulated_ratings.csv")


@register
@dataclasses.dataclass(frozen=True)
class RatingsRegression(TableStudy):
    """How well can ratings be predicted from pictures, and how close is that to the ceiling?

    One row per collection, scale, estimator and metric: pictures, painters, estimate, low, high, ceiling
    (nan where the raters' own answers are unknown), and reliability.
    """

    version = 2  # without painters, near-duplicates share a fold
    keys = ("collection", "scale", "estimator")
    sources = ("data", "ratings")
    selection = ("scales",)

    data: str = "atelier:200"  # folder of pictures, or "atelier:N", whose ratings are simulated
    ratings: str = ""  # table of ratings; by default ratings.csv in the folder
    scales: tuple[str, ...] = ()  # columns of numbers to predict; by default all but votes
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one cross-validation per seed
    folds: int = 5  # of each cross-validation; painters stay together
    samples: int = 2000  # of the bootstrap over painters

    @property
    def simulated(self) -> bool:
        """Whether the ratings are simulated."""
        return collection_name(self.data) == "atelier"

    def columns(self) -> tuple[str, ...]:
        """The scales, in the table's order."""
        if self.scales or self.simulated:
            return self.scales or ("pleasure",)
        table = self.ratings or Path(self.data) / "ratings.csv"
        return tuple(name for name in read_ratings(table) if not name.startswith("votes_"))

    def plan(self) -> list[dict]:
        name = collection_name(self.data)
        return [
            {"collection": name, "scale": scale, "estimator": estimator}
            for scale in self.columns()
            for estimator in estimators()
        ]

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        root, table = Path(self.data), Path(self.ratings) if self.ratings else None
        if self.simulated:
            root, table = simulated_table(self.data, out)
        rated = {scale: grouped(read_rated(root, scale, table)) for scale in self.columns()}
        return lambda collection, scale, estimator: self.measure(
            rated[scale], estimator, Cache(out / "cache")
        )

    def measure(self, rated: RatedPaintings, name: str, cache: Cache) -> list[dict]:
        """Rows of one estimator on one scale."""
        validated = cross_validate(
            estimators()[name],
            rated,
            folds=self.folds,
            split_seeds=self.split_seeds,
            out=cache.folder,
            desc=f"{rated.column}, {name}",
        )
        table = summarise({name: validated}, name, samples=self.samples)
        facts = {"pictures": len(rated), "painters": len(np.unique(rated.groups))}
        wanted = ["metric", "estimate", "low", "high", "ceiling"]
        return [
            {**facts, **row, "reliability": rated.reliability} for row in table[wanted].to_dict("records")
        ]
