"""Classifies a painting: calibrated class probabilities, and the regions that explain them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench import models
from workbench.classify.results import DEFAULT_CLASSIFIER, Explanation, Reading, classifiers
from workbench.core.cards import SHIPPED, locate
from workbench.core.devices import in_batches, resolve
from workbench.core.errors import UnknownNameError, WeightsError
from workbench.core.files import identity
from workbench.data.images import as_rgb
from workbench.data.transforms import Crops, Views
from workbench.interpret import layers
from workbench.interpret.attribution import default_layer, overlay
from workbench.interpret.methods import METHODS, attribute, available, methods, passes
from workbench.metrics.calibration import apply_temperature
from workbench.models.novelty import with_head_inputs

__all__ = [
    "DEFAULT_CLASSIFIER",
    "Classifier",
    "Explanation",
    "Reading",
    "classifiers",
    "classify",
    "load_classifier",
]

_MAX_RATIO = 8.0  # aspect ratio to which longer scrolls are compressed, for the heat map only
_MANY_PASSES = {"integrated_gradients": {"steps": 16}, "occlusion": {}}  # these run on 224² pixels
_MODERATE_PIXELS = 224 * 224
_BATCH = 8  # pictures at once
_cache: dict[tuple, Classifier] = {}
_cache_lock = threading.Lock()


class Classifier:
    """A trained classifier and its card. Thread-safe.

    Args:
        network: it is moved to the device.
        card: its card.
        device: see :func:`workbench.core.devices.resolve`.

    Example:
        >>> classifier = Classifier.load()  # doctest: +SKIP
        >>> classifier.classify(read_image("painting.jpg")).top  # doctest: +SKIP
        'serenity'
    """

    def __init__(self, network: torch.nn.Module, card: models.Card, device: str | None = None):
        if card.kind != "classifier":
            raise WeightsError(
                f"Expected a classifier but {card.name} is a {card.kind}. Choose one of: {classifiers()}."
            )
        self.device = resolve(device)
        self.network, self.card = network.eval().to(self.device), card
        self.views = Views.from_card(card.preprocessing)
        self.temperature = float(card.calibration.get("temperature", 1.0))
        if not self.temperature > 0:
            raise WeightsError(
                f"Expected a temperature above 0 on the card of {card.name} but got {self.temperature}."
            )
        self._lock = threading.Lock()  # captum sets hooks on the network: one explanation at a time

    @classmethod
    def load(cls, name: str | os.PathLike = DEFAULT_CLASSIFIER, device: str | None = None) -> Classifier:
        """A classifier by name, or from a ``.safetensors`` file with its card in the same folder.

        It is cached until its weights change.

        Args:
            name: of a model in the package, or a path.
            device: see :func:`workbench.core.devices.resolve`.

        Raises:
            UnknownNameError: unknown model.
            WeightsError: weights or card are missing, damaged or not of a classifier.
            WorkbenchError: unavailable device.
        """
        key = (identity(locate(name, SHIPPED)), str(resolve(device)))
        with _cache_lock:
            if key not in _cache:
                _cache[key] = cls(*models.load(name), device)
            return _cache[key]

    def logits(self, image: Image.Image) -> NDArray[np.float64]:
        """(C,) logits averaged over the card's views, before calibration."""
        return self.logits_of([image])[0]

    def logits_of(self, images: Sequence[Image.Image], batch: int = _BATCH) -> NDArray[np.float64]:
        """(N, C) logits of several pictures, in batches of ``batch``, smaller ones if memory is short."""
        return np.stack([logits for logits, _ in self._run(images, batch)])

    def features_of(self, images: Sequence[Image.Image], batch: int = _BATCH) -> torch.Tensor:
        """(N, D) what the network's last layer gets of several pictures, averaged over the card's views."""

        def run(some: Sequence[Image.Image]) -> list[torch.Tensor]:
            return list(_mean_over_views(self._seen(some)[1], len(some)).float().cpu())

        return torch.stack(in_batches(run, images, batch))

    def _run(
        self, images: Sequence[Image.Image], batch: int
    ) -> list[tuple[NDArray[np.float64], float | None]]:
        """Logits (C,) and novelty of each picture, both of the mean over its views."""
        novelty: Any = getattr(self.network, "novelty", None)

        def run(some: Sequence[Image.Image]) -> list[tuple[NDArray[np.float64], float | None]]:
            logits, features = self._seen(some, of_last_layer=novelty is not None)
            ranks: list[float | None] = [None] * len(some)
            if novelty is not None:
                with torch.inference_mode():
                    ranks = novelty.rank(novelty(_mean_over_views(features, len(some)))).tolist()
            logits = _mean_over_views(logits, len(some))
            return list(zip(logits.cpu().double().numpy(), ranks, strict=True))

        return in_batches(run, images, batch)

    def _seen(
        self, some: Sequence[Image.Image], of_last_layer: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(n · V, C) logits of all views and, if asked for, (n · V, D) what the last layer got for them."""
        x = torch.cat([self.views(as_rgb(image)) for image in some])  # (n · V, 3, S, S)
        x = x.to(self.device).contiguous(memory_format=torch.channels_last)
        with self._lock, torch.inference_mode():
            return with_head_inputs(self.network, x) if of_last_layer else (self.network(x), x)

    def classify(self, image: Image.Image) -> Reading:
        """Class probabilities, with the views and the temperature of the card."""
        return self.classify_all([image])[0]

    def classify_all(self, images: Sequence[Image.Image], batch: int = _BATCH) -> list[Reading]:
        """:meth:`classify` of several pictures, in batches."""
        names, calibrated = self.card.class_names, "temperature" in self.card.calibration
        readings = []
        for logits, novelty in self._run(images, batch):
            p = apply_temperature(logits, self.temperature)
            probabilities = dict(zip(names, map(float, p), strict=True))
            readings.append(Reading(self.card.name, probabilities, calibrated, novelty))
        return readings

    @property
    def layers(self) -> list[str]:
        """Names of the stages that a layered method can use, from shallow to deep."""
        return list(layers.stages(self.network))

    @property
    def default_layer(self) -> str | None:
        """The stage that a layered method uses by default; None if that layer is only part of a stage."""
        default = default_layer(self.network)
        stages = layers.stages(self.network).items()
        return next((n for n, m in stages if m is default or list(m.children())[-1:] == [default]), None)

    @functools.cached_property
    def methods(self) -> list[str]:
        """Methods of :mod:`workbench.interpret.methods` that this network can be explained with."""
        return available(self.network)

    def explain(
        self,
        image: Image.Image,
        class_name: str | None = None,
        method: str = "grad_cam",
        layer: str | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Explanation:
        """Evidence for one class (by default the most probable) over the picture, at the scale of the crops.

        The network is fully convolutional, so it gets the whole picture in its proportions: every part has
        the scale of the views that :meth:`classify` averages, and the map has no seams. Integrated gradients
        and occlusion run the network about fifty times, so they use a picture of about 224 × 224 pixels in
        area: a few seconds on one CPU core.

        Args:
            image: the picture.
            class_name: one of the model's classes.
            method: one of :func:`~workbench.interpret.methods.methods`.
            layer: for Grad-CAM and guided Grad-CAM one of :attr:`layers`; by default :attr:`default_layer`.
            progress: called with the share done; more than once only for the slow methods.

        Raises:
            UnknownNameError: unknown class, method or layer.
            AttributionError: a layer for a method without layers, or guided backpropagation on a network
                without ReLU.
        """
        image = as_rgb(image)
        names = self.card.class_names
        if method not in methods():
            raise UnknownNameError("method", method, methods())
        if layer is not None and METHODS[method].layered and layer not in self.layers:
            raise UnknownNameError("layer", layer, self.layers)
        if class_name is None:
            class_name = self.classify(image).top
        if class_name not in names:
            raise UnknownNameError("class", class_name, names)
        pixels = _MODERATE_PIXELS if method in _MANY_PASSES else None
        x = self.views.normalise([_moderate(image, self._short_side(), pixels)]).to(self.device)
        options = _MANY_PASSES.get(method, {})
        with self._lock, _counting(self.network, passes(method, (x.shape[-2], x.shape[-1])), progress):
            size = (image.height, image.width)
            maps = attribute(method, self.network, x, names.index(class_name), layer, size=size, **options)
        heatmap = maps[0].cpu().numpy()
        return Explanation(class_name, heatmap, overlay(image, heatmap), method, layer)

    def _short_side(self) -> int:
        crops = [k.short_side for k in self.views.kinds if isinstance(k, Crops)]
        return min(crops) if crops else self.views.kinds[0].size


def load_classifier(name: str | os.PathLike = DEFAULT_CLASSIFIER, device: str | None = None) -> Classifier:
    """A trained mood classifier, by name or from a file; see :meth:`Classifier.load`."""
    return Classifier.load(name, device)


def classify(
    image: Image.Image, classifier: str | os.PathLike = DEFAULT_CLASSIFIER, device: str | None = None
) -> Reading:
    """Calibrated probabilities of the moods that people see in a painting.

    Args:
        image: the painting.
        classifier: a name in :func:`classifiers`, or a ``.safetensors`` file with its card in the same
            folder.
        device: see :func:`workbench.core.devices.resolve`.

    Raises:
        UnknownNameError, WeightsError, ImageError: as :class:`Classifier`.
    """
    return load_classifier(classifier, device).classify(image)


@contextlib.contextmanager
def _counting(
    network: torch.nn.Module, total: int, progress: Callable[[float], None] | None
) -> Iterator[None]:
    """Report the share of ``total`` pictures that the network has processed."""
    if progress is None:
        yield
        return
    shown = itertools.count(1)

    def seen(_module, args):
        for _ in range(len(args[0])):
            share = next(shown) / total
        progress(min(share, 1.0))

    handle = network.register_forward_pre_hook(seen)
    try:
        yield
    finally:
        handle.remove()


def _mean_over_views(values: torch.Tensor, pictures: int) -> torch.Tensor:
    """(n · V, D) to (n, D)."""
    return values.view(pictures, -1, values.shape[-1]).mean(1)


def _moderate(image: Image.Image, short_side: int, pixels: int | None = None) -> Image.Image:
    """The whole picture with a shorter side of ``short_side`` and an aspect ratio of at most ``_MAX_RATIO``.

    With ``pixels`` it has at most about that many.
    """
    width, height = (min(side / min(image.size), _MAX_RATIO) for side in image.size)  # of the shorter side
    if pixels is not None:
        short_side = min(short_side, (pixels / (width * height)) ** 0.5)
    size = (round(short_side * width), round(short_side * height))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
