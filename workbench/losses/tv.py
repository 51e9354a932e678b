"""Anisotropic total variation: suppresses speckle, which no other loss penalises.

Source: Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 1992.
"""

from __future__ import annotations

from torch import Tensor


def total_variation_loss(image: Tensor) -> Tensor:
    """Mean absolute difference of vertical neighbours plus that of horizontal ones.

    Args:
        image: (B, C, H, W) with H, W ≥ 2.

    Returns:
        Scalar ≥ 0; 0 for a constant picture.

    Raises:
        ValueError: if ``image`` is not a batch or has no neighbours.
    """
    if image.ndim != 4 or min(image.shape[-2:]) < 2:
        raise ValueError(f"Expected `image` to be (B, C, H, W) with H, W ≥ 2 but got {tuple(image.shape)}.")
    vertical = (image[..., 1:, :] - image[..., :-1, :]).abs().mean()
    return vertical + (image[..., :, 1:] - image[..., :, :-1]).abs().mean()
