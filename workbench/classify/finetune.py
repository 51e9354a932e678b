"""Train any registered classifier end to end on labelled paintings: from scratch, or frozen, partial or full
transfer.

One function trains (:func:`fit`), one cross-validates (:func:`cross_validate`); both resume. Layers are
grouped from the shallow to the deep end by timm's ``group_matcher``: transfer "frozen" trains the linear head
only, "partial" the deepest share of the groups, "full" all, with learning rates that fall by ``layer_decay``
from a group to the next shallower one. Pretrained batch-norm statistics stay frozen, since batches here are
small.

Sources: Howard and Ruder, "ULMFiT", ACL 2018 (discriminative rates); Bao et al., "BEiT", ICLR 2022 (layer
    decay);
Zhang et al., "mixup", ICLR 2018; Loshchilov and Hutter, "AdamW", ICLR 2019; Smith and Topin,
"Super-convergence", 2019.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold
from timm.models import group_parameters
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from workbench import models
from workbench.classify.augment import policy
from workbench.classify.linear_probe import soft_probe
from workbench.classify.soft_targets import soft_targets
from workbench.core.errors import DatasetError
from workbench.core.precision import autocast
from workbench.data.paintings import Paintings
from workbench.data.splits import check_no_leak, grouped_folds
from workbench.data.transforms import Crops, Squeeze, Views, shrink

log = logging.getLogger(__name__)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # what timm's ResNets expect


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """How a network is trained. Written as JSON beside every result."""

    model: str = "mafr_efficientnet_lite0"  # an architecture of kind classifier
    arguments: Mapping[str, object] = dataclasses.field(default_factory=dict)  # of its factory
    pretrained: bool = True  # start from the ImageNet weights that the architecture knows
    initial: str = ""  # a .safetensors file (with its card) to start from instead; its head is left out
    transfer: Literal["frozen", "partial", "full"] = "full"  # which layers are trained
    partial_share: float = 0.34  # of the layer groups, from the deep end, that "partial" trains
    layer_decay: float = 0.8  # of the learning rate from one layer group to the next shallower; 1 is none
    size: int = 224  # pixels of a view
    augmentation: str = "brush"  # a name of workbench.classify.augment.POLICIES
    epochs: int = 8  # passes over the pictures
    batch_size: int = 32  # pictures
    learning_rate: float = 3e-4  # peak, deepest group and head
    weight_decay: float = 0.05  # AdamW
    probe_penalty: float = 0.3  # of the head that pretrained layers start with, see linear_probe.soft_probe
    hard_share: float = 0.5  # of the target is the label, the rest the raters' votes (if any)
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    mixup: float = 0.0  # alpha of the Beta distribution, on pictures; 0 is none
    ema: float = 0.0  # decay of averaged weights, a step; 0 is none
    patience: int = 0  # epochs without a better loss on held-out training groups before stopping; 0 is never
    holdout: float = 0.2  # share of training groups held out for that
    gradient_clip: float = 5.0  # norm
    eval_crops: tuple[
        tuple[int, int], ...
    ] = ()  # (short side, count) of crops read beside the squeezed picture
    mixed_precision: Literal["no", "bf16"] = "no"
    folds: int = 5  # grouped
    split_seeds: tuple[int, ...] = (0,)  # one cross-validation each
    seed: int = 0  # of initial head, views and batches; the split seed is added

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 2 or self.size < 32 or not self.split_seeds:
            raise DatasetError("Expected 1 epoch, 2 pictures a batch, 32 pixels and 1 split seed or more.")
        if self.transfer != "full" and not (self.pretrained or self.initial):
            raise DatasetError(
                f"Expected pretrained weights for {self.transfer} transfer, since untrained layers "
                "would stay random. Use full, or start from weights."
            )
        if not 0 < self.partial_share <= 1 or not 0 < self.holdout < 1 or not 0 < self.layer_decay <= 1:
            raise DatasetError("Expected partial_share and layer_decay in (0, 1] and holdout in (0, 1).")

    @property
    def views(self) -> Views:
        """What the trained network sees of a picture."""
        mean, std = IMAGENET if "resnet" in self.model else ((0.5,) * 3, (0.5,) * 3)
        crops = (Crops(side, count, self.size) for side, count in self.eval_crops)
        return Views((Squeeze(self.size), *crops), mean, std)

    def digest(self, paths: Sequence[str], exclude: Sequence[str] = ("split_seeds",)) -> str:
        """Names a run: settings and pictures. Checkpoints of another digest are not used."""
        settings = {k: v for k, v in dataclasses.asdict(self).items() if k not in exclude}
        text = json.dumps([settings, list(paths)], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


class Pictures:
    """All pictures of a data set in memory, shrunk to what the views need: about 0.4 MB each at 224
    pixels.
    """

    def __init__(self, data: Paintings, size: int):
        self.size = size
        self._small = [
            self._load(data, i) for i in tqdm(range(len(data)), desc="reading", unit="picture", disable=None)
        ]

    def _load(self, data: Paintings, index: int) -> Image.Image:
        image = shrink(data.read(index), round(self.size * 12 / 7))
        scale = round(self.size * 12 / 7) / min(image.size)
        if scale < 1:
            image = image.resize(
                [max(1, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC
            )
        return image

    def __getitem__(self, index: int) -> Image.Image:
        return self._small[index]

    def __len__(self) -> int:
        return len(self._small)


def new_network(config: FinetuneConfig, num_classes: int) -> nn.Module:
    """The architecture with its initial weights and a new head, frozen as ``transfer`` says."""
    extra = {"pretrained": True} if config.pretrained and not config.initial else {}
    network = models.create(config.model, num_classes=num_classes, **config.arguments, **extra)
    if config.initial:
        state = models.load(config.initial)[0].state_dict()
        own = network.state_dict()
        kept = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        if len(kept) < len(own) // 2:
            raise DatasetError(f"Expected weights of {config.model} in {config.initial} but few tensors fit.")
        network.load_state_dict(kept, strict=False)
    depth = layer_groups(network)
    last = max(depth.values())
    first = {"frozen": last, "partial": last - round(config.partial_share * last) + 1, "full": 0}[
        config.transfer
    ]
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(depth[name] >= first or ".rescale." in name)
    return network


def layer_groups(network: nn.Module) -> dict[str, int]:
    """Depth of every parameter's layer group, 0 at the input; the head (the last linear layer) is the
    deepest.
    """
    if hasattr(network, "group_matcher"):
        depth = group_parameters(network, network.group_matcher(coarse=False), reverse=True)
    else:  # one group a module that holds parameters, in order
        owners = list(dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters()))
        depth = {name: owners.index(name.rpartition(".")[0]) for name, _ in network.named_parameters()}
    head = head_name(network)
    last = max(depth.values()) + 1
    return {n: last if n.rpartition(".")[0] == head else depth[n] for n, _ in network.named_parameters()}


def head_name(network: nn.Module) -> str:
    """Dotted name of the last linear layer that is no part of a rescaling."""
    return [n for n, m in network.named_modules() if isinstance(m, nn.Linear) and ".rescale" not in n][-1]


@torch.inference_mode()
def head_inputs(network: nn.Module, pictures: Pictures, indices: NDArray, config: FinetuneConfig) -> Tensor:
    """(len(indices), D) what the head sees of each picture, averaged over the evaluation views, before
    dropout.
    """
    seen: list[Tensor] = []
    handle = network.get_submodule(head_name(network)).register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0].float().mean(0).cpu())
    )
    try:
        predict(network, pictures, indices, config)
    finally:
        handle.remove()
    return torch.stack(seen)


def start_head(
    network: nn.Module,
    pictures: Pictures,
    indices: NDArray,
    targets: Tensor,
    weights: Tensor,
    config: FinetuneConfig,
) -> None:
    """Set the head: from scratch zero; on pretrained layers the best one for them as they are.

    Its first random gradients would otherwise spoil the layers below (Kumar et al., ICLR 2022).
    """
    head = network.get_submodule(head_name(network))
    weight, bias = torch.zeros_like(head.weight), torch.zeros_like(head.bias)
    if config.pretrained or config.initial:
        features = head_inputs(network, pictures, indices, config).clone()
        weight, bias = soft_probe(features, targets[indices], weights[indices], config.probe_penalty)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)


def parameter_groups(network: nn.Module, config: FinetuneConfig) -> list[dict]:
    """Optimiser groups with their own peak rates; biases and norms are not decayed."""
    depth = layer_groups(network)
    last = max(depth.values())
    groups: dict[tuple[int, bool], dict] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        level = last if ".rescale." in name else depth[name]  # new layers learn at the head's rate
        key = (level, parameter.ndim > 1)
        entry = groups.setdefault(
            key,
            {
                "params": [],
                "lr": config.learning_rate * config.layer_decay ** (last - level),
                "weight_decay": config.weight_decay if key[1] else 0.0,
            },
        )
        entry["params"].append(parameter)
    return list(groups.values())


def set_mode(network: nn.Module, config: FinetuneConfig) -> None:
    """Training mode; pretrained batch norm keeps its statistics."""
    network.train()
    if config.pretrained or config.initial:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _batches(indices: NDArray, size: int, rng: np.random.Generator) -> Iterator[NDArray]:
    yield from np.array_split(rng.permutation(indices), max(1, round(len(indices) / size)))


def _held_out(
    data: Paintings, indices: NDArray, config: FinetuneConfig, seed: int
) -> tuple[NDArray, NDArray]:
    """Training and stopping pictures, no group on both sides."""
    folds = max(2, round(1 / config.holdout))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    train, stop = next(splitter.split(indices, data.labels[indices], data.groups[indices]))
    check_no_leak(data.groups, indices[train], indices[stop])
    return indices[train], indices[stop]


def fit(
    data: Paintings,
    pictures: Pictures,
    indices: NDArray,
    config: FinetuneConfig,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Train a new network on the pictures ``indices``; return it in eval mode on the CPU.

    Args:
        data: labels, votes and groups of all pictures.
        pictures: the pictures themselves.
        indices: those to train on.
        config: settings.
        seed: of head, views and batches.
        checkpoint: file in which every epoch leaves its state; an interrupted run with the same settings goes
            on.
        progress: called after each epoch with (epochs done, training loss).
    """
    torch.manual_seed(seed)
    accelerator = Accelerator()
    network = new_network(config, len(data.classes))
    train, stop = _held_out(data, indices, config, seed) if config.patience else (indices, indices[:0])
    targets, weights = soft_targets(data, train, config.hard_share, config.class_weight_power)
    network = network.to(accelerator.device, memory_format=torch.channels_last)
    start_head(network, pictures, train, targets, weights, config)
    optimizer = torch.optim.AdamW(parameter_groups(network, config))
    steps = config.epochs * len(list(_batches(train, config.batch_size, np.random.default_rng(0))))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [g["lr"] for g in optimizer.param_groups], total_steps=max(2, steps), pct_start=0.25
    )
    network, optimizer = accelerator.prepare(network, optimizer)
    averaged = copy.deepcopy(network).eval() if config.ema else None
    draw, views = policy(config.augmentation, config.size), config.views
    best: tuple[float, int, dict | None] = (float("inf"), 0, None)
    first, step = 0, 0
    digest = config.digest([*data.paths, str(seed), str(indices.tolist())])
    if checkpoint is not None and checkpoint.is_file():
        stored = torch.load(checkpoint, map_location=accelerator.device, weights_only=True)
        if stored["digest"] == digest:
            network.load_state_dict(stored["network"])
            optimizer.load_state_dict(stored["optimizer"])
            schedule.load_state_dict(stored["schedule"])
            if averaged is not None:
                averaged.load_state_dict(stored["averaged"])
            first, step, best = stored["epoch"], stored["step"], tuple(stored["best"])
    for epoch in range(first, config.epochs):
        if config.patience and epoch - best[1] >= config.patience and best[2] is not None:
            break
        set_mode(network, config)
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(1000 * seed + epoch)
        total = 0.0
        for batch in _batches(train, config.batch_size, rng):
            x = views.normalise([draw(pictures[i], rng) for i in batch])
            x = x.to(accelerator.device).contiguous(memory_format=torch.channels_last)
            t = (targets[batch] * weights[batch, None]).to(accelerator.device)
            if config.mixup > 0:
                share = float(rng.beta(config.mixup, config.mixup))
                other = torch.from_numpy(rng.permutation(len(batch))).to(accelerator.device)
                x, t = share * x + (1 - share) * x[other], share * t + (1 - share) * t[other]
            with autocast(accelerator.device, config.mixed_precision):
                logits = network(x)
            loss = -(t * F.log_softmax(logits.float(), 1)).sum(1).mean()
            optimizer.zero_grad()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(network.parameters(), config.gradient_clip)
            optimizer.step()
            schedule.step()
            step += 1
            total += float(loss.detach()) * len(batch)
            if averaged is not None:
                _average(averaged, network, min(config.ema, (1 + step) / (10 + step)))
        if progress is not None:
            progress(epoch + 1, total / len(train))
        if config.patience:
            logits = predict(averaged or network, pictures, stop, config)
            loss = -(targets[stop] * F.log_softmax(torch.from_numpy(logits).float(), 1)).sum(1).mean().item()
            if loss < best[0]:
                state = {k: v.cpu().clone() for k, v in (averaged or network).state_dict().items()}
                best = (loss, epoch + 1, state)
        if checkpoint is not None:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            part = checkpoint.with_suffix(".part")
            torch.save(
                {
                    "digest": digest,
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "averaged": averaged.state_dict() if averaged is not None else {},
                    "epoch": epoch + 1,
                    "step": step,
                    "best": list(best),
                },
                part,
            )
            part.replace(checkpoint)
    result = averaged if averaged is not None else accelerator.unwrap_model(network)
    if best[2] is not None:
        result.load_state_dict(best[2])
    return result.cpu().eval().requires_grad_(True)


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


@torch.inference_mode()
def predict(
    network: nn.Module, pictures: Pictures, indices: NDArray, config: FinetuneConfig
) -> NDArray[np.float64]:
    """(len(indices), C) logits averaged over the evaluation views."""
    device = next(network.parameters()).device
    network.eval()
    views = config.views
    logits = []
    for i in indices:
        x = views(pictures[i]).to(device).contiguous(memory_format=torch.channels_last)
        logits.append(network(x).double().mean(0).cpu())
    return torch.stack(logits).numpy()


def cross_validate(
    data: Paintings,
    pictures: Pictures,
    config: FinetuneConfig,
    out: Path | None = None,
    desc: str = "folds",
) -> list[dict]:
    """Train and test on every fold of every split seed. Folds finished in ``out`` are not trained again.

    Returns:
        One dict a fold: split_seed, fold, test (indices), logits (n, C), seconds.
    """
    digest = config.digest(data.paths)
    plan = [
        (seed, fold, train, test)
        for seed in config.split_seeds
        for fold, (train, test) in enumerate(grouped_folds(data.labels, data.groups, config.folds, seed))
    ]
    results = []
    for seed, fold, train, test in tqdm(plan, desc=desc, unit="fold", disable=None):
        file = None if out is None else Path(out) / f"split{seed}-fold{fold}.npz"
        stored = np.load(file) if file is not None and file.is_file() else None
        if stored is None or str(stored["digest"]) != digest:
            start = time.perf_counter()
            checkpoint = None if file is None else file.with_suffix(".pt")
            network = fit(data, pictures, train, config, config.seed + 1000 * seed + fold, checkpoint)
            logits = predict(network, pictures, test, config)
            stored = {"test": test, "logits": logits, "seconds": time.perf_counter() - start}
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                part = file.with_suffix(".part.npz")
                np.savez(part, digest=digest, **stored)
                part.replace(file)
                checkpoint.unlink(missing_ok=True)
        results.append(
            {
                "split_seed": seed,
                "fold": fold,
                "test": np.asarray(stored["test"]),
                "logits": np.asarray(stored["logits"]),
                "seconds": float(stored["seconds"]),
            }
        )
    return results
