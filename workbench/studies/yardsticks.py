"""Measures of drawings compared with the ranks that blinded judges gave them.

The judges' scenes are photos on which drawings were tuned. None of them is among the photos that report in
``reports/splits/scenes.csv``, and no style that ships is measured on them: the study asks what measures say
about judges, and chooses nothing that a photo of the other studies reports.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from workbench.core.errors import DatasetError
from workbench.core.runs import read_rows
from workbench.data.images import list_images, read_image
from workbench.metrics.bootstrap import Interval, bootstrap
from workbench.metrics.checks import weighted_mean
from workbench.metrics.lines import Drawnness, drawnness
from workbench.metrics.stylization import color_drift, edge_f1
from workbench.studies.study import Rows, TableStudy, register

QUESTIONS = ("overall", "drawn", "clean")
MEASURES = (*(f.name for f in dataclasses.fields(Drawnness)), "color_drift", "lost_edges")


@register
@dataclasses.dataclass(frozen=True)
class Yardsticks(TableStudy):
    """Which measures rank stylizers as blinded judges do?

    Every sheet of every judge gives a rank correlation between measure and preference. A row has the mean,
    its interval over pictures, and the mean closest to zero when one stylizer is left out.
    """

    keys = ("measure", "question")
    sources = ("panel",)

    panel: str  # folder with ranks.csv and SET/STYLIZER/PICTURE, SET/photo/PICTURE
    group: str = "scenes"  # set of the ranks
    samples: int = 2000  # of the bootstrap over pictures

    def plan(self) -> list[dict[str, str]]:
        return [{"measure": m, "question": q} for m in MEASURES for q in QUESTIONS]

    def prepare(self, out: Path) -> Callable[..., Rows]:
        table = Path(self.panel) / "ranks.csv"
        ranks = [row for row in read_rows(table) if row["set"] == self.group]
        if not ranks:
            raise DatasetError(f"Expected ranks of the set {self.group} in {self.panel} but there are none.")
        pairs = sorted({(row["picture"], row["stylizer"]) for row in ranks})
        measures = {pair: _measures(Path(self.panel) / self.group, *pair) for pair in pairs}

        def compare(measure: str, question: str) -> dict:
            sheets: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
            for row in ranks:
                if row["question"] == question:
                    sheets[row["picture"], row["judge"]][row["stylizer"]] = float(row["rank"])
            values = {pair: numbers[measure] for pair, numbers in measures.items()}
            return summary(sheets, values, self.samples)

        return compare


def summary(
    sheets: dict[tuple[str, str], dict[str, float]], values: dict[tuple[str, str], float], samples: int
) -> dict[str, float | int | str]:
    """Agreement of a measure with the judges, its interval over pictures, and without one stylizer.

    Args:
        sheets: by (picture, judge) the rank of each stylizer, 1 the best.
        values: the measure by (picture, stylizer).
        samples: of the bootstrap.
    """

    def agreement(left_out: str = "") -> NDArray[np.float64]:
        by_picture = defaultdict(list)
        for (picture, _), ranks in sheets.items():
            names = [name for name in ranks if name != left_out]
            numbers = np.nan_to_num([values[picture, name] for name in names])
            by_picture[picture].append(preference([ranks[name] for name in names], numbers))
        return np.array([np.nanmean(v) for v in by_picture.values() if not np.isnan(v).all()])

    per_picture = agreement()
    found = Interval(float(per_picture.mean()), float("nan"), float("nan"))
    if len(per_picture) > 1:
        found = bootstrap(weighted_mean, per_picture, samples=samples)
    stylizers = sorted({name for ranks in sheets.values() for name in ranks})
    without = {name: float(agreement(name).mean()) for name in stylizers}
    worst = min(without, key=lambda name: without[name] * np.sign(per_picture.mean()))
    return {
        "pictures": len(per_picture),
        "correlation": found.estimate,
        "low": found.low,
        "high": found.high,
        "correlation_without_one": without[worst],
        "left_out": worst,
    }


def preference(ranks: list[float], numbers: NDArray[np.float64]) -> float:
    """Spearman's correlation of a measure with being preferred (rank 1 is best); nan if all are equal."""
    a, b = -rankdata(ranks), rankdata(numbers)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _measures(folder: Path, picture: str, stylizer: str) -> dict[str, float]:
    photo, drawing = (_picture(folder / name, picture) for name in ("photo", stylizer))
    if photo.shape != drawing.shape:
        photo = np.asarray(read_image(_file(folder / "photo", picture)).resize(drawing.shape[1::-1]))
    edges = edge_f1(photo, drawing)
    return dataclasses.asdict(drawnness(photo, drawing)) | {
        "color_drift": color_drift(photo, drawing),
        "lost_edges": 1 - edges.recall,
    }


def _file(folder: Path, stem: str) -> Path:
    found = next((path for path in list_images(folder) if path.stem == stem), None)
    if found is None:
        raise DatasetError(f"Expected the picture {stem}, which has ranks, in {folder} but there is none.")
    return found


def _picture(folder: Path, stem: str) -> NDArray[np.uint8]:
    return np.asarray(read_image(_file(folder, stem)))
