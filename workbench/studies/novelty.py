"""Does the mood classifier notice pictures that are unlike those it was trained on?

A classifier names a mood for any picture. Its novelty (:mod:`workbench.models.novelty`) should show where
that means little: for photos, western paintings, children's drawings. The novelty is fitted on the training
pictures alone; none of these pictures were used. Since the mood of the atelier's paintings is known, the
accuracy on them is reported, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.classify.classifier import Classifier
from workbench.classify.results import DEFAULT_CLASSIFIER, UNLIKE
from workbench.core.errors import DatasetError
from workbench.core.runs import write_rows
from workbench.data.atelier.dataset import open_dataset
from workbench.data.images import list_images, read_each
from workbench.metrics.bootstrap import resample
from workbench.studies.study import TableStudy, register

ATELIER = "atelier"


@register
@dataclasses.dataclass(frozen=True)
class Novelty(TableStudy):
    """Does the mood classifier notice pictures that are unlike those it was trained on?

    One row per picture: set, picture (its path), label (of the atelier only), top, top_probability and
    novelty. ``novelty_summary.csv`` has for every set, with intervals over pictures: auc, the probability
    that one of its pictures has a higher novelty than a held-out training picture (its mean novelty); unlike,
    the share reported as unlike the training pictures (5 % of those are); top_probability, its mean; and
    as_meant, the accuracy on the atelier's paintings.
    """

    keys = ("set", "picture")
    sources = ("folders",)

    folders: tuple[str, ...] = ()  # of pictures of other kinds; the last part of the path names the set
    atelier: int = 100  # number of the atelier's pictures; 0 leaves them out
    per_folder: int = 100  # pictures of a folder, evenly spaced in the order of their paths; 0 takes all
    model: str = DEFAULT_CLASSIFIER  # a classifier with a novelty
    samples: int = 2000  # of the bootstrap over pictures

    def depends_on(self, **run: str) -> str:
        return Classifier.load(self.model).card.sha256

    def plan(self) -> list[dict]:
        names = [Path(folder).name for folder in self.folders]
        if len(set(names)) < len(names) or ATELIER in names:
            raise DatasetError(f"Expected folders of different names, none {ATELIER}, but got {names}.")
        return [{"set": name, "picture": picture} for name, picture in self._paths]

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
        classifier, paths = Classifier.load(self.model), self._paths

        def read(set: str, picture: str) -> list[dict]:
            image = next((image for _, image in read_each([paths[set, picture]])), None)
            if image is None:
                return []
            reading = classifier.classify(image)
            if reading.novelty is None:
                raise DatasetError(f"Expected a classifier with a novelty but {self.model} has none.")
            label = picture.partition("/")[0] if set == ATELIER else ""
            top = reading.probabilities[reading.top]
            return [{"label": label, "top": reading.top, "top_probability": top, "novelty": reading.novelty}]

        return read

    def summarise(self, out: Path) -> None:
        table, rows = pd.read_csv(self.runs(out).path), []
        for name, own in table.groupby("set", sort=False):
            measures = {
                "auc": own["novelty"],
                "unlike": own["novelty"] >= UNLIKE,
                "top_probability": own["top_probability"],
            }
            if name == ATELIER:
                measures["as_meant"] = own["top"] == own["label"]
            for measure, values in measures.items():
                interval = resample(np.mean, np.asarray(values, dtype=float), samples=self.samples).interval()
                rows.append({"set": name, "measure": measure, **interval._asdict(), "pictures": len(own)})
        write_rows(rows, out / f"{self.name}_summary.csv")
