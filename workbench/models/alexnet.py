"""AlexNet, a floor for comparisons: what a network of 2012 learns from the same pictures.

torchvision's network of one tower, from random weights; without batch normalisation it learns little from a
few hundred pictures.

Sources: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NeurIPS 2012; Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014,
arXiv:1404.5997 (the network of one tower).
"""

from __future__ import annotations

import torchvision
from torch import nn

from workbench.models.registry import register


@register("classifier")
def alexnet(num_classes: int = 5, dropout: float = 0.5) -> nn.Module:
    """AlexNet: (B, 3, H, W) in [-1, 1], H and W at least 63, to logits (B, num_classes).

    Args:
        num_classes: length of the logits; 0 gives the last features (B, 4096).
        dropout: share of the hidden units left out while training, in [0, 1).
    """
    network = torchvision.models.alexnet(num_classes=max(num_classes, 1), dropout=dropout)
    if not num_classes:
        network.classifier[-1] = nn.Identity()
    return network
