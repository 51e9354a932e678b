"""Do the mood classifiers notice pictures that are unlike those they were trained on?

A classifier names a mood for any picture. Its novelty (:mod:`workbench.models.novelty`) should show where
that means little: for photos, western paintings, children's drawings. The novelty is fitted on the training
pictures alone; none of these pictures were used. Since the mood of the atelier's paintings is known, the
accuracy on them is reported, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.results import PAINTED_HERE, UNLIKE
from workbench.core.errors import DatasetError
from workbench.core.runs import write_rows
from workbench.data.atelier.dataset import open_dataset
from workbench.data.images import list_images, read_each
from workbench.metrics.bootstrap import resample
from workbench.studies.study import TableStudy, register

ATELIER = "atelier"
SETS = {  # in words, for cards and tables
    "scene_photos": "photos of scenes",
    "portrait_photos": "photos of people",
    "western_style": "western paintings",
    "children_emotion": "children's drawings",
    ATELIER: PAINTED_HERE,
}


@register
@dataclasses.dataclass(frozen=True)
class Novelty(TableStudy):
    """Do the mood classifiers notice pictures that are unlike those they were trained on?

    One row per model and picture: set, picture (its path), label (of the atelier only), top, top_probability
    and novelty. ``novelty_summary.csv`` has per model and set, with intervals over pictures: auc, the chance
    that one of its pictures has a higher novelty than a held-out training picture (its mean novelty); unlike,
    the share reported as unlike the training pictures (5 % of those are); top_probability, its mean; and
    as_meant, the accuracy on the atelier's paintings.
    """

    keys = ("model", "set", "picture")
    sources = ("folders",)
    selection = ("models",)

    folders: tuple[str, ...] = ()  # of pictures of other kinds; the last part of the path names the set
    atelier: int = 100  # number of the atelier's pictures; 0 leaves them out
    per_folder: int = 100  # pictures of a folder, evenly spaced in the order of their paths; 0 takes all
    models: tuple[str, ...] = ("mood_statistics", "mood_lite0")  # classifiers with a novelty
    samples: int = 2000  # of the bootstrap over pictures

    def depends_on(self, **run: str) -> str:
        return models.card(run["model"]).sha256

    def plan(self) -> list[dict]:
        names = [Path(folder).name for folder in self.folders]
        if len(set(names)) < len(names) or ATELIER in names:
            raise DatasetError(f"Expected folders of different names, none {ATELIER}, but got {names}.")
        return [
            {"model": model, "set": name, "picture": picture}
            for model in self.models
            for name, picture in self._paths
        ]

    @property
    def _paths(self) -> dict[tuple[str, str], Path]:
        by_name: dict[tuple[str, str], Path] = {}
        for folder in map(Path, self.folders):
            paths = list_images(folder)
            count = len(paths) if not self.per_folder else min(self.per_folder, len(paths))
            for i in np.linspace(0, len(paths) - 1, count).round().astype(int):
                by_name[folder.name, paths[i].relative_to(folder).as_posix()] = paths[i]
        if self.atelier:
            painted = open_dataset(f"{ATELIER}:{self.atelier}")
            by_name |= {(ATELIER, path): painted.root / path for path in painted.paths}
        return by_name

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        paths = self._paths

        def read(model: str, set: str, picture: str) -> list[dict]:
            image = next((image for _, image in read_each([paths[set, picture]])), None)
            if image is None:
                return []
            reading = Classifier.load(model).classify(image)
            if reading.novelty is None:
                raise DatasetError(
                    f"Expected a classifier with a novelty but {model} has none. `workbench train novelty` "
                    "gives it one."
                )
            label = picture.partition("/")[0] if set == ATELIER else ""
            top = reading.probabilities[reading.top]
            return [{"label": label, "top": reading.top, "top_probability": top, "novelty": reading.novelty}]

        return read

    def summarise(self, out: Path) -> None:
        table, rows = pd.read_csv(self.runs(out).path), []
        for (model, name), own in table.groupby(["model", "set"], sort=False):
            measures = {
                "auc": own["novelty"],
                "unlike": own["novelty"] >= UNLIKE,
                "top_probability": own["top_probability"],
            }
            if name == ATELIER:
                measures["as_meant"] = own["top"] == own["label"]
            for measure, values in measures.items():
                interval = resample(np.mean, np.asarray(values, dtype=float), samples=self.samples).interval()
                keys = {"model": model, "set": name, "measure": measure}
                rows.append({**keys, **interval._asdict(), "pictures": len(own)})
        write_rows(rows, out / f"{self.name}_summary.csv")


def for_card(summary: Sequence[Mapping], model: str) -> dict[str, Any]:
    """What a model's card says of pictures of other kinds, among its metrics.

    Args:
        summary: rows of ``novelty_summary.csv``.
        model: name of the classifier.

    Returns:
        ``novelty``: per set the number of pictures and the share called unlike, with its interval; and
        ``atelier_as_meant``: the share of the atelier's pictures read as the mood they were painted for.
    """
    own = {(row["set"], row["measure"]): row for row in summary if row["model"] == model}
    ends = ("estimate", "low", "high")

    def rounded(name: str, measure: str) -> list[float]:
        return [round(float(own[name, measure][end]), 4) for end in ends]

    rows = []
    for name in dict.fromkeys(name for name, _ in own):
        share, low, high = rounded(name, "unlike")
        shares = {"called_unlike": share, "called_unlike_low": low, "called_unlike_high": high}
        rows.append({"set": SETS.get(name, name), "pictures": int(own[name, "unlike"]["pictures"]), **shares})
    found: dict[str, Any] = {"novelty": rows}
    if (ATELIER, "as_meant") in own:
        pictures = int(own[ATELIER, "as_meant"]["pictures"])
        as_meant = dict(zip(ends, rounded(ATELIER, "as_meant"), strict=True))
        found["atelier_as_meant"] = as_meant | {"pictures": pictures}
    return found
