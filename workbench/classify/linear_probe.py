"""The baseline a fine-tuned network must beat: logistic regression on ImageNet features as they are.

Source: Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

STRENGTH = 0.01  # scikit-learn's C: strong shrinkage, as 1,280 features of a few hundred pictures need


@torch.inference_mode()
def pooled_features(tail: nn.Sequential, stage_features: Tensor) -> NDArray[np.float64]:
    """Features before the linear layer: (N, V, C, h, w) stage features to (N, V, D)."""
    body = tail[:-2].eval()  # without dropout and classifier
    return np.stack([body(x.float()).double().numpy() for x in stage_features])


def linear_probe(
    features: ArrayLike, labels: ArrayLike, train: NDArray, test: NDArray, strength: float = STRENGTH
) -> NDArray:
    """Fit on ``train``, return logits (len(test), C) = log-probabilities.

    Args:
        features: (N, D), standardised on the training pictures here.
        labels: (N,) with every class among the training pictures.
        train: indices to fit on.
        test: indices to predict.
        strength: scikit-learn's ``C``; smaller shrinks more.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    if not set(labels[test]) <= set(labels[train]):
        raise ValueError("Expected every tested class among the training pictures.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    probe.fit(features[train], labels[train])
    logits = np.full((len(test), int(labels.max()) + 1), -30.0)
    logits[:, probe.classes_] = np.maximum(probe.predict_log_proba(features[test]), -30.0)
    return logits


def soft_probe(features: Tensor, targets: Tensor, weights: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """The linear layer with the least weighted cross-entropy to soft targets, found by L-BFGS.

    Args:
        features: (N, D); standardised inside, and the result is for features as given.
        targets: (N, C) distributions.
        weights: (N,) of the pictures.
        penalty: factor of the squared norm of the weights on standardised features.

    Returns:
        weight (C, D) and bias (C,), float32.
    """
    mean, std = features.mean(0), features.std(0) + 1e-6
    x = (features - mean) / std
    weight = torch.zeros(x.shape[1], targets.shape[1], requires_grad=True)
    bias = torch.zeros(targets.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=80, history_size=5, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -(weights[:, None] * targets * F.log_softmax(x @ weight + bias, 1)).sum() / weights.sum()
        loss = loss + penalty * (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        raw = weight / std[:, None]
        return raw.T.contiguous(), bias - mean @ raw
