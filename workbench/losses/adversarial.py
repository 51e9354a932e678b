"""Adversarial losses for discriminators that return a list of score maps.

Hinge: Lim and Ye, "Geometric GAN", 2017. Least squares with soft labels: Mao et al., ICCV 2017. Cross
entropy: Goodfellow et al., NeurIPS 2014; edge-promoting: CartoonGAN, Chen et al., CVPR 2018, equation 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Scores = Sequence[Tensor]


def _mean(terms: list[Tensor]) -> Tensor:
    if not terms:
        raise ValueError("Expected at least one score map but got none.")
    return sum(terms[1:], terms[0]) / len(terms)


def hinge_discriminator_loss(real: Scores, fakes: Sequence[Scores], weights: Sequence[float]) -> Tensor:
    """max(0, 1 − D(real)) plus the weighted max(0, 1 + D(fake)) of each kind of fake.

    Args:
        real: score maps of style pictures, any shapes.
        fakes: for each kind of fake (drawings, edge-smoothed style pictures …) its score maps.
        weights: weight of each kind; they should add up to 1.

    Raises:
        ValueError: without scores, or if `fakes` and `weights` differ in length.
    """
    if len(fakes) != len(weights):
        raise ValueError(
            f"Expected one weight for each kind of fake but got {len(weights)} for {len(fakes)}."
        )
    total = _mean([F.relu(1 - s).mean() for s in real])
    for weight, scores in zip(weights, fakes, strict=True):
        total = total + weight * _mean([F.relu(1 + s).mean() for s in scores])
    return total


def hinge_generator_loss(fake: Scores) -> Tensor:
    """−D(fake), averaged over maps."""
    return _mean([-s.mean() for s in fake])


def least_squares_loss(scores: Scores, label: float) -> Tensor:
    """Mean squared distance of the scores to ``label`` (0.9 for real, 0.1 for fake)."""
    return _mean([(s - label).square().mean() for s in scores])


def cross_entropy_loss(scores: Scores, real: bool) -> Tensor:
    """−log p(real), or −log(1 − p(real)) if ``real`` is false; scores are logits.

    ``real=True`` on fakes is the non-saturating generator loss.
    """
    label = torch.ones_like if real else torch.zeros_like
    return _mean([F.binary_cross_entropy_with_logits(s, label(s)) for s in scores])


def edge_promoting_loss(real: Scores, smoothed: Scores, fake: Scores) -> Tensor:
    """CartoonGAN's discriminator loss.

    Style pictures are real; drawings and style pictures with blurred edges
    (:func:`workbench.losses.smooth_edges`) are fake.
    """
    return (
        cross_entropy_loss(real, True) + cross_entropy_loss(smoothed, False) + cross_entropy_loss(fake, False)
    )
