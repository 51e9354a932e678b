"""A score of probabilities against labels."""

import numpy as np

from workbench.metrics.checks import check_labels, check_probabilities, weighted_mean


def top_2_accuracy(probabilities, labels, weights=None):
    """Share of pictures whose label is one of the two likeliest classes."""
    p = check_probabilities(probabilities)
    y = check_labels(labels, p.shape[1], rows=len(p))
    likeliest = np.argsort(-p, axis=1, kind="stable")[:, :2]
    return weighted_mean((likeliest == y[:, None]).any(1), weights)
