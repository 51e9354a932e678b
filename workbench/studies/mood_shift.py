"""How does redrawing a picture change the mood that a classifier reads in it?

Each picture is read before and after it is redrawn, and its descriptors of expression are measured both
times. A painting is read by a classifier that has never seen its painter: the layer of the shipped
``mood_statistics`` is fitted anew in every fold (to untouched paintings, lite0 and four views for speed), so
that memorised paintings do not look like a change. Photos are read by a layer fitted to all paintings: on
photos it shows a direction of change, not a mood that anybody confirmed.

A re-encoded picture (JPEG, quality 75), which people cannot tell from the original, is the control: its
changes show how unstable the classifier is.
"""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from workbench.classify.configs import StatisticsConfig
from workbench.classify.features import StatisticsFeatures
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cache import Cache, key
from workbench.data.atelier import open_dataset
from workbench.data.images import read_image
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.interpret.descriptors import DESCRIPTORS, describe
from workbench.metrics.bootstrap import resample
from workbench.metrics.calibration import apply_temperature, fit_temperature
from workbench.metrics.checks import weighted_mean
from workbench.metrics.classification import balanced_accuracy, confusion_matrix
from workbench.metrics.paired import holm
from workbench.studies.study import TableStudy, grouped, register
from workbench.studies.stylizer_pictures import read_photos, split_of
from workbench.studies.stylizers import weights_of
from workbench.styles.stylize import stylize

CONTROL = "JPEG, quality 75"
STYLES = ("fsgan_comic", "fsgan_bold", "fsgan_anime", "fsgan_ink", CONTROL, "colormatrix_gray")
SHARES = ("changed", "transition", "share before", "share after", "accuracy before", "accuracy after")
CONFIG = StatisticsConfig(variants=("lite0",), eval_crops=((224, 3),), split_seeds=(0,))


def redraw(image: Image.Image, style: str) -> Image.Image:
    """``image`` in a style of :func:`workbench.styles.stylize.styles`, or as :data:`CONTROL` has it."""
    if style != CONTROL:
        return stylize(image, style)
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=75)
    return read_image(file.getvalue())


@dataclasses.dataclass(frozen=True)
class Collection:
    """Pictures of one kind, and what is measured on each, kept by the picture's own content.

    Args:
        name: in the table.
        files: what identifies each picture: its file, or its pixels.
        read: gives picture ``i``.
        names: one for each picture.
        groups: (N,) painter of each, or its own name.
        kept: of the measurements.
        config: views and networks of the classifier.
    """

    name: str
    files: Sequence
    read: Callable[[int], Image.Image]
    names: tuple[str, ...]
    groups: NDArray
    kept: Cache
    config: StatisticsConfig

    def __len__(self) -> int:
        return len(self.names)

    def measured(self, style: str = "") -> tuple[torch.Tensor, NDArray]:
        """(N, D) statistics and (N, K) descriptors of the redrawn pictures, of the untouched ones for ""."""
        features = StatisticsFeatures.of(self.config)

        def of(i: int) -> dict[str, NDArray]:
            image = self.read(i)
            image = redraw(image, style) if style else image
            return {
                "statistics": features.measure(image),
                "descriptors": np.array(list(describe(image).values())),
            }

        measured = self.config.variants, self.config.size, self.config.eval_crops, list(DESCRIPTORS)
        settings = style, weights_of(style), *measured
        found = [
            self.kept.arrays(key("redrawn", 2, settings, picture=self.files[i]), functools.partial(of, i))
            for i in tqdm(range(len(self)), desc=style or self.name, unit="picture", disable=None)
        ]
        statistics, descriptors = (np.stack([one[k] for one in found]) for k in ("statistics", "descriptors"))
        return torch.from_numpy(statistics), descriptors


class Readers:
    """Linear layers that read moods: one per fold of the paintings, and one fitted to them all.

    Args:
        data: N paintings.
        table: (N, D) statistics of the untouched ones.
        config: how the layers are fitted.
    """

    def __init__(self, data: Paintings, table: torch.Tensor, config: StatisticsConfig):
        self.data, self.classes = data, data.classes
        folds = min(config.folds, int(np.bincount(data.labels).min()))
        splits = grouped_folds(data.labels, data.groups, folds, config.split_seeds[0])
        self._folds = [(test, self._fit(table, train, config)) for train, test in splits]
        self._all = self._fit(table, np.arange(len(data)), config)
        self._temperature = 1.0
        self._temperature = fit_temperature(np.log(self.held_out(table)), data.labels)

    def _fit(self, table: torch.Tensor, rows: NDArray, config: StatisticsConfig) -> StatisticsEstimator:
        return StatisticsEstimator(config).fit_table(table, self.data, rows)

    def held_out(self, table: torch.Tensor) -> NDArray[np.float64]:
        """(N, C) calibrated probabilities of paintings, each by the layer that has not seen its painter."""
        logits = np.empty((len(table), len(self.classes)))
        for test, estimator in self._folds:
            logits[test] = estimator.logits(table[test])
        return apply_temperature(logits, self._temperature)

    def others(self, table: torch.Tensor) -> NDArray[np.float64]:
        """(M, C) calibrated probabilities of other pictures, by the layer fitted to all paintings."""
        return apply_temperature(self._all.logits(table), self._temperature)


def mood_rows(
    before: NDArray,
    after: NDArray,
    classes: Sequence[str],
    groups: NDArray,
    labels: NDArray | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> list[dict]:
    """Changes of the readings by redrawing.

    Args:
        before: (N, C) probabilities of the untouched pictures.
        after: (N, C) of the redrawn ones.
        classes: the C moods.
        groups: (N,) what the bootstrap resamples.
        labels: (N,) moods that people named, if known.
        samples, seed: of the bootstrap.

    Returns:
        Rows of measure, name, other, estimate, low, high, p and pictures. "transition": share of those
        read as ``name`` before that are read as ``other`` after. "change": mean difference of the probability
        of ``name``, after less before, p after Holm over the moods. "changed": share whose mood changes.
        "distance": mean total variation between the two readings, 0 to 1. Shares that are 0 or 1 in every
        group have Wilson's interval over the groups.
    """
    count = len(classes)
    first, then = before.argmax(1), after.argmax(1)

    def metric(first, then, before, after, labels, weights=None):
        joint = confusion_matrix(first, then, count, weights)  # (…, C, C)
        total = joint.sum(-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = joint / total
        found = {("changed", "", ""): weighted_mean(first != then, weights)}
        found["distance", "", ""] = weighted_mean(np.abs(after - before).sum(1) / 2, weights)
        for i, name in enumerate(classes):
            found["change", name, ""] = weighted_mean(after[:, i] - before[:, i], weights)
            found["share before", name, ""] = weighted_mean(first == i, weights)
            found["share after", name, ""] = weighted_mean(then == i, weights)
            found |= {("transition", name, other): rates[..., i, j] for j, other in enumerate(classes)}
        if labels[0] >= 0:
            for when, read in (("before", first), ("after", then)):
                table = confusion_matrix(labels, read, count, weights)
                found[f"accuracy {when}", "", ""] = weighted_mean(read == labels, weights)
                found[f"balanced accuracy {when}", "", ""] = balanced_accuracy(table)
            gain = found["accuracy after", "", ""] - found["accuracy before", "", ""]
            found["accuracy change", "", ""] = gain
        return found

    known = np.full(len(first), -1) if labels is None else labels
    arrays = (first, then, before, after, known)
    found = resample(metric, *arrays, groups=groups, samples=samples, seed=seed)
    p = holm({k: found.p(k) for k in found.estimate if k[0] == "change"})
    p |= {k: found.p(k) for k in found.estimate if k[0] == "accuracy change"}
    rows = []
    for statistic in found.estimate:
        measure, name, other = statistic
        of = first == classes.index(name) if measure == "transition" else np.ones(len(first), bool)
        share_of = len(np.unique(groups[of])) if measure in SHARES else None
        interval = found.interval(statistic, share_of=share_of)
        rows.append({"measure": measure, "name": name, "other": other, **interval._asdict()})
        rows[-1] |= {"p": p.get(statistic, ""), "pictures": int(of.sum())}
    return rows


def descriptor_rows(
    before: NDArray, after: NDArray, groups: NDArray, samples: int = 2000, seed: int = 0
) -> list[dict]:
    """Paired change of every descriptor, in standard deviations over the untouched pictures.

    Args:
        before: (N, K) descriptors of the untouched pictures in the order of ``DESCRIPTORS``; nan where there
            is none.
        after: (N, K) of the redrawn ones.
        groups, samples, seed: of the bootstrap.

    Returns:
        Rows as in :func:`mood_rows` with measure "descriptor"; p is after Holm over the descriptors. A
        descriptor with fewer than two pictures that have it both times, or without spread, has no row.
    """
    rows, p = [], {}
    for k, name in enumerate(DESCRIPTORS):
        both = ~np.isnan(before[:, k]) & ~np.isnan(after[:, k])
        spread = np.std(before[both, k]) if both.any() else 0.0
        if len(np.unique(groups[both])) < 2 or spread < 1e-12:
            continue
        change = (after[both, k] - before[both, k]) / spread
        found = resample(weighted_mean, change, groups=groups[both], samples=samples, seed=seed)
        p[name] = found.p()
        rows.append({"measure": "descriptor", "name": name, "other": "", **found.interval()._asdict()})
        rows[-1]["pictures"] = int(both.sum())
    corrected = holm(p)
    return [row | {"p": corrected[row["name"]]} for row in rows]


@register
@dataclasses.dataclass(frozen=True)
class MoodShift(TableStudy):
    """How does redrawing a picture change the mood that a classifier reads in it?

    Rows have subject ("paintings" or "photos"), style, the columns of :func:`mood_rows`, and split: the rule
    that kept the pictures apart from those that trained or chose anything. Beside the table lies
    ``…_pictures.csv``, both readings of every picture.
    """

    # 5: pictures without colour are drawn without; shares that are 0 or 1 in all groups have an interval
    version = 5
    keys = ("subject", "style")
    sources = ("data", "photos", "roles")
    selection = ("styles",)

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    photos: str = ""  # folder of photos; "" takes the six free ones of installed packages
    styles: tuple[str, ...] = STYLES  # names of styles, or "JPEG, quality 75"
    held_out: int = 80  # number of photos (without ROLES: held out by training, of which half report)
    roles: str = ""  # CSV of photo and role: only photos that "report" are redrawn
    config: StatisticsConfig = CONFIG  # of the classifier
    samples: int = 2000  # of the bootstrap over painters, or over photos
    seed: int = 0  # of the choice of photos and of the bootstrap

    def plan(self) -> list[dict]:
        return [{"subject": s, "style": style} for style in self.styles for s in ("paintings", "photos")]

    def depends_on(self, **run: str) -> str | None:
        return weights_of(run["style"])

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        """The untouched pictures are measured and the readers fitted; measurements are kept in ``kept``."""
        data, kept = grouped(open_dataset(self.data)), Cache(out / "kept")
        files = [data.root / path for path in data.paths]
        paintings = Collection("paintings", files, data.read, data.paths, data.groups, kept, self.config)
        found = read_photos(self.photos, self.held_out, self.seed, self.roles)
        names, shown = tuple(found), list(found.values())
        scenes = Collection(
            "photos", shown, lambda i: Image.fromarray(shown[i]), names, np.array(names), kept, self.config
        )
        readers = Readers(data, paintings.measured()[0], self.config)
        details = self.runs(out, "_pictures")
        rules = {
            "paintings": "folds that keep painters apart",
            "photos": split_of(self.photos, self.held_out, self.seed, self.roles),
        }

        def compare(subject: str, style: str) -> list[dict]:
            pictures = paintings if subject == "paintings" else scenes
            (before, described), (after, redescribed) = pictures.measured(), pictures.measured(style)
            reads = readers.held_out if subject == "paintings" else readers.others
            labels = data.labels if subject == "paintings" else None
            readings = reads(before), reads(after)
            options: dict[str, Any] = {"samples": self.samples, "seed": self.seed}
            each = picture_rows(pictures, *readings, data.classes)
            details.add({"subject": subject, "style": style}, *each, seconds=0, stamp=False)
            rows = [
                *mood_rows(*readings, data.classes, pictures.groups, labels, **options),
                *descriptor_rows(described, redescribed, pictures.groups, **options),
            ]
            return [row | {"split": rules[subject]} for row in rows]

        return compare


def picture_rows(pictures: Collection, before: NDArray, after: NDArray, classes: Sequence[str]) -> list[dict]:
    """Picture, group and the probability of every class before and after, one row per picture."""
    return [
        {"picture": name, "group": str(group)}
        | {f"before_{c}": float(v) for c, v in zip(classes, first, strict=True)}
        | {f"after_{c}": float(v) for c, v in zip(classes, then, strict=True)}
        for name, group, first, then in zip(pictures.names, pictures.groups, before, after, strict=True)
    ]


def recomputed(
    pictures: Sequence[Mapping], classes: Sequence[str], samples: int = 2000, seed: int = 0
) -> list[dict]:
    """The table from both readings of every picture, ``mood_shift_pictures.csv``, without what those do not
    tell: the accuracy, and the changes of descriptors.

    Args:
        pictures: rows of the CSV.
        classes: the moods, in the order of the study's classes.
        samples, seed: of the bootstrap, as in the study.
    """
    runs: dict[tuple, list[Mapping]] = {}
    for row in pictures:
        runs.setdefault(tuple(row[k] for k in MoodShift.keys), []).append(row)
    table = []
    for run, rows in runs.items():
        before, after = (
            np.array([[float(row[f"{when}_{c}"]) for c in classes] for row in rows])
            for when in ("before", "after")
        )
        groups = np.array([row["group"] for row in rows])
        keys = dict(zip(MoodShift.keys, run, strict=True))
        found = mood_rows(before, after, classes, groups, samples=samples, seed=seed)
        table += [{**keys, **row} for row in found]
    return table
