"""KID-lite0: how far a set of pictures is from a style, on the features of EfficientNet-lite0.

Kernel Inception Distance (Bińkowski et al., ICLR 2018) with another feature network, hence the name: its
values compare only with each other. Always report it beside the photos themselves and the style set against
itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class KID(NamedTuple):
    """Estimate and standard error over subsets, both × 1000."""

    mean: float
    error: float


def polynomial_mmd(x: NDArray, y: NDArray) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y/d + 1)³.

    Args:
        x: features (n, d), n ≥ 2.
        y: features (m, d), m ≥ 2.

    Raises:
        ValueError: if dimensions differ or a set has fewer than two rows.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"Expected (n, d) and (m, d) with n, m ≥ 2 but got {x.shape} and {y.shape}.")

    def kernel(a: NDArray, b: NDArray) -> NDArray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    xx, yy = kernel(x, x), kernel(y, y)
    n, m = len(x), len(y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * kernel(x, y).mean())


def kid(x: NDArray, y: NDArray, subsets: int = 50, size: int = 100, seed: int = 0) -> KID:
    """KID × 1000 between two feature sets with its standard error over random subsets.

    Args:
        x: features (n, d), float64 for a stable estimate.
        y: features (m, d).
        subsets: number of random subsets.
        size: rows in each subset (at most what there is).
        seed: of the choice of subsets.
    """
    rng = np.random.default_rng(seed)
    size = min(size, len(x), len(y))
    values = [
        polynomial_mmd(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])
        for _ in range(subsets)
    ]
    return KID(1e3 * float(np.mean(values)), 1e3 * float(np.std(values) / np.sqrt(subsets)))


def views(image) -> NDArray[np.uint8]:
    """(3, 224, 224, 3): the crops of a PIL picture that are compared, at a short side of 256."""
    scale = 256 / min(image.size)
    size = [max(224, round(side * scale)) for side in image.size]
    image = image.convert("RGB").resize(size, resample=1)  # Lanczos
    spare = image.width - 224, image.height - 224
    corners = [(int(spare[0] * t), int(spare[1] * t)) for t in (0.1, 0.5, 0.9)]
    return np.stack([np.asarray(image.crop((x, y, x + 224, y + 224))) for x, y in corners])


def features(network, images, batch: int = 16) -> NDArray[np.float64]:
    """Pooled features of the views of PIL pictures, (3 · pictures, d).

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
            x = (
                torch.from_numpy(np.stack(crops[start : start + batch])).permute(0, 3, 1, 2).float() / 127.5
                - 1
            )
            rows.append(network(x.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(rows).double().numpy()
