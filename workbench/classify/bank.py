"""Fine-tune a classifier of paintings on a few hundred pictures, on a CPU, and say honestly how good it is.

The shallow stages stay as ImageNet made them, so their output for a set of augmented views of every picture
(the *view bank*) is computed once; training then runs the deep stages only. Batch-norm statistics stay frozen
(small batches would spoil them), targets mix the label with the raters' votes, rare classes weigh more, and
an exponential moving average of the weights is kept. Folds keep painters apart; every fold's logits are
saved, so an interrupted run resumes.

Sources: Zhang et al., "mixup", ICLR 2018; Guo et al., ICML 2017 (temperature); Kornblith et al., CVPR 2019
(transfer); Kumar et al., "Fine-Tuning can Distort Pretrained Features", ICLR 2022 (probe first, then tune);
Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022 (interpolated weights).
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from workbench.classify.linear_probe import soft_probe
from workbench.classify.soft_targets import soft_targets
from workbench.core.errors import DatasetError
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.data.transforms import Crops, RandomView, Squeeze, Views, shrink
from workbench.models import create

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ClassifierConfig:
    """How the classifier is trained. Written as JSON beside every result."""

    architecture: str = "lite0_classifier"  # a timm EfficientNet; it starts from ImageNet weights
    frozen_stages: int = 6  # first of the 7 stages that stay as they are
    epochs: int = 3  # passes over the pictures, each with one random view of each
    batch_size: int = 32  # pictures
    learning_rate: float = 1e-4  # peak, deep stages
    head_learning_rate: float = 1e-4  # peak, the linear layer, which starts as a fitted probe
    probe_penalty: float = 0.3  # squared norm of that probe's weights on standardised features
    weight_decay: float = 0.02  # AdamW
    dropout: float = 0.2  # of pooled features
    hard_share: float = 0.5  # of the target is the label, the rest the raters' votes (if any)
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    mixup: float = 0.2  # alpha of the Beta distribution, on stage features; 0 is none
    ema: float = 0.95  # decay of the averaged weights, a step
    interpolation: float = 0.25  # of the way from the start (0: a probe) to the tuned weights (1)
    gradient_clip: float = 5.0  # norm
    train_views: int = 12  # random views a picture in the bank
    squeezed_views: float = 0.33  # share of them that show the whole picture squeezed
    # (short side, count) of the native-scale crops that are read
    eval_crops: tuple[tuple[int, int], ...] = ((224, 3), (256, 3), (320, 2))
    eval_squeeze: bool = True  # add the whole picture squeezed to a square
    size: int = 224  # pixels of a view
    folds: int = 5  # painter-grouped
    split_seeds: tuple[int, ...] = (0,)  # one cross-validation each
    seed: int = 0  # of views, initial head and batches

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 1 or self.train_views < 1 or not self.split_seeds:
            raise DatasetError("Expected at least 1 epoch, picture a batch, view a picture and split seed.")

    @property
    def views(self) -> Views:
        """What the trained classifier sees of a picture."""
        squeeze = (Squeeze(self.size),) if self.eval_squeeze else ()
        return Views((*squeeze, *(Crops(side, count, self.size) for side, count in self.eval_crops)))


def split_network(network: nn.Module, stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """A timm EfficientNet as (frozen trunk, trainable tail). Both share its modules, trained or not."""
    if not 0 <= stages <= len(network.blocks):
        raise ValueError(f"Expected 0 … {len(network.blocks)} frozen stages but got {stages}.")
    blocks = list(network.blocks)
    trunk = nn.Sequential(network.conv_stem, network.bn1, *blocks[:stages])
    dropout = nn.Dropout(network.drop_rate)
    pooled = (*blocks[stages:], network.conv_head, network.bn2, network.global_pool)
    return trunk, nn.Sequential(*pooled, dropout, network.classifier)


@dataclasses.dataclass(frozen=True)
class ViewBank:
    """Stage features of every picture's views, float16."""

    train: Tensor  # (N, V, C, h, w): random views
    evaluate: Tensor  # (N, E, C, h, w): the views of `ClassifierConfig.views`


@torch.inference_mode()
def build_bank(
    data: Paintings, trunk: nn.Module, config: ClassifierConfig, cache: Path | None = None
) -> ViewBank:
    """Compute the bank, or read it from ``cache`` if it was made for the same pictures and settings.

    Memory and disk: about 45 kB a view at the default settings.
    """
    keys = (
        "architecture",
        "frozen_stages",
        "train_views",
        "squeezed_views",
        "eval_crops",
        "eval_squeeze",
        "size",
        "seed",
    )
    key = hashlib.sha256(json.dumps([[getattr(config, k) for k in keys], data.paths]).encode()).hexdigest()
    if cache is not None and cache.is_file():
        stored = torch.load(cache, weights_only=True)
        if stored["key"] == key:
            return ViewBank(stored["train"], stored["evaluate"])
    draw, views = RandomView(config.size, squeezed=config.squeezed_views), config.views
    trunk = trunk.eval().to(memory_format=torch.channels_last)
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for i in tqdm(range(len(data)), desc="views", unit="picture"):
        image = data.read(i)
        rng = np.random.default_rng([config.seed, i])
        small = shrink(image, draw.short_side[1])
        random = views.normalise([draw(small, rng) for _ in range(config.train_views)])
        for part, x in zip(parts, (random, views(image)), strict=True):
            part.append(trunk(x.contiguous(memory_format=torch.channels_last)).half())
    bank = ViewBank(torch.stack(parts[0]), torch.stack(parts[1]))
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"key": key, "train": bank.train, "evaluate": bank.evaluate}, cache)
    return bank


def fit_tail(
    tail: nn.Sequential,
    bank: ViewBank,
    features: Tensor,
    data: Paintings,
    indices: NDArray,
    config: ClassifierConfig,
    seed: int,
) -> nn.Sequential:
    """Train ``tail`` in place on the pictures ``indices``; return its averaged copy in eval mode.

    Args:
        tail: from :func:`split_network`, with ImageNet weights.
        bank: views of all pictures.
        features: (N, D) pooled features of all pictures before training: the linear layer starts as the best
            one on them, or its first random gradients would spoil the stages below.
        data: all pictures.
        indices: those to train on.
        config: settings.
        seed: of batches, views and dropout.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tail.eval().to(memory_format=torch.channels_last)  # batch-norm statistics stay frozen ...
    tail[-2].train()  # ... and only dropout is on
    targets, weights = soft_targets(data, indices, config.hard_share, config.class_weight_power)
    head = soft_probe(features[indices], targets[indices], weights[indices], config.probe_penalty)
    with torch.no_grad():
        for parameter, value in zip((tail[-1].weight, tail[-1].bias), head, strict=True):
            parameter.copy_(value)
    spread = features[indices].std(0) + 1e-6  # the penalty stays the probe's while tuning
    averaged = copy.deepcopy(tail).eval()
    start = copy.deepcopy(averaged)
    rates = [config.learning_rate, config.head_learning_rate]
    groups = [{"params": list(tail[:-1].parameters())}, {"params": list(tail[-1].parameters())}]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    batches = -(-len(indices) // config.batch_size)
    total = max(2, config.epochs * batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=total, pct_start=0.2)
    step = 0
    for _ in range(config.epochs):
        for batch in np.array_split(rng.permutation(indices), batches):
            x = bank.train[batch, rng.integers(bank.train.shape[1], size=len(batch))].float()  # (B, C, h, w)
            t = targets[batch] * weights[batch, None]  # (B, classes)
            if config.mixup > 0:
                share = rng.beta(config.mixup, config.mixup)
                share = max(share, 1 - share)
                other = rng.permutation(len(batch))
                x, t = share * x + (1 - share) * x[other], share * t + (1 - share) * t[other]
            logits = tail(x.contiguous(memory_format=torch.channels_last))
            loss = -(t * F.log_softmax(logits, 1)).sum(1).mean()
            loss = loss + config.probe_penalty * ((tail[-1].weight * spread) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(tail.parameters(), config.gradient_clip)
            optimizer.step()
            schedule.step()
            step += 1
            decay = min(config.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                for mean, value in zip(averaged.parameters(), tail.parameters(), strict=True):
                    mean.lerp_(value, 1 - decay)
    with torch.no_grad():
        for value, origin in zip(averaged.parameters(), start.parameters(), strict=True):
            value.copy_(origin.lerp(value, config.interpolation))
    return averaged


@torch.inference_mode()
def predict(tail: nn.Module, bank: ViewBank, indices: NDArray) -> NDArray[np.float64]:
    """(len(indices), C) logits averaged over the evaluation views."""
    return np.stack([tail(bank.evaluate[i].float()).double().mean(0).numpy() for i in indices])


def cross_validate(
    data: Paintings,
    bank: ViewBank,
    features: Tensor,
    tail: nn.Sequential,
    config: ClassifierConfig,
    out: Path,
) -> list[dict]:
    """Train and test on every fold of every split seed. Folds finished in ``out`` are not trained again.

    Args:
        data: all pictures.
        bank: their views.
        features: their pooled features, see :func:`fit_tail`.
        tail: the untrained tail; it is copied for each fold.
        config: settings.
        out: folder for one file a fold.

    Returns:
        One dict a fold: split_seed, fold, test (indices), logits (n, C), seconds.
    """
    out.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(
        json.dumps([dataclasses.asdict(config) | {"split_seeds": 0}, data.paths], sort_keys=True).encode()
    ).hexdigest()
    plan = [
        (seed, fold, train, test)
        for seed in config.split_seeds
        for fold, (train, test) in enumerate(grouped_folds(data.labels, data.groups, config.folds, seed))
    ]
    results = []
    for seed, fold, train, test in tqdm(plan, desc="folds", unit="fold"):
        file = out / f"split{seed}-fold{fold}.npz"
        stored = np.load(file) if file.is_file() else None
        if stored is None or str(stored["digest"]) != digest:
            start = time.perf_counter()
            fitted = fit_tail(
                copy.deepcopy(tail), bank, features, data, train, config, config.seed + 1000 * seed + fold
            )
            logits = predict(fitted, bank, test)
            part = file.with_suffix(".part.npz")
            np.savez(part, digest=digest, test=test, logits=logits, seconds=time.perf_counter() - start)
            part.replace(file)
            stored = np.load(file)
        results.append(
            {
                "split_seed": seed,
                "fold": fold,
                "test": stored["test"],
                "logits": stored["logits"],
                "seconds": float(stored["seconds"]),
            }
        )
    return results


def new_network(config: ClassifierConfig, num_classes: int) -> nn.Module:
    """The architecture with ImageNet weights and a new head."""
    return create(config.architecture, num_classes=num_classes, dropout=config.dropout, pretrained=True)
