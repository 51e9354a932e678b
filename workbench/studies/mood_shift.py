"""How does redrawing a picture change the mood that a classifier reads in it?

Each picture is read before and after it is redrawn, and its descriptors of expression are measured both
times. A painting is read by a classifier that has never seen its painter: the layer of the shipped
``mood_statistics`` is fitted anew in every fold (to untouched paintings, lite0 and four views for speed), or
a change would partly be what the classifier knows by heart. Photos are read by a layer fitted to all
paintings, which was made for paintings: of photos it tells a direction, not a mood that anybody confirmed.

A re-encoded picture (JPEG, quality 75), which people would not tell from the original, is the control: what
moves there is the classifier's unrest.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from workbench.classify.configs import StatisticsConfig
from workbench.classify.features import StatisticsFeatures
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.errors import DatasetError
from workbench.core.runs import Runs
from workbench.data.atelier import open_dataset
from workbench.data.images import list_images, read_image
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.interpret.descriptors import DESCRIPTORS, describe
from workbench.metrics.bootstrap import bootstrap_draws, percentiles
from workbench.metrics.calibration import apply_temperature, fit_temperature
from workbench.metrics.checks import weighted_mean
from workbench.metrics.classification import balanced_accuracy, confusion_matrix
from workbench.metrics.paired import holm, two_sided_p
from workbench.studies.stylizers import SHORT_SIDE, free_photos
from workbench.styles.stylize import stylize

CONTROL = "JPEG, quality 75"
STYLES = ("fsgan_pepper", "fsgan_ink", CONTROL, "colormatrix_gray")
_KEEP_EVERY = 25  # pictures between two writes of what was measured
CONFIG = StatisticsConfig(variants=("lite0",), eval_crops=((224, 3),), split_seeds=(0,))


def redraw(image: Image.Image, style: str) -> Image.Image:
    """``image`` in a style of :func:`workbench.styles.stylize.styles`, or as :data:`CONTROL` has it."""
    if style != CONTROL:
        return stylize(image, style)
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=75)
    return read_image(file.getvalue())


class Pictures:
    """Pictures with what is measured on them, kept on disk so that an interrupted study loses little.

    Args:
        name: in the table.
        read: gives picture ``i``.
        names: one for each picture.
        groups: (N,) painter of each, or its own name.
        folder: of the kept measurements.
        config: views and networks of the classifier.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[int], Image.Image],
        names: Sequence[str],
        groups: NDArray,
        folder: Path,
        config: StatisticsConfig,
    ):
        self.name, self.names, self.groups = name, tuple(names), groups
        self._read, self._folder, self._config = read, folder, config

    def __len__(self) -> int:
        return len(self.names)

    def measured(self, style: str = "") -> tuple[torch.Tensor, NDArray]:
        """(N, D) statistics and (N, K) descriptors of the redrawn pictures, of the untouched ones for ""."""
        settings = [self.name, self.names, style, self._config.variants, self._config.size]
        settings += [self._config.eval_crops, list(DESCRIPTORS)]
        key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
        kept = self._folder / f"{key}.npz"
        statistics, descriptors = [], []
        if kept.is_file():
            with np.load(kept) as stored:
                statistics, descriptors = list(stored["statistics"]), list(stored["descriptors"])
        todo = range(len(statistics), len(self))
        for i in tqdm(todo, desc=style or self.name, unit="picture", disable=None):
            image = self._read(i)
            image = redraw(image, style) if style else image
            statistics.append(StatisticsFeatures.of(self._config).measure(image))
            descriptors.append(np.array(list(describe(image).values())))
            if (i + 1) % _KEEP_EVERY == 0 or i + 1 == len(self):
                self._keep(kept, statistics, descriptors)
        return torch.from_numpy(np.stack(statistics)), np.stack(descriptors)

    def _keep(self, path: Path, statistics: list[NDArray], descriptors: list[NDArray]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, statistics=np.stack(statistics), descriptors=np.stack(descriptors))
        partial.replace(path)


class Readers:
    """Layers that read moods: one a fold of the paintings, and one fitted to them all.

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
    """What redrawing did to the readings.

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
        "distance": mean total variation between the two readings, 0 to 1.
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
    estimate, draws = bootstrap_draws(metric, *arrays, groups=groups, samples=samples, seed=seed)
    paired = [k for k in estimate if k[0] == "change"]
    p = holm({k: two_sided_p(draws[k]) for k in paired})
    p |= {k: two_sided_p(draws[k]) for k in estimate if k[0] == "accuracy change"}
    rows = []
    for key, value in estimate.items():
        measure, name, other = key
        low, high = percentiles(draws[key])
        n = int((first == classes.index(name)).sum()) if measure == "transition" else len(first)
        rows.append({"measure": measure, "name": name, "other": other, "estimate": value, "low": low})
        rows[-1] |= {"high": high, "p": p.get(key, ""), "pictures": n}
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
        estimate, draws = bootstrap_draws(
            weighted_mean, change, groups=groups[both], samples=samples, seed=seed
        )
        low, high = percentiles(draws[""])
        p[name] = two_sided_p(draws[""])
        rows.append({"measure": "descriptor", "name": name, "other": "", "estimate": estimate[""]})
        rows[-1] |= {"low": low, "high": high, "pictures": int(both.sum())}
    corrected = holm(p)
    return [row | {"p": corrected[row["name"]]} for row in rows]


def photographs(folder: str | Path = "", count: int = 120) -> tuple[list[str], Callable[[int], Image.Image]]:
    """Names and a reader of at most ``count`` photos spread over a folder, shrunk to short side 288, the size
    that the stylizers learned; without a folder the photographs that come with scikit-image and scikit-learn.

    Raises:
        DatasetError: fewer than two photos.
    """
    if not folder:
        free = free_photos()
        return list(free), lambda i: Image.fromarray(list(free.values())[i])
    files = list_images(folder)
    if len(files) < 2:
        raise DatasetError(f"Expected at least 2 photos in {folder} but found {len(files)}. Add more.")
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)]
    return [f.relative_to(folder).as_posix() for f in chosen], lambda i: _shrunk(read_image(chosen[i]))


def _shrunk(image: Image.Image) -> Image.Image:
    scale = SHORT_SIDE / min(image.size)
    if scale >= 1:
        return image
    return image.resize([max(SHORT_SIDE, round(s * scale)) for s in image.size], Image.Resampling.LANCZOS)


def run(
    data: str | Path = "atelier:60",
    out: str | Path = "runs/11",
    photos: str | Path = "",
    styles: Sequence[str] = STYLES,
    photo_count: int = 120,
    config: StatisticsConfig = CONFIG,
    samples: int = 2000,
    seed: int = 0,
) -> Path:
    """Measure what is not measured yet and write ``mood_shift.csv`` in ``out``.

    Args:
        data: a folder of labelled paintings, or "atelier:N".
        out: folder of the table; ``kept`` in it holds what was measured on each picture.
        photos: a folder of photos; "" takes the six free ones of installed packages.
        styles: of :func:`workbench.styles.stylize.styles`, or :data:`CONTROL`.
        photo_count: at most so many photos.
        config: of the classifier.
        samples, seed: of the bootstrap over painters (over photos for photos).

    Returns:
        The CSV: subject ("paintings" or "photos"), style, then the columns of :func:`mood_rows`, provenance.
    """
    found, kept = open_dataset(str(data)), Path(out) / "kept"
    paintings = Pictures("paintings", found.read, found.paths, np.asarray(found.groups), kept, config)
    names, read = photographs(photos, photo_count)
    scenes = Pictures("photos", read, names, np.array(names), kept, config)
    readers: list[Readers] = []

    def measure(subject: str, style: str) -> list[dict]:
        if not readers:
            readers.append(Readers(found, paintings.measured()[0], config))
        pictures = paintings if subject == "paintings" else scenes
        (before, described), (after, redescribed) = pictures.measured(), pictures.measured(style)
        reads = readers[0].held_out if subject == "paintings" else readers[0].others
        labels = found.labels if subject == "paintings" else None
        readings, options = (reads(before), reads(after)), {"samples": samples, "seed": seed}
        return [
            *mood_rows(*readings, found.classes, pictures.groups, labels, **options),
            *descriptor_rows(described, redescribed, pictures.groups, **options),
        ]

    plan = [{"subject": s, "style": style} for style in styles for s in ("paintings", "photos")]
    runs = Runs(Path(out) / "mood_shift.csv", ("subject", "style"))
    return runs.do(plan, measure, desc="mood shift")
