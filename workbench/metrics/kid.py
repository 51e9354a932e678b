"""KID-lite0: how far a set of pictures is from a style, on the features of EfficientNet-lite0.

Kernel Inception Distance (Bińkowski et al., ICLR 2018) with another feature network, hence the name: its
values compare only with each other. Always report it beside the photos themselves and the style set against
itself.

Two departures from the paper. Views of one picture are not independent, so pairs of them are left out of the
estimate. The interval comes from a bootstrap over pictures and over groups of the style (the episodes
of a comic) and not from random subsets, whose error shrinks with their number and not with the pictures'.
Two stylizers are compared by :func:`kid_difference`, not by their separate errors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.metrics.bootstrap import Difference, Resamples, draw_counts


class KID(NamedTuple):
    """Estimate, standard error, and 95 % interval over pictures and groups of the style, all × 1000."""

    mean: float
    error: float
    low: float
    high: float


def kid(
    pictures: NDArray,
    style: NDArray,
    style_groups: ArrayLike | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> KID:
    """KID × 1000 of a set of pictures to a style.

    Args:
        pictures: features (n, d) of single views, or (n, views, d) of :func:`features`; n ≥ 2.
        style: likewise, m ≥ 2.
        style_groups: (m,) whose pictures belong together, e.g. episodes; by default each is its own.
        samples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: dimensions differ, or a set has fewer than two pictures.
    """
    found = resampled({"kid": pictures}, style, style_groups, samples, seed)
    return KID(found.estimate["kid"], float(np.nanstd(found.draws["kid"])), *found.interval("kid")[1:])


def kid_difference(
    first: NDArray,
    second: NDArray,
    style: NDArray,
    style_groups: ArrayLike | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> Difference:
    """KID × 1000 of the first set less that of the second, both of the same n photos in the same order.

    Both are resampled together, so that the difficulty of a photo or an episode cancels. Arguments as for
    :func:`kid`.
    """
    if len(first) != len(second):
        raise ValueError(f"Expected drawings of the same photos but got {len(first)} and {len(second)}.")
    resamples = resampled({1: first, 2: second}, style, style_groups, samples, seed)
    return resamples.difference(1, 2)


def polynomial_mmd(x: NDArray, y: NDArray) -> float:
    """Unbiased squared maximum mean discrepancy, kernel (x·y/d + 1)³, of features as for :func:`kid`."""
    (value,) = _distance(
        _kernel(x, x), _kernel(y, y), _kernel(x, y), np.ones((1, len(x))), np.ones((1, len(y)))
    )
    return float(value)


def resampled(
    sets: dict, style: NDArray, style_groups: ArrayLike | None, samples: int, seed: int
) -> Resamples:
    """KID of every set, on all pictures and on resamples that the sets share."""
    count = len(next(iter(sets.values())))
    codes = np.arange(len(style)) if style_groups is None else np.unique(style_groups, return_inverse=True)[1]
    if len(codes) != len(style):
        raise ValueError(f"Expected a group for each of {len(style)} style pictures but got {len(codes)}.")
    drawn = np.concatenate([np.ones((1, count)), draw_counts(count, samples, seed)])
    styles = np.concatenate([np.ones((1, len(style))), draw_counts(codes, samples, seed + 1)])
    within = _kernel(style, style)
    values = {
        name: 1e3 * _distance(_kernel(own, own), within, _kernel(own, style), drawn, styles)
        for name, own in sets.items()
    }
    groups = min(count, int(codes.max()) + 1)
    return Resamples(
        {k: float(v[0]) for k, v in values.items()}, {k: v[1:] for k, v in values.items()}, groups
    )


def _kernel(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """(n, m) mean kernel of every pair of pictures over their views."""
    a, b = (x[:, None] if x.ndim == 2 else x for x in (np.asarray(a), np.asarray(b)))
    if a.ndim != 3 or b.ndim != 3 or a.shape[2] != b.shape[2] or min(len(a), len(b)) < 2:
        raise ValueError(f"Expected (n, d) or (n, views, d), and n ≥ 2, but got {a.shape} and {b.shape}.")
    total = np.zeros((len(a), len(b)))
    for view in range(a.shape[1]):
        for other in range(b.shape[1]):
            total += (a[:, view] @ b[:, other].T / a.shape[2] + 1) ** 3
    return total / (a.shape[1] * b.shape[1])


def _distance(xx: NDArray, yy: NDArray, xy: NDArray, wx: NDArray, wy: NDArray) -> NDArray[np.float64]:
    """(S,) squared MMD with how often each picture was drawn, (S, n) and (S, m).

    A picture makes no pair with itself, nor with its copies in a resample.
    """

    def within(k: NDArray, w: NDArray) -> NDArray:
        pairs = ((w @ k) * w).sum(1) - (w * w) @ np.diag(k)
        count = w.sum(1) ** 2 - (w * w).sum(1)
        return np.divide(pairs, count, out=np.full(len(w), np.nan), where=count > 0)

    across = ((wx @ xy) * wy).sum(1) / (wx.sum(1) * wy.sum(1))
    return within(xx, wx) + within(yy, wy) - 2 * across


def views(image) -> NDArray[np.uint8]:
    """(3, 224, 224, 3): the crops of a PIL picture that are compared, at a short side of 256."""
    scale = 256 / min(image.size)
    size = [max(224, round(side * scale)) for side in image.size]
    image = image.convert("RGB").resize(size, resample=1)  # Lanczos
    spare = image.width - 224, image.height - 224
    corners = [(int(spare[0] * t), int(spare[1] * t)) for t in (0.1, 0.5, 0.9)]
    return np.stack([np.asarray(image.crop((x, y, x + 224, y + 224))) for x, y in corners])


def features(network, images, batch: int = 16) -> NDArray[np.float64]:
    """Pooled features of the views of PIL pictures, (pictures, 3, d).

    Args:
        network: maps (B, 3, 224, 224) in [-1, 1] to (B, d), e.g. ``models.features.FrozenFeatures("lite0")``.
        images: iterable of PIL pictures.
        batch: views a forward pass.
    """
    import torch

    crops = [view for image in images for view in views(image)]
    rows = []
    with torch.inference_mode():
        for start in range(0, len(crops), batch):
            pixels = torch.from_numpy(np.stack(crops[start : start + batch])).permute(0, 3, 1, 2)
            x = pixels.float() / 127.5 - 1
            rows.append(network(x.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(rows).double().numpy().reshape(len(crops) // 3, 3, -1)
