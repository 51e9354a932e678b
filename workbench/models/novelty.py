"""How unlike its training pictures a picture is to a network: the residual of a principal-component model.

A classifier names one of its classes for any picture, and confidently. The features of pictures like those
that it was trained on lie near a subspace; the distance of a picture's features from it says how novel the
picture is.

Source: Jackson and Mudholkar, "Control Procedures for Residuals Associated With Principal Component
Analysis", Technometrics 1979; as a score for networks: Wang et al., "ViM: Out-Of-Distribution with
Virtual-logit Matching", CVPR 2022, arXiv:2203.10807, whose residual it is.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

COMPONENTS = 32  # principal components that are not new
LEAST_SCALE = 0.1  # of the median feature's deviation
QUANTILES = 101  # of the scores of held-out training pictures: 0, 1 … 100 %


class Novelty(nn.Module):
    """(B, D) features to (B,) scores, and scores to ranks among training pictures that were held out.

    Args:
        features: D, how many of the columns of features count.
        components: K, principal components that are not new.
    """

    mean: Tensor
    scale: Tensor
    components: Tensor
    quantiles: Tensor

    def __init__(self, features: int, components: int = COMPONENTS):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("components", torch.zeros(features, components))
        self.register_buffer("quantiles", torch.zeros(QUANTILES))

    @torch.no_grad()
    def fit(self, features: Tensor, groups, folds: int = 5) -> Self:
        """Fit the subspace, and the ranks of held-out training pictures.

        Args:
            features: (N, D) of the training pictures.
            groups: (N,) whose pictures are held out together for the ranks, such as painters.
            folds: of the hold-out.

        Raises:
            ValueError: fewer than two groups.
        """
        from sklearn.model_selection import GroupKFold  # a second to import, needed by no reader

        features, folds = features[:, : len(self.mean)], min(folds, len(set(groups)))
        if folds < 2:
            raise ValueError("Expected pictures of at least two groups, to hold one out.")
        held_out = torch.empty(len(features))
        for train, test in GroupKFold(folds).split(features, groups=groups):
            held_out[test] = self._learn(features[train])(features[test])
        self._learn(features)
        self.quantiles.copy_(torch.quantile(held_out, torch.linspace(0, 1, QUANTILES)))
        return self

    def _learn(self, features: Tensor) -> Self:
        self.mean.copy_(features.mean(0))
        deviations = features.std(0, correction=0)
        # a feature that hardly varies in a small collection would outweigh all others
        self.scale.copy_(deviations.clamp(min=LEAST_SCALE * deviations.median().item()) + 1e-6)
        _, _, rows = torch.linalg.svd((features - self.mean) / self.scale, full_matrices=False)
        self.components.zero_()
        used = rows[: self.components.shape[1]]
        self.components[:, : len(used)] = used.T
        return self

    def forward(self, features: Tensor) -> Tensor:
        """(B,) mean squared standardised feature outside the components; only the first D columns count."""
        z = (features[:, : len(self.mean)] - self.mean) / self.scale
        return (z - z @ self.components @ self.components.T).square().mean(1)

    def rank(self, scores: Tensor) -> Tensor:
        """(B,) share of the held-out training pictures that are less new, in [0, 1]."""
        return torch.searchsorted(self.quantiles.contiguous(), scores.contiguous()) / QUANTILES


def attach(network: nn.Module, components: int = COMPONENTS) -> Novelty:
    """Give a classifier an unfitted novelty score as its part ``novelty``; return that part.

    It judges what the network's last linear layer gets, all of it or the first columns that the network's
    attribute ``novelty_features`` counts. Of few features at most half are components, else nothing would lie
    outside of them.
    """
    whole: Any = network
    head = whole.get_submodule(head_name(network))
    features = getattr(whole, "novelty_features", head.in_features)
    whole.novelty = Novelty(features, min(components, features // 2)).eval()
    return whole.novelty


def head_name(network: nn.Module) -> str:
    """Dotted name of the last linear layer outside rescaling modules."""
    return [n for n, m in network.named_modules() if isinstance(m, nn.Linear) and ".rescale" not in n][-1]


def with_head_inputs(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C) logits of (B, 3, H, W), and (B, D) what the last linear layer got for them."""
    seen: list[Tensor] = []
    handle = network.get_submodule(head_name(network)).register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0])
    )
    try:
        logits = network(x)
    finally:
        handle.remove()
    return logits, seen[-1]
