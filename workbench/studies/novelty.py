"""Do the mood classifiers notice pictures that are unlike those they were trained on?

A classifier names a mood for any picture. Its novelty (:mod:`workbench.models.novelty`) should show where
that means little: for photos, western paintings, children's drawings. The novelty is fitted on the training
pictures alone; none of these pictures were used. Since the mood of the atelier's paintings is known, the
accuracy on them is reported, too, and which moods they are read as.

Photos of one person, and near-duplicates, are resampled together. The AUC compares with held-out training
pictures, a sample, too: they are drawn anew for each resample. Of their scores the classifier keeps the
percentiles, not the painters; they count as one picture of each painter, the others of whom may say nothing
new.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.results import PAINTED_HERE, UNLIKE
from workbench.core.errors import DatasetError
from workbench.core.provenance import provenance
from workbench.core.runs import write_rows
from workbench.data.atelier.dataset import open_dataset
from workbench.data.duplicates import merge_groups, same_paintings, similar_pairs, turned_features
from workbench.data.faces import person_of
from workbench.data.images import list_images, read_each
from workbench.metrics.bootstrap import Interval, Resamples, draw_counts, resample, share_interval
from workbench.metrics.checks import weighted_mean
from workbench.metrics.classification import confusion_matrix
from workbench.models.novelty import QUANTILES
from workbench.studies.portrait_training import PERSON
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
    and novelty. ``novelty_summary.csv`` has for every model and set, with intervals over groups of pictures
    (persons, or near-duplicates): auc, the probability that one of its pictures has a higher novelty than a
    held-out training picture (its mean novelty); unlike, the share reported as unlike the training pictures
    (5 % of those are); top_probability, its mean; and as_meant, the accuracy on the atelier's paintings.
    ``novelty_confusion.csv`` has what these are read as: for every model, every mood that was meant and every
    mood, the number of pictures and their share of those that were meant so.
    """

    keys = ("model", "set", "picture")
    sources = ("folders",)
    selection = ("models", "person")  # the person of the intervals only

    folders: tuple[str, ...] = ()  # of pictures of other kinds; the last part of the path names the set
    atelier: int = 100  # number of the atelier's pictures; 0 leaves them out
    per_folder: int = 100  # pictures of a folder, evenly spaced in the order of their paths; 0 takes all
    models: tuple[str, ...] = ("mood_statistics", "mood_lite0")  # classifiers with a novelty
    samples: int = 2000  # of the bootstrap over groups of pictures
    person: str = PERSON  # regular expression whose groups name the person that a photo shows

    def depends_on(self, **run: str) -> str:
        return models.card(run["model"]).digest

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
        table, rows, stamp = pd.read_csv(self.runs(out).path), [], provenance()
        cards = {model: models.card(model) for model in table["model"].unique()}
        groups: dict[str, dict[str, Any]] = {}
        for name, own in table.groupby("set", sort=False):
            pictures = list(own["picture"].unique())
            groups[str(name)] = dict(zip(pictures, self.groups(str(name), pictures), strict=True))
        read: list[dict] = []
        for (model, name), own in table.groupby(["model", "set"], sort=False):
            card, of = cards[model], own["picture"].map(groups[str(name)]).to_numpy()
            values, keys = own["novelty"].to_numpy(), {"model": model, "set": name}
            found = {
                "auc": auc_interval(values, of, held_out_of(card.training), self.samples),
                "unlike": _mean(values >= UNLIKE, of, self.samples, is_share=True),
                "top_probability": _mean(own["top_probability"], of, self.samples),
            }
            if name == ATELIER:
                found["as_meant"] = _mean(own["top"] == own["label"], of, self.samples, is_share=True)
                confused = confusion_rows(own["label"], own["top"], card.class_names)
                read += [{"model": model, **row, **stamp} for row in confused]
            sizes = {"pictures": len(own), "groups": len(np.unique(of))}
            rows += [{**keys, "measure": m, **i._asdict(), **sizes} for m, i in found.items()]
        if read:
            write_rows(read, out / f"{self.name}_confusion.csv")
        write_rows([row | stamp for row in rows], out / f"{self.name}_summary.csv")

    def groups(self, name: str, pictures: list[str]) -> NDArray:
        """(N,) whose pictures of a set belong together: persons, if file names tell them, else
        near-duplicates. The atelier paints each of its pictures anew."""
        people = [person_of(picture, self.person) for picture in pictures]
        if name == ATELIER or people != [Path(picture).stem for picture in pictures]:
            return np.array(pictures if name == ATELIER else people)
        (root,) = (Path(folder) for folder in self.folders if Path(folder).name == name)
        features = turned_features(root, pictures)
        pairs = similar_pairs(features) + same_paintings(root, pictures, features)
        return merge_groups(pictures, [pair[:2] for pair in pairs])


def held_out_of(training: Mapping) -> int:
    """How many independent pictures a classifier's novelty was ranked with, as its card tells: one of each
    painter; all of them, without painters; by default as many as there are percentiles."""
    return int(training.get("painters") or training.get("pictures") or QUANTILES)


def auc_interval(
    novelty: ArrayLike, groups: ArrayLike, held_out: int, samples: int = 2000, seed: int = 0
) -> Interval:
    """The mean novelty of pictures, which is the chance that one is newer than a held-out training picture.

    Args:
        novelty: (N,) ranks of :meth:`workbench.models.novelty.Novelty.rank`, multiples of 1 /
            ``QUANTILES``.
        groups: (N,) of the pictures, drawn with replacement.
        held_out: number of held-out training pictures, drawn with replacement from the percentiles.
        samples, seed: of the bootstrap.
    """
    values = np.asarray(novelty, dtype=np.float64)
    ranks = np.rint(values * QUANTILES).astype(int)
    times = draw_counts(groups, samples, seed)  # (S, N)
    drawn = np.random.default_rng([seed, 1]).multinomial(held_out, np.full(QUANTILES, 1 / QUANTILES), samples)
    below = np.concatenate([np.zeros((samples, 1)), drawn.cumsum(1)], 1) / held_out  # (S, QUANTILES + 1)
    draws = (times * below[:, ranks]).sum(1) / times.sum(1)
    count = min(len(np.unique(np.asarray(groups))), held_out)
    return Resamples({"": float(values.mean())}, {"": draws}, count).interval(share_of=count)


def _mean(values: ArrayLike, groups: NDArray, samples: int, is_share: bool = False) -> Interval:
    """A mean with its interval over groups; of a single group there is no interval."""
    numbers, count = np.asarray(values, dtype=np.float64), len(np.unique(groups))
    if count < 2:
        return Interval(float(numbers.mean()), float("nan"), float("nan"))
    found = resample(weighted_mean, numbers, groups=groups, samples=samples)
    return found.interval(share_of=count if is_share else None)


def confusion_rows(meant: Sequence[str], read: Sequence[str], moods: Sequence[str]) -> list[dict]:
    """One row for every mood that was meant and every mood: meant, read, pictures, of (that were meant so),
    share with Wilson's 95 % interval. Every picture counts as independent."""
    labels, answers = ([moods.index(mood) for mood in column] for column in (meant, read))
    rows = []
    for mood, counts in zip(moods, confusion_matrix(labels, answers, len(moods)), strict=True):
        of = int(counts.sum())
        for other, count in zip(moods, counts, strict=True):
            low, high = share_interval(float(count), of)
            row = {"meant": mood, "read": other, "pictures": int(count), "of": of}
            rows.append(row | {"share": count / of if of else "", "low": low, "high": high})
    return rows


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
