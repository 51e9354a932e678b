"""Scenes for training: photos with drawn targets and regions, and unpaired pictures of the style.

Everything is decoded once and kept in memory as uint8 (600 pictures of 432×288 take 0.5 GB with targets and
regions). A batch depends on (seed, step) alone, so that resumed training continues with the same batches.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.data.images import check_folder, list_images, pass_over, read_each
from workbench.data.paintings import list_paintings


def picture_names(folder: str | Path, least: int = 10) -> list[str]:
    """Relative paths of the pictures of a folder, sorted.

    If the folder has a ``ratings.csv``, as the atelier's has, only the pictures it lists count: other files
    there (masks) are not pictures of the style.

    Raises:
        DatasetError: if there are fewer than ``least``.
    """
    folder = check_folder(folder, error=DatasetError)
    if (folder / "ratings.csv").is_file():
        names = sorted(list_paintings(folder).paintings.paths)
    else:
        names = [file.relative_to(folder).as_posix() for file in list_images(folder)]
    if len(names) < least:
        raise DatasetError(
            f"Expected at least {least} pictures in {folder} but found {len(names)}. Add more."
        )
    return names


def load_pictures(
    folder: str | Path,
    short_side: int,
    least: int = 10,
    names: Iterable[str] | None = None,
    *,
    smallest: int = 1,
    skipped: dict[str, str] | None = None,
) -> dict[str, NDArray[np.uint8]]:
    """Pictures of a folder by relative path, RGB (H, W, 3), scaled down to ``short_side`` if larger.

    What cannot be read, or is too small, is passed over: a warning names it and says why.

    Args:
        folder: of the pictures, at any depth.
        short_side: in pixels.
        least: minimum number of pictures of a folder; of ``names``, one is enough.
        names: a subset of :func:`picture_names`; all if not given.
        smallest: side in pixels that a picture has at least.
        skipped: the paths of what is passed over are added to it, with the reason.

    Raises:
        DatasetError: fewer than ``least`` pictures are left.
    """
    if names is None:
        names = picture_names(folder, least)
    else:
        least = 1
    files = {Path(folder) / name: name for name in names}
    over: dict[str, str] = {}
    pictures = {}
    for path, image in read_each(files, over):
        if min(image.size) < smallest:
            pass_over(path, f"{image.width}×{image.height} pixels, and {smallest} a side are needed.", over)
            continue
        scale = short_side / min(image.size)
        if scale < 1:
            image = image.resize([max(short_side, round(side * scale)) for side in image.size], resample=1)
        pictures[files[path]] = np.asarray(image)
    if len(pictures) < least:
        first = "".join(f" The first: {reason}" for reason in list(over.values())[:1])
        raise DatasetError(
            f"Expected at least {least} pictures that can be used in {folder} but only {len(pictures)} of "
            f"{len(files)} can. Replace the others, or add more.{first}"
        )
    if skipped is not None:
        skipped |= over
    return pictures


def split(names: list[str], held_out: int, seed: int) -> tuple[list[str], list[str]]:
    """(training, validation), both sorted: ``names`` shuffled by ``seed``, ``held_out`` in the latter.

    Raises:
        DatasetError: if fewer than two would be left to train on.
    """
    if held_out < 2 or len(names) - held_out < 2:
        raise DatasetError(
            f"Cannot hold out {held_out} of {len(names)} pictures: at least 2 must be left on each side."
        )
    order = np.random.default_rng(seed).permutation(sorted(names)).tolist()
    return sorted(order[held_out:]), sorted(order[:held_out])


def split_three_ways(names: list[str], held_out: int, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Photos for training, choosing (weights, losses, steps) and reporting.

    ``held_out`` of them, at most a quarter and at least four, are not trained on; of those, every other one
    is for choosing, so that at least two are left for each purpose: KID compares pairs of pictures.
    """
    train, apart = split(names, min(held_out, max(4, len(names) // 4)), seed)
    return train, apart[::2], apart[1::2]


def names_to_report(roles: str | Path, names: Iterable[str]) -> list[str]:
    """Those of ``names`` whose role is "report" (:func:`names_of_role`): they trained and chose nothing."""
    return names_of_role(roles, names, "report")


def names_of_role(roles: str | Path, names: Iterable[str], role: str) -> list[str]:
    """Those of ``names`` that have a role.

    Args:
        roles: CSV of the columns photo and role ("train", "choose" or "report").
        names: relative paths of photos; those that the table does not have are left out.
        role: one of these.

    Raises:
        DatasetError: no such table, or none of the photos has this role.
    """
    path = Path(roles)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            known = {row["photo"]: row["role"] for row in csv.DictReader(file)}
    except (OSError, KeyError) as error:
        raise DatasetError(
            f"Expected a CSV of the columns photo and role at {path} but got {error!r}. Check the file."
        ) from None
    found = [name for name in names if known.get(name) == role]
    if not found:
        raise DatasetError(f'Expected photos whose role in {path.name} is "{role}" but none is.')
    return found


@dataclasses.dataclass(frozen=True)
class Crops:
    """Draws random crops at the same position from aligned arrays.

    Args:
        layers: for each picture a tuple of arrays with equal height and width: the picture (uint8, 3
            channels) and whatever is aligned with it (uint8 pictures are resampled by area, integer label
            maps by nearest).
        size: side of the crops in pixels.
        scales: range of random resizing; 0.8 shows 1/0.8 times as much of the picture.
        seed: of the sequence of batches.
    """

    layers: list[tuple[NDArray, ...]]
    size: int
    scales: tuple[float, float]
    seed: int

    def batch(self, step: int, count: int) -> tuple[NDArray, ...]:
        """``count`` crops for ``step``, randomly flipped: one array (count, size, size[, 3]) per layer."""
        rng = np.random.default_rng((self.seed, step))
        return tuple(np.stack(parts) for parts in zip(*(self._crop(rng) for _ in range(count)), strict=True))

    def _crop(self, rng: np.random.Generator) -> tuple[NDArray, ...]:
        layers = self.layers[rng.integers(len(self.layers))]
        height, width = layers[0].shape[:2]
        side = min(round(self.size / rng.uniform(*self.scales)), height, width)
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        flip = rng.random() < 0.5
        crops = []
        for layer in layers:
            crop = layer[top : top + side, left : left + side]
            if side != self.size:
                nearest = layer.dtype != np.uint8
                method = (
                    cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
                )
                crop = cv2.resize(crop, (self.size, self.size), interpolation=method)
            crops.append(crop[:, ::-1] if flip else crop)
        return tuple(crops)
