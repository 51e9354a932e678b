"""Features of pictures, computed once per picture and cached by the picture's content.

A *feature source* is a small dataclass, so that it can be part of an estimator's settings; its ``table``
gives (N, D) features of all paintings.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from tqdm import tqdm

from workbench.classify.configs import StatisticsConfig, ViewsConfig
from workbench.core.cache import Cache, digest, key
from workbench.core.errors import DatasetError
from workbench.core.files import file_digest
from workbench.data.paintings import Paintings
from workbench.data.transforms import RandomView, Squeeze, Views, shrink
from workbench.interpret.embedding import embed_files
from workbench.models import create
from workbench.models.backbones import weights_file
from workbench.models.features import FrozenFeatures
from workbench.models.statistics import StatisticsClassifier

Arrays = dict[str, NDArray]

_IN_MEMORY = 4  # tables of a few hundred MB at most each; folds and baselines share them
_tables: OrderedDict[str, Any] = OrderedDict()


def remembered(name: str, make: Callable[[], Any]) -> Any:
    """The result of ``make`` for this key; the most recent ones are kept in memory."""
    if name not in _tables:
        _tables[name] = make()
    _tables.move_to_end(name)
    while len(_tables) > _IN_MEMORY:
        _tables.popitem(last=False)
    return _tables[name]


def per_picture(
    step: str,
    settings: Any,
    paintings: Paintings,
    make: Callable[[int], Mapping[str, NDArray]],
    cache: Cache | None,
) -> Arrays:
    """Arrays of every picture, stacked to (N, …) and cached by the picture's content.

    Args:
        step: name of the computation.
        settings: that the result depends on.
        paintings: N pictures.
        make: computes the arrays of the picture at an index.
        cache: keeps them between processes; None keeps them in memory only.
    """
    keys = [key(step, 1, settings, picture=paintings.root / path) for path in paintings.paths]

    def compute() -> Arrays:
        rows = [
            make(i) if cache is None else cache.arrays(name, functools.partial(make, i))
            for i, name in enumerate(tqdm(keys, desc=step, unit="picture", disable=None))
        ]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    kept_in = None if cache is None else str(cache.folder)  # each cache folder gets its own files
    return remembered(digest([kept_in, keys]), compute)


class Features(Protocol):
    """A feature source."""

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        """(N, D); nan where a picture lacks a feature."""
        ...


@dataclasses.dataclass(frozen=True)
class SqueezedFeatures:
    """1,280 features of the ImageNet EfficientNet-lite0 on the whole picture resized to a square."""

    size: int = 224  # pixels of a side

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        network = functools.cache(lambda: FrozenFeatures("lite0"))
        views = Views((Squeeze(self.size),))

        @torch.inference_mode()
        def make(i: int) -> Arrays:
            return {"features": network()(views(paintings.read(i)))[0].numpy()}

        return per_picture("squeezed", self, paintings, make, cache)["features"].astype(np.float64)


@dataclasses.dataclass(frozen=True)
class StatisticsFeatures:
    """Stage statistics of frozen networks, averaged over views (see :mod:`workbench.models.statistics`)."""

    variants: tuple[str, ...] = ("lite0", "lite1")
    size: int = 224  # pixels of a view's side
    crops: tuple[tuple[int, int], ...] = ((224, 3), (336, 3))  # (short side, count) at native scale
    covariance_stage: int = 0  # of the first network; see StatisticsConfig
    parts: tuple[int, ...] | None = None  # indices of the parts to use (see `sizes`); None uses all
    columns: int | None = None  # only the first ones; 1,280 are the first network's pooled features

    @classmethod
    def of(cls, config: StatisticsConfig, **selection: Any) -> StatisticsFeatures:
        """The features of an estimator with this config, or the ``parts`` or ``columns`` of them."""
        return cls(config.variants, config.size, config.eval_crops, config.covariance_stage, **selection)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Columns of each part used: the statistics of a network, its covariances if any, then the next's."""
        sizes = statistics_network(self.variants, self.covariance_stage).parts
        return sizes if self.parts is None else tuple(sizes[i] for i in self.parts)

    @property
    def views(self) -> Views:
        """Views of a picture."""
        return StatisticsConfig(size=self.size, eval_crops=self.crops).views

    @torch.inference_mode()
    def measure(self, image: Image.Image) -> NDArray[np.float32]:
        """(D,) all columns of one picture."""
        x = self.views(image).contiguous(memory_format=torch.channels_last)
        network = statistics_network(self.variants, self.covariance_stage)
        return network.forward_features(x).mean(0).numpy()

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        return self.table32(paintings, cache).astype(np.float64)

    def table32(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float32]:
        """The table in single precision."""

        def make(i: int) -> Arrays:
            return {"statistics": self.measure(paintings.read(i))}

        settings = (self.variants, self.size, self.crops, self.covariance_stage)
        table = per_picture("statistics", settings, paintings, make, cache)["statistics"]
        if self.parts is not None:
            edges = np.cumsum([0, *dataclasses.replace(self, parts=None).sizes])
            table = np.concatenate([table[:, edges[i] : edges[i + 1]] for i in self.parts], 1)
        return table[:, : self.columns]


@functools.lru_cache(maxsize=2)
def statistics_network(variants: tuple[str, ...], covariance_stage: int = 0) -> StatisticsClassifier:
    """The frozen networks with ImageNet weights; the linear layer is not fitted. Shared: do not modify it."""
    network = StatisticsClassifier(2, variants, pretrained=True, covariance_stage=covariance_stage)
    return network.eval().to(memory_format=torch.channels_last)


@dataclasses.dataclass(frozen=True)
class EmbeddedFeatures:
    """Embeddings by a frozen network without its head (see :mod:`workbench.models.backbones`)."""

    backbone: str = "lite0"
    weights: str = ""  # file of the network's weights; without it they are known by name or downloaded

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        return self.table32(paintings, cache).astype(np.float64)

    def table32(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float32]:
        """The table in single precision.

        Raises:
            DatasetError: a picture cannot be read.
        """
        weights = self.weights or None
        paths = [paintings.root / path for path in paintings.paths]

        def compute() -> NDArray[np.float32]:
            found, skipped = embed_files(paths, self.backbone, weights=weights, cache=cache)
            for path, reason in skipped.items():
                raise DatasetError(f"{path.name} cannot be embedded: {reason}")
            return np.stack([found[path] for path in paths])

        kept_in = None if cache is None else str(cache.folder)
        contents = paintings.contents()["pictures"]
        name = digest([kept_in, "embedded", self.backbone, weights_file(self.backbone, weights), contents])
        return remembered(name, compute)


@dataclasses.dataclass(frozen=True)
class ViewFeatures:
    """Pooled features of the network of a :class:`ViewsConfig` before its stages are tuned."""

    config: ViewsConfig
    view: int | None = None  # index of one view; None averages over all

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        pooled = view_bank(self.config, paintings, cache)["pooled"].astype(np.float64)  # (N, E, D)
        return pooled.mean(1) if self.view is None else pooled[:, self.view]


@dataclasses.dataclass(frozen=True)
class DescriptorFeatures:
    """The descriptors of expression (see :mod:`workbench.interpret.descriptors`)."""

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        from workbench.interpret.descriptors import DESCRIPTORS, describe

        def make(i: int) -> Arrays:
            measured = describe(paintings.read(i))
            return {"descriptors": np.array([measured[name] for name in DESCRIPTORS], dtype=np.float64)}

        return per_picture("descriptors", tuple(DESCRIPTORS), paintings, make, cache)["descriptors"]


@dataclasses.dataclass(frozen=True)
class MeasureFeatures:
    """Everything that `workbench measure` measures (see :mod:`workbench.interpret.measuring`)."""

    version: int = 2  # raised when a measure is added or changed

    def table(self, paintings: Paintings, cache: Cache | None = None) -> NDArray[np.float64]:
        from workbench.interpret.measuring import MEASURES, measure

        def make(i: int) -> Arrays:
            return {"measures": np.array(list(measure(paintings.read(i)).values()))}

        return per_picture("measures", tuple(MEASURES), paintings, make, cache)["measures"]


def split_network(network: Any, stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """A timm EfficientNet as (frozen trunk, trainable tail); both share its modules."""
    if not 0 <= stages <= len(network.blocks):
        raise ValueError(f"Expected 0 … {len(network.blocks)} frozen stages but got {stages}.")
    blocks = list(network.blocks)
    trunk = nn.Sequential(network.conv_stem, network.bn1, *blocks[:stages])
    dropout = nn.Dropout(network.drop_rate)
    pooled = (*blocks[stages:], network.conv_head, network.bn2, network.global_pool)
    return trunk, nn.Sequential(*pooled, dropout, network.classifier)


def views_network(config: ViewsConfig, num_classes: int) -> nn.Module:
    """The architecture with ImageNet weights and a new head."""
    return create(config.model, num_classes=num_classes, dropout=config.dropout, pretrained=True)


_STORED = ("model", "frozen_stages", "size")  # settings that every stored view depends on


def view_bank(config: ViewsConfig, paintings: Paintings, cache: Cache | None = None) -> Arrays:
    """Outputs of the frozen stages for every picture's views, computed once.

    Memory and disk: about 45 kB per view at the default settings.

    Returns:
        ``train`` (N, V, C, h, w) float16 of random views, seeded by the picture's content; ``evaluate``
        (N, E, C, h, w) float16 of ``config.views``; ``pooled`` (N, E, D) float32 features of the latter.
    """

    @functools.cache
    def parts() -> tuple[nn.Module, nn.Module]:
        trunk, tail = split_network(views_network(config, 2), config.frozen_stages)
        return trunk.eval().to(memory_format=torch.channels_last), tail[:-2].eval()

    draw, views = RandomView(config.size, squeezed=config.squeezed_views), config.views

    def stages(x: torch.Tensor) -> torch.Tensor:
        return parts()[0](x.contiguous(memory_format=torch.channels_last)).half()

    @torch.inference_mode()
    def train(i: int) -> Arrays:
        content = int(file_digest(paintings.root / paintings.paths[i]), 16)
        rng = np.random.default_rng([config.seed, content])
        small = shrink(paintings.read(i), draw.short_side[1])
        return {
            "train": stages(views.normalise([draw(small, rng) for _ in range(config.train_views)])).numpy()
        }

    @torch.inference_mode()
    def evaluate(i: int) -> Arrays:
        x = stages(views(paintings.read(i)))
        return {"evaluate": x.numpy(), "pooled": parts()[1](x.float()).numpy()}

    common = {name: getattr(config, name) for name in _STORED}
    random = common | {name: getattr(config, name) for name in ("train_views", "squeezed_views", "seed")}
    fixed = common | {name: getattr(config, name) for name in ("eval_crops", "eval_squeeze")}
    return {
        **per_picture("views-random", random, paintings, train, cache),
        **per_picture("views-fixed", fixed, paintings, evaluate, cache),
    }
