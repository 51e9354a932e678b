"""Measures of drawings compared with the ranks that blinded judges gave them.

The judges' scenes are photos on which drawings were tuned. None of them is among the photos that report in
``reports/splits/scenes.csv``, and no style that ships is measured on them: the study asks what measures say
about judges, and chooses nothing that a photo of the other studies reports.

Two of the measures come from EfficientNet-lite0, which trained no stylizer. The probe is a linear classifier
of photos and drawings; it scores a drawing without having seen that photo, any drawing of it, or any drawing
by that stylizer. KID (:mod:`workbench.metrics.kid`) belongs to a set of drawings and not to a single one, so
that every measure has a second correlation, between its mean of each stylizer (KID: of the set) and the
stylizers' mean ranks.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import rankdata

from workbench.classify.probes import linear_probe
from workbench.core.cache import digest
from workbench.core.errors import DatasetError
from workbench.core.runs import read_rows
from workbench.data.images import list_images, read_image
from workbench.data.scenes import load_pictures
from workbench.metrics import kid
from workbench.metrics.bootstrap import Interval, Resamples, bootstrap, columns, draw_counts, percentiles
from workbench.metrics.checks import weighted_mean
from workbench.metrics.lines import Drawnness, drawnness
from workbench.metrics.stylization import color_drift, edge_f1
from workbench.models.features import FrozenFeatures
from workbench.studies.study import Rows, TableStudy, register
from workbench.studies.stylizer_pictures import SHORT_SIDE, Picture, episodes, read_style

QUESTIONS = ("overall", "drawn", "clean")
PROBE, KID = "photo_or_drawing", "kid_lite0"
MEASURES = (*(f.name for f in dataclasses.fields(Drawnness)), "color_drift", "lost_edges", PROBE)
Pair = tuple[str, str]  # picture and stylizer
Key = tuple[str, str, str]  # set, stylizer and picture


@register
@dataclasses.dataclass(frozen=True)
class Yardsticks(TableStudy):
    """Which measures rank stylizers as blinded judges do?

    Every sheet of every judge gives a rank correlation between measure and preference. A row has the mean,
    its interval over pictures, and the mean closest to zero when one stylizer is left out. ``of_means`` is
    the rank correlation between the stylizers' means of the measure and their mean ranks, with an interval
    over pictures, and likewise without one stylizer; KID has this one alone, its interval over groups of the
    style, too. With few stylizers ``of_means`` takes few values: of six, .886 or more has p < .05. ``auc``
    (of the probe): chance that a drawing is scored above a photo.
    """

    version = 2  # thinness of lines, a probe, KID, and correlations of means
    keys = ("measure", "question")
    sources = ("panel", "style")

    panel: str  # folder with ranks.csv and SET/STYLIZER/PICTURE, SET/photo/PICTURE
    style: str = ""  # pictures of a style for KID: a folder, or atelier:N; "" leaves KID out
    group: str = "scenes"  # set of the ranks
    samples: int = 2000  # of the bootstrap over pictures

    def plan(self) -> list[dict[str, str]]:
        measures = (*MEASURES, *([KID] if self.style else []))
        return [{"measure": m, "question": q} for m in measures for q in QUESTIONS]

    def depends_on(self, **run: str) -> str:
        return digest(Path(self.panel) / "ranks.csv")

    def prepare(self, out: Path) -> Callable[..., Rows]:
        table = Path(self.panel) / "ranks.csv"
        ranks = [row for row in read_rows(table) if row["set"] == self.group]
        if not ranks:
            raise DatasetError(f"Expected ranks of the set {self.group} in {self.panel} but there are none.")
        pairs = sorted({(row["picture"], row["stylizer"]) for row in ranks})
        measures = {pair: _measures(Path(self.panel) / self.group, *pair) for pair in pairs}
        features = panel_features(Path(self.panel))
        scores, auc = probe(features, self.group, pairs)
        for pair, score in scores.items():
            measures[pair][PROBE] = score
        distances = None
        if self.style:
            distances = style_distances(features, self.group, pairs, read_style(self.style), self.samples)

        def compare(measure: str, question: str) -> dict:
            sheets: dict[Pair, dict[str, float]] = defaultdict(dict)
            for row in ranks:
                if row["question"] == question:
                    sheets[row["picture"], row["judge"]][row["stylizer"]] = float(row["rank"])
            preferred = means(mean_ranks(sheets), self.samples)
            if measure == KID and distances is not None:
                return {"pictures": len({p for p, _ in sheets})} | agreement_of_means(distances, preferred)
            values = {pair: numbers[measure] for pair, numbers in measures.items()}
            return {
                **summary(sheets, values, self.samples),
                **agreement_of_means(means(values, self.samples), preferred),
                **({"auc": auc} if measure == PROBE else {}),
            }

        return compare


def summary(
    sheets: Mapping[Pair, Mapping[str, float]], values: Mapping[Pair, float], samples: int
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
    without, worst = _closest_to_zero({name: float(agreement(name).mean()) for name in stylizers}, found[0])
    return {
        "pictures": len(per_picture),
        "correlation": found.estimate,
        "low": found.low,
        "high": found.high,
        "correlation_without_one": without,
        "left_out": worst,
    }


def preference(ranks: Sequence[float], numbers: NDArray[np.float64]) -> float:
    """Spearman's correlation of a measure with being preferred (rank 1 is best); nan if all are equal."""
    a, b = -rankdata(ranks), rankdata(numbers)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def mean_ranks(sheets: Mapping[Pair, Mapping[str, float]]) -> dict[Pair, float]:
    """Mean rank over the judges by (picture, stylizer), of the sheets by (picture, judge)."""
    given = defaultdict(list)
    for (picture, _), ranks in sheets.items():
        for name, rank in ranks.items():
            given[picture, name].append(rank)
    return {pair: float(np.mean(found)) for pair, found in given.items()}


def means(values: Mapping[Pair, float], samples: int) -> Resamples:
    """Each stylizer's mean over all pictures, and over resamples of them; nan (no lines) counts as 0."""
    pictures, stylizers = (sorted(set(names)) for names in zip(*values, strict=True))
    table = np.nan_to_num([[values[p, s] for s in stylizers] for p in pictures])
    drawn = draw_counts(len(pictures), samples) @ table / len(pictures)
    return Resamples(
        dict(zip(stylizers, table.mean(0).tolist(), strict=True)),
        dict(zip(stylizers, drawn.T, strict=True)),
        len(pictures),
    )


def agreement_of_means(measure: Resamples, ranks: Resamples) -> dict[str, float | str]:
    """Rank correlation over stylizers between a measure and being preferred, with its interval, and without
    one stylizer. Both are resampled together (:func:`means`)."""

    def correlation(names: Iterable[str]) -> float:
        names = list(names)
        return preference([ranks.estimate[n] for n in names], np.array([measure.estimate[n] for n in names]))

    stylizers = sorted(ranks.estimate)
    found = correlation(stylizers)
    pairs = zip(*(np.stack([side.draws[n] for n in stylizers], 1) for side in (ranks, measure)), strict=True)
    draws = [preference(mean_rank, values) for mean_rank, values in pairs]
    interval = percentiles(draws, groups=min(measure.groups, ranks.groups))
    without, worst = _closest_to_zero(
        {n: correlation(s for s in stylizers if s != n) for n in stylizers}, found
    )
    row: dict[str, float | str] = {}
    row.update(columns("of_means", found, *interval))
    row.update(of_means_without_one=without, of_means_left_out=worst)
    return row


def style_distances(
    features: Mapping[Key, NDArray],
    group: str,
    pairs: Sequence[Pair],
    style: Mapping[str, Picture],
    samples: int,
) -> Resamples:
    """KID × 1000 of each stylizer's drawings of the pictures in ``pairs`` to a style, on the resamples of
    :func:`means`.

    Args:
        features: as for :func:`probe`.
        group: the set of these drawings.
        pairs: (picture, stylizer); every stylizer has drawn every picture.
        style: its pictures by name (:func:`workbench.studies.stylizer_pictures.episodes` says what belongs
            together).
        samples: of the bootstrap.
    """
    pictures = sorted({picture for picture, _ in pairs})
    sets = {
        name: np.stack([features[group, name, picture] for picture in pictures])
        for name in sorted({name for _, name in pairs})
    }
    return kid.resampled(sets, lite0_features(style.values()), episodes(style), samples, 0)


def probe(
    features: Mapping[Key, NDArray], group: str, pairs: Sequence[Pair]
) -> tuple[dict[Pair, float], float]:
    """Log-odds of being a drawing by a linear classifier that saw neither that photo nor that stylizer.

    Args:
        features: (views, D) by (set, stylizer, picture), as :func:`panel_features` gives them.
        group: the set that is scored.
        pairs: the drawings that are scored.

    Returns:
        The log-odds of every pair, and the chance that a drawing has more than a photo (ties count half).
    """
    names = sorted(features)
    table = np.stack([features[name].mean(0) for name in names])
    drawn = np.array([stylizer != "photo" for _, stylizer, _ in names])
    scores, of_photos = {}, []
    for picture, stylizer in pairs:
        other = [name[1] != stylizer and (name[0], name[2]) != (group, picture) for name in names]
        fitted = linear_probe().fit(table[other], drawn[other])
        rows = [names.index((group, own, picture)) for own in (stylizer, "photo")]
        scores[picture, stylizer], of_photo = fitted.decision_function(table[rows]).tolist()
        of_photos.append(of_photo)
    gaps = np.subtract.outer(np.array(list(scores.values())), np.array(of_photos))
    return scores, float((gaps > 0).mean() + (gaps == 0).mean() / 2)


def panel_features(panel: Path) -> dict[Key, NDArray[np.float64]]:
    """(views, D) of every picture, by (set, stylizer, picture), of the sets that have photos beside them."""
    found: dict[Key, NDArray[np.float64]] = {}
    for folder in sorted(photos.parent for photos in panel.glob("*/photo")):
        for stylizer in sorted(path for path in folder.iterdir() if path.is_dir()):
            pictures = load_pictures(stylizer, SHORT_SIDE, least=1)
            rows = lite0_features(pictures.values())
            found |= {
                (folder.name, stylizer.name, Path(n).stem): r for n, r in zip(pictures, rows, strict=True)
            }
    return found


def lite0_features(pictures: Iterable[Picture]) -> NDArray[np.float64]:
    """(N, views, D) of EfficientNet-lite0, a picture at a time: it never depends on the others."""
    network = FrozenFeatures("lite0")
    return np.concatenate([kid.features(network, [Image.fromarray(p)], batch=3) for p in pictures])


def _closest_to_zero(without: Mapping[str, float], whole: float) -> tuple[float, str]:
    """Of the correlations without each stylizer the one that speaks least for the sign of the whole one."""
    worst = min(without, key=lambda name: without[name] * np.sign(whole))
    return without[worst], worst


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
