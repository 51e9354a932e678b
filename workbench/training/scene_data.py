"""The pictures of a stylizer's training: training, validation and test photos, and their targets."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.cache import Cache
from workbench.core.errors import DatasetError
from workbench.core.pixels import region_labels
from workbench.data.scenes import load_pictures, names_of_role, picture_names, split_three_ways
from workbench.drawing.teachers import Teacher
from workbench.training.configs import StylizerConfig
from workbench.training.targets import Cost, make_targets

log = logging.getLogger(__name__)
SMALLEST = 64  # pixels a side of the pictures of a training
REGIONS: dict[str, Any] = {"scale": 80, "sigma": 0.8, "min_size": 40}  # of the colour-block term and measure


@dataclasses.dataclass(frozen=True)
class SceneData:
    """Everything decoded: uint8 (H, W, 3) pictures."""

    training: dict[str, NDArray]  # photos to train on, by relative path
    validation: dict[str, NDArray]  # held-out photos for choosing the weights
    test: dict[str, NDArray]  # held-out photos for measuring the chosen weights
    style: list[NDArray]
    cache: Path | None = None  # folder of the targets; by default in that of the training
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)  # what was passed over, and why


def load_data(config: StylizerConfig, roles: str | Path = "", most: int = 40) -> SceneData:
    """Read both folders and split the photos; what cannot be read or is tiny is passed over and named.

    Args:
        config: of the training.
        roles: CSV of photo and role, written before: photos that "train" are trained on, those that "choose"
            choose the weights, and ``most`` of those that "report" are measured. Without one, the split is
            drawn by the configuration's seed.
        most: photos that report, with ``roles``.

    Raises:
        DatasetError: too few pictures are left, or a role that none of the photos has.
    """
    skipped: dict[str, str] = {}
    load = functools.partial(load_pictures, smallest=SMALLEST, skipped=skipped)
    parts = _of_roles(config, roles, most) if roles else ()
    wanted = [name for part in parts for name in part] or None
    photos = load(config.photos, config.photo_side, names=wanted)
    parts = tuple([name for name in part if name in photos] for part in parts)
    apart = load(config.held_out_photos, config.photo_side, 4) if config.held_out_photos else {}
    style = load(config.style, config.style_side) if config.style else {}
    seed = config.seed if config.split_seed is None else config.split_seed
    train, choose, report = parts or (sorted(photos), sorted(apart)[::2], sorted(apart)[1::2])
    if parts:
        apart = photos
    elif not apart:
        train, choose, report = split_three_ways(train, config.held_out, seed)
        apart = photos
    held_out = len(choose) + len(report)
    log.info("%d photos to train on, %d held out, %d style pictures", len(train), held_out, len(style))
    training = {name: photos[name] for name in train}
    return SceneData(
        training | recoloured(training, config.recoloured, config.seed),
        {name: apart[name] for name in choose},
        {name: apart[name] for name in report},
        list(style.values()),
        Path(config.out) / "targets",
        skipped,
    )


def _of_roles(config: StylizerConfig, roles: str | Path, most: int) -> tuple[list[str], ...]:
    """Names of the photos to train on, to choose by, and to report."""
    if config.held_out_photos:
        raise DatasetError("Expected a table of roles or a folder of held-out photos but got both.")
    names = picture_names(config.photos)
    train, choose, report = (names_of_role(roles, names, role) for role in ("train", "choose", "report"))
    return train, choose, sorted(np.random.default_rng(0).permutation(report)[:most].tolist())


def recoloured(photos: Mapping[str, NDArray], share: float, seed: int) -> dict[str, NDArray]:
    """A share of the photos, drawn at random, with their colour channels in another order.

    Skies become red and leaves blue: hues that few photos have, on shapes and noise that are real.
    """
    random = np.random.default_rng(seed)
    orders = list(itertools.permutations(range(3)))[1:]  # without the photo's own
    chosen = random.permutation(sorted(photos))[: round(share * len(photos))]
    picked = random.integers(len(orders), size=len(chosen))
    return {
        f"{name} in the channel order {orders[k]}": np.ascontiguousarray(photos[name][..., orders[k]])
        for name, k in zip(chosen.tolist(), picked, strict=True)
    }


def drawings(
    photos: Mapping[str, NDArray], teacher: Teacher, cache: Cache
) -> tuple[dict[str, NDArray[np.uint8]], Cost]:
    """The teacher's drawings (H, W, 3) of photos, and their cost."""
    settings = (teacher.function.__module__, teacher.settings)
    made, cost = make_targets(
        cache, "drawing", teacher.version, settings, photos, lambda p: {"x": teacher.draw(p)}
    )
    return {name: arrays["x"] for name, arrays in made.items()}, cost


def regions(photos: Mapping[str, NDArray], cache: Cache) -> tuple[dict[str, NDArray[np.int16]], Cost]:
    """Region labels (H, W) of photos, and their cost."""

    def one(photo: NDArray) -> dict[str, NDArray]:
        return {"x": region_labels(photo, **REGIONS).astype(np.int16)}

    made, cost = make_targets(cache, "regions", 1, REGIONS, photos, one)
    return {name: arrays["x"] for name, arrays in made.items()}, cost
