"""Gram loss: distance between Gram matrices, the co-activations of feature channels over all positions.

Sources: Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016; as a
training loss, Johnson et al., "Perceptual losses", ECCV 2016. AnimeGAN (ISICA 2019) uses the L1 distance, as
here, and gray style pictures, so that texture is learnt without the style's colours.
"""

from __future__ import annotations

from torch import Tensor


def gram_matrix(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, C): inner products of channels, divided by H · W.

    Raises:
        ValueError: if ``features`` is not a batch of maps.
    """
    if features.ndim != 4:
        raise ValueError(f"Expected `features` to be (B, C, H, W) but got {tuple(features.shape)}.")
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def gram_loss(features: Tensor, style: Tensor) -> Tensor:
    r"""L1 distance of Gram matrices as a share of the style's, :math:`\|G(f) - G(s)\|_1 / \|G(s)\|_1`.

    Args:
        features: of the drawings, (B, C, H, W).
        style: of style pictures, (B, C, H', W'), one for each drawing; no gradient flows into them.

    Returns:
        Scalar ≥ 0; 1 for features that are zero.

    Raises:
        ValueError: if batches or channels differ.
    """
    if features.shape[:2] != style.shape[:2]:
        raise ValueError(
            f"Expected equal batches and channels but got {tuple(features.shape)} and {tuple(style.shape)}."
        )
    wanted = gram_matrix(style.detach())
    return (gram_matrix(features) - wanted).abs().mean() / wanted.abs().mean().clamp_min(1e-12)
