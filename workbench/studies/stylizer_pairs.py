"""Stylizers compared with each other, in pairs, on the same photos and the same episodes of a style."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.metrics import kid, spectrum
from workbench.metrics.bootstrap import Resamples, columns, draw_counts
from workbench.metrics.paired import holm

Measured = Mapping[str, NDArray]  # of drawings: features (N, views, D), profiles (N, bins), measures (N,) …
OF_PHOTOS = ("edge_f1", "color_drift", "region_variance")  # measured photo by photo
DEBIASED = ("spectral_distance",)  # which noise raises


def resample_measures(
    sets: Mapping[Any, Measured], style: Measured, of_photos: Sequence[str], samples: int, seed: int = 0
) -> dict[str, Resamples]:
    """Every measure of every set of drawings of the same photos, on resamples that the sets share.

    Args:
        sets: features (N, views, D), profiles (N, bins), and (N,) of every measure of single photos.
        style: features, profiles and groups of the style's pictures.
        of_photos: names of those measures.
        samples: of the bootstrap over photos and, for KID and spectral distance, groups of the style.
        seed: of the bootstrap.

    Returns:
        By measure: "kid_lite0", "spectral_distance" and ``of_photos``; names are those of ``sets``.
    """
    count = len(next(iter(sets.values()))["profiles"])
    times = np.concatenate([np.ones((1, count)), draw_counts(count, samples, seed)]) / count

    def all_of(kind: str) -> dict[Any, NDArray]:
        return {name: arrays[kind] for name, arrays in sets.items()}

    found = {
        "kid_lite0": kid.resampled(all_of("features"), style["features"], style["groups"], samples, seed),
        "spectral_distance": spectrum.resampled_distance(
            all_of("profiles"), style["profiles"], style["groups"], samples, seed
        ),
    }
    for measure in of_photos:
        values = {name: _means(each, times) for name, each in all_of(measure).items()}
        found[measure] = Resamples(
            {k: float(v[0]) for k, v in values.items()}, {k: v[1:] for k, v in values.items()}, count
        )
    return found


def _means(values: NDArray, times: NDArray) -> NDArray[np.float64]:
    """(S,) weighted means of values (N,) with weights (S, N); a photo without a value (nan) has no weight."""
    known = ~np.isnan(values)
    return times[:, known] @ values[known] / times[:, known].sum(1)


def pair_rows(
    sets: Mapping[str, Measured], firsts: Sequence[str], style: Measured, samples: int = 2000, seed: int = 0
) -> list[dict]:
    """Every stylizer of ``firsts`` less every other one, by each measure.

    Stylizers of the same photos share one resampling of photos and of the style's groups. One that drew only
    some of the photos is compared on those, resampled apart.

    Args:
        sets: by stylizer; ``places`` (N,) says which photos they are, in order, of the longest list.
        firsts: stylizers that are compared with all others.
        style: features, profiles and groups of the style's pictures.
        samples, seed: of the bootstrap.

    Returns:
        Rows of stylizer, other, metric, photos, ``difference`` with its interval, p (two-sided) and
        ``p_holm``: corrected after Holm over all others that are compared with this stylizer by this measure.
        The spectral distance is corrected for its noise, as in the table of the stylizers.
    """
    found: dict[tuple[str, str, str], dict] = {}
    for asked, shared in _comparable(sets, firsts):
        for measure, values in resample_measures(shared, style, OF_PHOTOS, samples, seed).items():
            for first, other in asked:
                gap = values.difference(first, other, debias=measure in DEBIASED)
                row: dict[str, Any] = {"stylizer": first, "other": other, "metric": measure}
                row["photos"] = len(shared[first]["places"])
                row |= columns("difference", gap.estimate, gap.low, gap.high)
                found[first, measure, other] = row | {"p": gap.p}
    measures = list(dict.fromkeys(measure for _, measure, _ in found))
    rows = []
    for first in firsts:
        for measure in measures:
            family = [row for (a, m, _), row in found.items() if (a, m) == (first, measure)]
            family.sort(key=lambda row: list(sets).index(row["other"]))
            corrected = holm({row["other"]: row["p"] for row in family})
            rows += [row | {"p_holm": corrected[row["other"]]} for row in family]
    return rows


def _comparable(
    sets: Mapping[str, Measured], firsts: Sequence[str]
) -> Iterator[tuple[list[tuple[str, str]], dict[str, Measured]]]:
    """Pairs that have the same photos in common, and what was measured on those."""
    pairs: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for first in firsts:
        for other in sets:
            if other != first:
                both = np.intersect1d(sets[first]["places"], sets[other]["places"])
                pairs.setdefault(tuple(both.tolist()), []).append((first, other))
    for common, asked in pairs.items():
        shared: dict[str, Measured] = {}
        for name in dict.fromkeys(name for pair in asked for name in pair):
            at = np.isin(sets[name]["places"], common)
            shared[name] = {kind: values[at] for kind, values in sets[name].items()}
        yield asked, shared
