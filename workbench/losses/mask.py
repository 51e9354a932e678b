"""Mask loss: cross-entropy plus Dice between the output mask and the person's mask."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def mask_loss(logits: Tensor, mask: Tensor, smooth: float = 1.0) -> Tensor:
    """Binary cross-entropy plus one minus the soft Dice coefficient of each picture.

    Cross-entropy alone hardly penalises missing thin strands; Dice measures overlap whatever the person's
    size.

    Args:
        logits: (B, 1, H, W).
        mask: same shape in [0, 1]; no gradient flows into it.
        smooth: pixels added to numerator and denominator of Dice, so that it is 1 if both masks are empty.

    Returns:
        Scalar ≥ 0.

    Raises:
        ValueError: if shapes differ.
    """
    if logits.shape != mask.shape:
        raise ValueError(f"Expected equal shapes but got {tuple(logits.shape)} and {tuple(mask.shape)}.")
    mask = mask.detach()
    probability = logits.sigmoid()
    overlap = (probability * mask).flatten(1).sum(1)
    dice = (2 * overlap + smooth) / (probability.flatten(1).sum(1) + mask.flatten(1).sum(1) + smooth)
    return F.binary_cross_entropy_with_logits(logits, mask) + (1 - dice).mean()
