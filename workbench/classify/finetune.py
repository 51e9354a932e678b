"""Train any registered classifier end to end on labelled paintings, from scratch or by transfer.

:mod:`workbench.classify.transfer` selects the trained layers. Interrupted training resumes after the last
complete epoch and gives the same weights.

Sources: Zhang et al., "mixup", ICLR 2018; Loshchilov and Hutter, "AdamW", ICLR 2019; Smith and Topin,
"Super-convergence", 2019; Kumar et al., "Fine-Tuning can Distort Pretrained Features", ICLR 2022 (the head).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from workbench.classify.augment import mixup, policy
from workbench.classify.configs import FinetuneConfig
from workbench.classify.estimators import Estimator, NetworkEstimator
from workbench.classify.features import SqueezedFeatures, remembered
from workbench.classify.probes import LinearProbe, set_layer, soft_probe, soft_targets
from workbench.classify.transfer import (
    new_network,
    parameter_groups,
    set_training_mode,
    take_out_stem,
)
from workbench.core.cache import digest, key
from workbench.core.devices import refuse_launchers, resolve
from workbench.core.errors import DatasetError
from workbench.core.files import replacing
from workbench.core.precision import autocast
from workbench.data.paintings import Paintings
from workbench.data.splits import check_no_leak
from workbench.data.transforms import shrink
from workbench.models.averaging import average
from workbench.models.novelty import head_name, with_head_inputs
from workbench.models.registry import architecture_info


class Pictures:
    """All pictures in memory, reduced to the size that views need: about 0.4 MB each at 224 pixels."""

    def __init__(self, paintings: Paintings, size: int):
        self.size = size
        indices = tqdm(range(len(paintings)), desc="reading", unit="picture", disable=None)
        self._small = [self._load(paintings, i) for i in indices]

    def _load(self, paintings: Paintings, index: int) -> Image.Image:
        side = round(self.size * 12 / 7)
        image = shrink(paintings.read(index), side)
        scale = side / min(image.size)
        if scale < 1:
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.BICUBIC)
        return image

    def __getitem__(self, index: int) -> Image.Image:
        return self._small[index]

    def __len__(self) -> int:
        return len(self._small)


class FinetuneEstimator(NetworkEstimator):
    """A registered network, trained end to end."""

    Config = FinetuneConfig

    @property
    def architecture(self) -> str:
        return self.config.model

    def arguments(self, num_classes: int) -> dict[str, Any]:
        new_network(self.config, num_classes)  # raises for bad arguments before any long work
        own = {"size": self.config.size} if "size" in architecture_info(self.config.model).defaults else {}
        return {"num_classes": num_classes, **own, **self.config.arguments}

    @property
    def initial_weights(self) -> str:
        return self.config.initial or ("ImageNet" if self.config.pretrained else "random")

    @property
    def device(self) -> str:
        return resolve().type

    @property
    def identity(self) -> tuple:
        weights = Path(self.config.initial) if self.config.initial else None  # keyed by content, not by name
        kind, version, settings = super().identity
        return kind, version, {**settings, "initial": weights}

    def pictures(self, paintings: Paintings) -> Pictures:
        """The pictures in memory, shared by estimators of equal size."""
        name = digest(["pictures", self.config.size, paintings.contents()["pictures"]])
        return remembered(name, lambda: Pictures(paintings, self.config.size))

    def fit(
        self,
        paintings: Paintings,
        rows: ArrayLike,
        seed: int | None = None,
        progress: Callable[[int, float], None] | None = None,
    ) -> Self:
        """Train a new network.

        Args:
            paintings: labels, votes, groups and pictures.
            rows: indices of the pictures to train on.
            seed: of head, views and batches.
            progress: called after each epoch with (epochs done, training loss).
        """
        rows, seed = np.asarray(rows), self.config.seed if seed is None else seed
        checkpoint = None
        if self.cache is not None:
            data = {"rows": rows, "seed": seed, **paintings.contents()}
            checkpoint = self.cache.path(key("finetune", 1, self.identity, **data), ".pt")
        training = _Training(paintings, self.pictures(paintings), rows, self.config, seed)
        training.resume(checkpoint)
        while not training.finished:
            loss = training.epoch()
            if progress is not None:
                progress(training.epochs_done, loss)
            training.save(checkpoint)
        self._network = training.result()
        self.parameters_ = sum(p.numel() for p in self._network.parameters())
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        network = self._network.to(resolve())
        logits = predict(network, self.pictures(paintings), np.asarray(rows), self.config)
        network.cpu()
        return logits

    def network(self) -> nn.Module:
        return self._network

    def embedded(self, paintings: Paintings, rows: ArrayLike) -> Tensor:
        network = self._network.to(resolve())
        found = head_inputs(network, self.pictures(paintings), np.asarray(rows), self.config)
        network.cpu()
        return found

    def baselines(self) -> dict[str, Estimator]:
        return {"linear_probe_squeezed": LinearProbe(features=SqueezedFeatures(224), cache=self.cache)}


class _Training:
    """State of one training run: network, optimiser and progress."""

    def __init__(
        self, paintings: Paintings, pictures: Pictures, rows: NDArray, config: FinetuneConfig, seed: int
    ):
        refuse_launchers("a classifier's folds are not shared between processes")
        torch.manual_seed(seed)
        self.pictures, self.config, self.seed, self.device = pictures, config, seed, resolve()
        network = new_network(config, len(paintings.classes))
        self.rows, self.stop = rows, rows[:0]
        if config.patience:
            self.rows, self.stop = _hold_out(paintings, rows, config, seed)
        self.targets, self.weights = soft_targets(
            paintings, self.rows, config.hard_share, config.class_weight_power
        )
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self._start_head()
        self.whole, self.stem = self.network, None
        if config.augmentation == "none" and not config.eval_crops and config.transfer != "full":
            parts = take_out_stem(self.network.cpu(), config.size)
            if parts is not None:
                self.stem, self.network = (part.to(self.device) for part in parts)
        self._passed: dict[int, Tensor] = {}  # what came out of the stem
        self.optimizer = torch.optim.AdamW(parameter_groups(self.network, config))
        steps = config.epochs * len(list(_batches(self.rows, config.batch_size, np.random.default_rng(0))))
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, rates, total_steps=max(2, steps), pct_start=0.25
        )
        self.averaged = copy.deepcopy(self.network).eval() if config.ema else None
        self.draw, self.views = policy(config.augmentation, config.size), config.views
        self.epochs_done, self.steps = 0, 0
        self.best: tuple[float, int, dict | None] = (float("inf"), 0, None)  # loss, epoch, weights

    def _start_head(self) -> None:
        """Initialise the head: zero from scratch, a linear probe on pretrained layers.

        The gradients of a random head would distort the layers below (Kumar et al., ICLR 2022).
        """
        head, config = self.network.get_submodule(head_name(self.network)), self.config
        assert isinstance(head, nn.Linear)
        weight, bias = torch.zeros_like(head.weight), torch.zeros_like(head.bias)
        if config.pretrained or config.initial:
            features = head_inputs(self.network, self.pictures, self.rows, config).clone()
            targets, weights = self.targets[self.rows], self.weights[self.rows]
            weight, bias = soft_probe(features, targets, weights, config.probe_penalty)
        set_layer(head, weight, bias)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the loss on held-out groups has stopped falling."""
        _, epoch, weights = self.best
        patience = self.config.patience
        early = bool(patience) and weights is not None and self.epochs_done - epoch >= patience
        return early or self.epochs_done >= self.config.epochs

    def epoch(self) -> float:
        """Train for one pass over the pictures; return the mean training loss."""
        set_training_mode(self.network, self.config)
        rng = np.random.default_rng([self.seed, self.epochs_done])
        torch.manual_seed(1000 * self.seed + self.epochs_done)
        batches = _batches(self.rows, self.config.batch_size, rng)
        total = sum(self._step(batch, rng) * len(batch) for batch in batches)
        self.epochs_done += 1
        if self.config.patience:
            network = self.averaged or self.network
            logits = mean_logits(network, self.views_of, self.stop)
            log_p = F.log_softmax(logits.float(), 1)
            loss = -(self.targets[self.stop] * log_p).sum(1).mean().item()
            if loss < self.best[0]:
                state = {name: value.cpu().clone() for name, value in network.state_dict().items()}
                self.best = (loss, self.epochs_done, state)
        return total / len(self.rows)

    def _step(self, batch: NDArray, rng: np.random.Generator) -> float:
        config = self.config
        if self.stem is None:
            x = self.views.normalise([self.draw(self.pictures[i], rng) for i in batch]).to(self.device)
        else:
            x = torch.cat([self.views_of(i) for i in batch])
        x = _channels_last(x)
        t = (self.targets[batch] * self.weights[batch, None]).to(self.device)
        if config.mixup > 0:
            x, t = mixup(x, t, config.mixup, rng)
        with autocast(self.device, config.mixed_precision):
            logits = self.network(x)
        loss = -(t * F.log_softmax(logits.float(), 1)).sum(1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_clip)
        self.optimizer.step()
        self.schedule.step()
        self.steps += 1
        if self.averaged is not None:
            average(self.averaged, self.network, config.ema, self.steps)
        return float(loss.detach())

    @torch.no_grad()
    def views_of(self, index: int) -> Tensor:
        """The evaluation views of a picture, as the trained layers get them."""
        if index in self._passed:
            return self._passed[index]
        x = self.views(self.pictures[index]).to(self.device)
        if self.stem is not None:
            x = self._passed[index] = self.stem(x)
        return x

    def save(self, checkpoint: Path | None) -> None:
        """Save the state of the last epoch, to resume from."""
        if checkpoint is not None:
            state = {name: part.state_dict() for name, part in self._parts().items()}
            progress = {"epochs": self.epochs_done, "steps": self.steps, "best": list(self.best)}
            with replacing(checkpoint) as partial:
                torch.save({**state, **progress}, partial)

    def resume(self, checkpoint: Path | None) -> None:
        """Resume from the state that :meth:`save` saved, if any."""
        if checkpoint is not None and checkpoint.is_file():
            stored = torch.load(checkpoint, map_location=self.device, weights_only=True)
            for name, part in self._parts().items():
                part.load_state_dict(stored[name])
            self.epochs_done, self.steps = stored["epochs"], stored["steps"]
            self.best = tuple(stored["best"])

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        return parts | ({"averaged": self.averaged} if self.averaged is not None else {})

    def result(self) -> nn.Module:
        """The network to use, in eval mode on the CPU."""
        network = self.averaged if self.averaged is not None else self.network
        if self.best[2] is not None:
            network.load_state_dict(self.best[2])
        if self.stem is not None:
            self.whole.load_state_dict(network.state_dict(), strict=False)
            network = self.whole
        return network.cpu().eval().requires_grad_(True)


@torch.inference_mode()
def predict(
    network: nn.Module, pictures: Pictures, rows: NDArray, config: FinetuneConfig
) -> NDArray[np.float64]:
    """(len(rows), C) logits averaged over the evaluation views."""
    device, views = next(network.parameters()).device, config.views
    return mean_logits(network, lambda i: views(pictures[i]).to(device), rows).numpy()


@torch.inference_mode()
def mean_logits(network: nn.Module, views_of: Callable[[int], Tensor], rows: NDArray) -> Tensor:
    """(len(rows), C) means over the views that ``views_of`` gives of a picture."""
    network.eval()
    views = (_channels_last(views_of(i)) for i in rows)
    return torch.stack([network(x).cpu().double().mean(0) for x in views])


def _channels_last(x: Tensor) -> Tensor:
    """In the order that convolutions are fastest in; what is pooled already has no order."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


@torch.inference_mode()
def head_inputs(network: nn.Module, pictures: Pictures, rows: NDArray, config: FinetuneConfig) -> Tensor:
    """(len(rows), D) inputs of the head before dropout, averaged over each picture's views."""
    device, views = next(network.parameters()).device, config.views
    network.eval()
    inputs = (with_head_inputs(network, _channels_last(views(pictures[i]).to(device)))[1] for i in rows)
    return torch.stack([x.float().mean(0).cpu() for x in inputs])


def _batches(rows: NDArray, size: int, rng: np.random.Generator) -> Iterator[NDArray]:
    yield from np.array_split(rng.permutation(rows), max(1, round(len(rows) / size)))


def _hold_out(
    paintings: Paintings, rows: NDArray, config: FinetuneConfig, seed: int
) -> tuple[NDArray, NDArray]:
    """(training, early-stopping) pictures, no group on both sides."""
    folds = max(2, round(1 / config.holdout))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        train, stop = next(splitter.split(rows, paintings.labels[rows], paintings.groups[rows]))
    except ValueError as error:
        raise DatasetError(
            f"Expected enough pictures to hold out {config.holdout:.0%} of the groups for early stopping but "
            f"{error} Add pictures, or set patience to 0."
        ) from error
    check_no_leak(paintings.groups, rows[train], rows[stop])
    return rows[train], rows[stop]
