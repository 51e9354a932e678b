"""Descriptors of expression of a picture, a collection, or its classes.

    >>> from skimage.data import astronaut
    >>> values = describe(Image.fromarray(astronaut()))
    >>> list(values) == list(DESCRIPTORS)
    True

:data:`DESCRIPTORS`, from :mod:`workbench.interpret.expression`, gives the definition, unit, range and source
of each. Pictures are measured at one size, and lengths are in per cent of the short side, so the resolution
of a file does not matter. Undefined values are nan, such as the straightness of lines where there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from workbench.core.errors import DatasetError
from workbench.data.paintings import Paintings
from workbench.interpret.expression import DESCRIPTORS, Descriptor
from workbench.interpret.marks import Picture

__all__ = ["DESCRIPTORS", "Descriptor", "class_averages", "describe", "describe_folder"]


def describe(image: Image.Image) -> dict[str, float]:
    """All descriptors of a picture, in the order of :data:`DESCRIPTORS`; about 0.1 s.

    Raises:
        ImageError: a side is below 16 pixels.
    """
    picture = Picture(image)
    return {name: float(one.measure(picture)) for name, one in DESCRIPTORS.items()}


def describe_folder(data: Paintings, progress: Callable[[float], None] | None = None) -> dict[str, NDArray]:
    """Table of a collection.

    Args:
        data: N paintings.
        progress: called with the share done; by default a progress bar on the terminal.

    Returns:
        Columns: ``path``, ``label``, ``group`` (N,) strings, and one (N,) float column per descriptor.
    """
    rows = []
    for i in tqdm(range(len(data)), desc="measuring", unit="picture", disable=True if progress else None):
        rows.append(describe(data.read(i)))
        if progress:
            progress((i + 1) / len(data))
    table = {name: np.array([row[name] for row in rows]) for name in DESCRIPTORS}
    labels = np.array([data.classes[c] for c in data.labels])
    return {"path": np.array(data.paths), "label": labels, "group": np.array(data.groups), **table}


def class_averages(
    table: dict[str, NDArray], samples: int = 2000, level: float = 0.95, seed: int = 0
) -> list[dict]:
    """Mean of every descriptor in every class, with a bootstrap interval over groups (painters).

    Args:
        table: of :func:`describe_folder`, or another with the same first columns; nan entries are ignored.
        samples, level, seed: of the bootstrap.

    Returns:
        Rows of ``descriptor``, ``class``, ``pictures`` (with a value), ``mean``, ``low``, ``high``, and
        over all pictures ``spread``, the standard deviation of the descriptor, and ``p5`` and ``p95``, its
        5th and 95th percentiles.

    Raises:
        DatasetError: the table has fewer than 2 groups.
    """
    from workbench.metrics.bootstrap import bootstrap  # loads scipy.stats, which the server can do without

    names = [name for name in table if name not in ("path", "label", "group")]
    classes = sorted(set(table["label"].tolist()))
    if len(set(table["group"].tolist())) < 2:
        raise DatasetError("Expected pictures of at least 2 painters for intervals but all have the same.")
    values = np.stack([table[name] for name in names], 1).astype(float)  # (N, D)
    member = np.array(classes)[None] == table["label"][:, None]  # (N, C)

    def means(values, member, weights=None):
        weights = np.ones((1, len(values))) if weights is None else weights
        known = ~np.isnan(values)
        filled = np.where(known, values, 0)
        by_class: dict[Any, NDArray] = {}
        for c, name in enumerate(classes):
            share = weights * member[:, c]
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = (share @ filled) / (share @ known)  # (S, D)
            by_class |= {(d, name): mean[:, i] for i, d in enumerate(names)}
        return by_class if len(weights) > 1 else {k: v.item() for k, v in by_class.items()}

    intervals = bootstrap(
        means, values, member, groups=table["group"], samples=samples, level=level, seed=seed
    )
    rows = []
    for i, name in enumerate(names):
        for c, label in enumerate(classes):
            n = int((~np.isnan(values[:, i]) & member[:, c]).sum())
            mean, low, high = intervals[name, label]
            rows.append(
                {"descriptor": name, "class": label, "pictures": n, "mean": mean, "low": low, "high": high}
            )
            known = values[~np.isnan(values[:, i]), i]
            low, high = np.percentile(known, (5, 95)) if len(known) else (np.nan, np.nan)
            spread = known.std() if len(known) else np.nan
            rows[-1] |= {"spread": float(spread), "p5": float(low), "p95": float(high)}
    return rows
