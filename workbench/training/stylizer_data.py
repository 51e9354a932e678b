"""The pictures of a stylizer's training: which photos train, choose and measure, with drawings of them."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.data.scenes import load_pictures, split
from workbench.training.stylizer_config import StylizerConfig
from workbench.training.targets import prepare

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SceneData:
    """Everything decoded: uint8 (H, W, 3) pictures."""

    training: dict[str, NDArray]  # photos to train on, by relative path
    validation: dict[str, NDArray]  # held-out photos that choose the weights
    test: dict[str, NDArray]  # held-out photos that measure the chosen ones
    style: list[NDArray]
    prepared: list[tuple[NDArray, ...]] | None  # (photo, drawing, regions) of each training photo


def load_data(config: StylizerConfig, targets: bool) -> SceneData:
    """Read both folders, split the photos, and prepare ``targets`` (drawings and regions) if wanted.

    Raises:
        DatasetError: too few pictures, unreadable or tiny ones.
    """
    photos = load_pictures(config.photos, config.photo_side)
    style = load_pictures(config.style, config.style_side)
    smallest = min(min(p.shape[:2]) for p in (*photos.values(), *style.values()))
    if smallest < 64:
        raise DatasetError(f"Expected pictures of at least 64 pixels a side but the smallest has {smallest}.")
    seed = config.seed if config.split_seed is None else config.split_seed
    train, held_out = split(list(photos), min(config.held_out, len(photos) // 4), seed)
    training = {name: photos[name] for name in train}
    log.info("%d photos to train on, %d held out, %d style pictures", len(train), len(held_out), len(style))
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    return SceneData(
        training,
        {name: photos[name] for name in held_out[::2]},
        {name: photos[name] for name in held_out[1::2]},
        list(style.values()),
        prepare(training, config, out / "targets.npz") if targets else None,
    )
