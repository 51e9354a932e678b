"""Content loss: distance between drawing and photo in the features of a frozen ImageNet backbone.

Source: Johnson et al., "Perceptual losses", ECCV 2016; CartoonGAN (CVPR 2018) uses the L1 distance, as here.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def content_loss(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    r"""Mean over stages of :math:`\|f - t\|_1 / \|t\|_1`, so that all stages have equal weight
    whatever their scale.

    Args:
        features: feature maps of the drawing, each (B, C_i, H_i, W_i).
        targets: feature maps of the photo, same shapes; no gradient flows into them.

    Returns:
        Scalar ≥ 0; 0 if the maps agree, 1 if the drawing's are zero.

    Raises:
        ValueError: if the numbers of stages or their shapes differ.
    """
    shapes = [tuple(f.shape) for f in features], [tuple(t.shape) for t in targets]
    if not features or shapes[0] != shapes[1]:
        raise ValueError(
            f"Expected `features` and `targets` of equal shapes but got {shapes[0]} and {shapes[1]}."
        )
    total = features[0].new_zeros(())
    for feature, target in zip(features, targets, strict=True):
        target = target.detach()
        total = total + (feature - target).abs().mean() / target.abs().mean().clamp_min(1e-6)
    return total / len(features)
