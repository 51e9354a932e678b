"""Detection of two files of one painting by matching keypoints: recall and false alarms by threshold.

Each collection is tested twice. *There already*: its own near pairs, with pairs of one painting listed by a
person (``same``); every other pair at or above a threshold is a false alarm. *Reproduced*: some of its
paintings are altered (cropped, rotated, smaller, in other colours, on a mount, compressed) and searched in
the collection; any other painting that is found is a false alarm. The cosine of whole pictures is compared at
the thresholds of :mod:`workbench.data.duplicates`.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from tqdm import tqdm

from workbench.core.errors import DatasetError
from workbench.data.atelier import open_dataset
from workbench.data.duplicates import SAME, SERIES, turned_features
from workbench.data.images import read_image
from workbench.data.local_features import INLIERS, LocalFeatures, agreeing_keypoints, local_features
from workbench.data.neighbours import nearest
from workbench.data.paintings import Paintings
from workbench.metrics.bootstrap import share_interval
from workbench.studies.study import TableStudy, collection_name, register

THRESHOLDS = {"keypoints": (10, 15, 20, 30, INLIERS, 60, 100), "cosine": (SERIES, SAME)}
Pairs = list[tuple[int, int]]


@register
@dataclasses.dataclass(frozen=True)
class NearDuplicates(TableStudy):
    """How many matching keypoints show that two files are of one painting?

    Rows have collection, source (there already, or reproduced), detector and threshold; compared (pairs),
    same (of them, pairs of one painting), found (of these, at or above the threshold), recall with its 95 %
    Wilson interval, false_alarms (different paintings at or above it), and, whatever the threshold,
    least_of_same and most_of_different.
    """

    keys = ("collection",)
    sources = ("data",)

    data: tuple[str, ...] = ("atelier:40",)  # folders of labelled paintings, or atelier:N
    # pairs of files that a person saw to show one painting, as FIRST=SECOND, paths within their folder
    same: tuple[str, ...] = ()
    reproductions: int = 60  # of each collection, drawn by the seed
    neighbours: int = 8  # nearest pictures that a picture is compared with
    seed: int = 0  # of the choice and of the reproductions

    def plan(self) -> list[dict]:
        return [{"collection": collection_name(source)} for source in self.data]

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        sources = {collection_name(source): source for source in self.data}
        return lambda collection: self._rows(open_dataset(sources[collection]))

    def _rows(self, paintings: Paintings) -> list[dict]:
        features = turned_features(paintings.root, paintings.paths)
        local = [
            local_features(paintings.read(i))
            for i in tqdm(range(len(paintings)), desc="keypoints", unit="picture", disable=None)
        ]
        near, _ = nearest(features[:, 0], min(self.neighbours, len(paintings) - 1))
        pairs = sorted({(min(i, int(j)), max(i, int(j))) for i, row in enumerate(near) for j in row})
        known = self._known(paintings)
        rows = rows_of(
            "there already",
            _scores(pairs, features, features, local, local),
            np.array([pair in known for pair in pairs], dtype=bool),
        )
        chosen = np.random.default_rng(self.seed).permutation(len(paintings))[: self.reproductions]
        with tempfile.TemporaryDirectory() as folder:
            names = [f"{i}.jpg" for i in chosen]
            for i, name in zip(chosen, names, strict=True):
                rng = np.random.default_rng([self.seed, int(i)])
                reproduction(paintings.read(int(i)), rng).save(Path(folder, name), quality=70)
            again = turned_features(Path(folder), names)
            found = [local_features(read_image(Path(folder, name))) for name in names]
        likeness = again[:, 0] @ features[:, 0].T
        order = np.argsort(-likeness, axis=1)[:, : self.neighbours]
        pairs = [(k, int(j)) for k, row in enumerate(order) for j in row]
        scores = _scores(pairs, again, features, found, local)
        same = np.array([chosen[k] == j for k, j in pairs], dtype=bool)
        return rows + rows_of("reproduced", scores, same, missed=len(chosen) - int(same.sum()))

    def _known(self, paintings: Paintings) -> set[tuple[int, int]]:
        """Index pairs of ``same`` that lie in a collection."""
        where = {path: i for i, path in enumerate(paintings.paths)}
        named = [tuple(pair.split("=")) for pair in self.same]
        if any(len(pair) != 2 for pair in named):
            raise DatasetError(f"Expected pairs of files as FIRST=SECOND but got {', '.join(self.same)}.")
        found = [sorted(where[path] for path in pair) for pair in named if set(pair) <= where.keys()]
        return {(a, b) for a, b in found}


def reproduction(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A copy, cropped by up to 10 % per side, rotated by up to 5°, smaller, recoloured, on a mount."""
    width, height = image.size
    image = image.rotate(rng.uniform(-5, 5), Image.Resampling.BICUBIC, fillcolor="white")
    left, top, right, bottom = rng.uniform(0, 0.1, 4)
    image = image.crop(
        (int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height))
    )
    scale = rng.uniform(0.5, 0.9)
    image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.7, 1.2))
    pixels = np.asarray(image) * rng.uniform(0.8, 1.0, 3)
    across, along = (int(rng.uniform(0, 0.15) * side) for side in image.size)
    mount = Image.new("RGB", (image.width + 2 * across, image.height + 2 * along), (190, 180, 150))
    mount.paste(Image.fromarray(pixels.astype(np.uint8)), (across, along))
    return mount


def _scores(
    pairs: Pairs,
    first: NDArray,
    second: NDArray,
    first_local: list[LocalFeatures],
    second_local: list[LocalFeatures],
) -> dict[str, NDArray]:
    """Matching keypoints, and the largest cosine over rotations, of each pair."""
    bar = tqdm(pairs, desc="comparing", unit="pair", disable=None)
    return {
        "keypoints": np.array([agreeing_keypoints(first_local[i], second_local[j]) for i, j in bar]),
        "cosine": np.array(
            [max((first[i, 0] @ second[j].T).max(), (second[j, 0] @ first[i].T).max()) for i, j in pairs]
        ),
    }


def rows_of(source: str, scores: dict[str, NDArray], same: NDArray[np.bool_], missed: int = 0) -> list[dict]:
    """One row per detector and threshold.

    Args:
        source: where the pairs come from.
        scores: (P,) of every pair, by detector.
        same: (P,) whether a pair shows one painting.
        missed: pairs of one painting that were not compared, since other pictures were nearer.
    """
    rows = []
    for detector, values in scores.items():
        for threshold in THRESHOLDS[detector]:
            there, hit = int(same.sum()) + missed, int((values[same] >= threshold).sum())
            row: dict[str, object] = {
                "source": source,
                "detector": detector,
                "threshold": threshold,
                "compared": len(values),
                "same": there,
                "found": hit,
            }
            if there:
                low, high = share_interval(hit, there)
                row |= {"recall": hit / there, "low": low, "high": high}
            row["false_alarms"] = int((values[~same] >= threshold).sum())
            row["least_of_same"] = float(values[same].min()) if same.any() else ""
            row["most_of_different"] = float(values[~same].max()) if (~same).any() else ""
            rows.append(row)
    return rows
