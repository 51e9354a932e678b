"""Measures of a scene stylizer: distance to the style, colour drift, flatness of regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench import losses
from workbench.core.cache import Cache
from workbench.core.pixels import region_labels
from workbench.metrics.bootstrap import bootstrap, columns
from workbench.metrics.checks import weighted_mean
from workbench.metrics.stylization import color_drift
from workbench.training.scene_data import REGIONS
from workbench.training.validation import StyleJudge


def region_variation(picture: NDArray[np.uint8], labels: NDArray) -> float:
    """Mean absolute deviation from region means in [0, 1] units: 0 is perfectly flat."""
    y = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    return losses.color_block_loss(y, torch.from_numpy(labels)[None]).item()


def over_photos(name: str, values: Sequence[float], digits: int) -> dict[str, float]:
    """Columns of a mean over photos and its 95 % interval, rounded; a single photo has no interval."""
    if len(values) < 2:
        return {name: round(float(np.mean(values)), digits)}
    found = columns(name, *bootstrap(weighted_mean, values))
    return {column: round(number, digits) for column, number in found.items()}


def measure(
    photos: Sequence[NDArray],
    style: Sequence[NDArray],
    drawings: Mapping[str, Sequence[Image.Image]],
    device: torch.device | str = "cpu",
    cache: Cache | None = None,
) -> list[dict]:
    """One row per set of drawings (KID on two networks, colour drift, flatness), and one of the style itself.

    KID has 95 % intervals over photos and pictures of the style, and its paired difference from the photos.
    The others are means with 95 % intervals over photos.

    Args:
        photos: uint8 (H, W, 3).
        style: all pictures in the style; without them there is no KID.
        drawings: of the photos, in their order, by the name of the set.
        device: where features are computed.
        cache: for the features of the style.
    """
    regions = [region_labels(p, **REGIONS) for p in photos]
    judges = {v: StyleJudge(style, device, v, cache) for v in ("lite0", "lite1") if style}
    untouched = {v: judge.features(map(Image.fromarray, photos)) for v, judge in judges.items()}
    rows = []
    for name, pictures in drawings.items():
        arrays = [np.asarray(p) for p in pictures]
        row = {"pictures": name, "photos": len(photos)}
        for variant, judge in judges.items():
            row |= judge.columns(judge.features(pictures), untouched[variant])
        drift = [color_drift(p, a) for p, a in zip(photos, arrays, strict=True)]
        flat = [region_variation(a, r) for a, r in zip(arrays, regions, strict=True)]
        rows.append(row | over_photos("color_drift", drift, 2) | over_photos("region_variation", flat, 4))
    if judges:
        row = {"pictures": "style against itself", "photos": ""}
        for variant, judge in judges.items():
            row |= {f"kid_{variant}": round(judge.style_halves().mean, 2)}
        rows.append({name: row.get(name, "") for name in rows[0]})
    return rows
