"""Test pictures of the stylizer studies: photos unused in training and selection, the style, masks.

A photo that was used to train a network, or to select its weights, losses, steps or drawing settings, is not
measured. A table of roles, written before any measurement, lists them (``reports/splits/scenes.csv`` for the
shipped styles: photos used in training or seen during development are "train" or "choose"). Without a table,
    the
half of the held-out photos that is not used for selection is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.data.atelier import open_dataset
from workbench.data.images import list_images, read_each
from workbench.data.scenes import load_pictures, names_to_report, picture_names, split_three_ways
from workbench.metrics import spectrum

SHORT_SIDE = 288  # photos and style pictures alike: strokes and details must be of comparable size

Picture = NDArray[np.uint8]


def free_photos() -> dict[str, Picture]:
    """Photographs that come with scikit-image and scikit-learn, at short side :data:`SHORT_SIDE`.

    Those of scikit-image trained the shipped networks: they show that a study works, and report nothing.
    """
    from skimage import data
    from sklearn.datasets import load_sample_images

    found = {name: getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")}
    found |= dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    pictures = {}
    for name, pixels in found.items():
        scale = SHORT_SIDE / min(pixels.shape[:2])
        size = [max(SHORT_SIDE, round(side * scale)) for side in pixels.shape[1::-1]]
        pictures[name] = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return pictures


def read_photos(
    folder: str | Path = "", held_out: int = 80, seed: int = 0, roles: str | Path = ""
) -> dict[str, Picture]:
    """Photos by name at short side :data:`SHORT_SIDE`; "" gives :func:`free_photos`.

    Args:
        folder: of photos.
        held_out: with ``roles``, as many of those that report, drawn by ``seed``; without, those of as many
            held out by ``workbench train stylizer`` that do not choose its weights. 0 takes all there are.
        seed: of that split.
        roles: CSV of the columns photo and role: only photos whose role is "report" are taken.

    Raises:
        DatasetError: too few, or none is large enough to be measured.
    """
    if not folder:
        return free_photos()
    names = picture_names(folder)
    if roles:
        names = names_to_report(roles, names)
        if 0 < held_out < len(names):
            names = sorted(np.random.default_rng(seed).permutation(names)[:held_out].tolist())
    elif held_out:
        *_, names = split_three_ways(names, held_out, seed)
    return _large(load_pictures(folder, SHORT_SIDE, names=names), 2, "photos")


def split_of(folder: str | Path, held_out: int, seed: int, roles: str | Path) -> str:
    """What :func:`read_photos` takes with these options, as the column "split" describes it."""
    if not folder:
        return "free photos, some of which trained the shipped networks"
    if roles:
        return f"{Path(roles).name}: report"
    return f"held out by a training of seed {seed}: report" if held_out else "all photos"


def read_style(style: str | Path | Sequence[Picture]) -> dict[str, Picture]:
    """Pictures of a style by name: of a folder, of the atelier ("atelier:N"), or as they are.

    Raises:
        DatasetError: too few, or none is large enough to be measured.
    """
    if not isinstance(style, (str, Path)):
        found = {str(i): picture for i, picture in enumerate(style)}
    elif str(style).split(":")[0] == "atelier" and not Path(style).is_dir():
        data = open_dataset(str(style))
        found = {path: np.asarray(data.read(i)) for i, path in enumerate(data.paths)}
    else:
        found = load_pictures(style, SHORT_SIDE)
    return _large(found, 4, "style pictures")


def episodes(names: Iterable[str]) -> list[str]:
    """What pictures of a style share: a comic's episode if names say it ("E11P02_01.jpg"), else the name."""
    return [found.group(1) if (found := re.match(r"(E\d+)P\d", Path(n).name)) else n for n in names]


def _large(pictures: dict, least: int, what: str) -> dict:
    """Those that can be measured, at least ``least``."""
    side = 2 * spectrum.SIDE
    kept = {name: p for name, p in pictures.items() if min(p.shape[:2]) >= side}
    if len(kept) < least:
        raise DatasetError(
            f"Expected at least {least} {what} of {side} pixels or more a side but got {len(kept)} of "
            f"{len(pictures)}. Give more, or larger ones."
        )
    return kept


def read_masks(folder: str | Path, photos: Mapping[str, Picture]) -> dict[str, NDArray[np.bool_]]:
    """Masks (white is what may change) of the photos that have one: a picture of that name, any suffix."""
    files = {f.relative_to(folder).with_suffix("").as_posix(): f for f in list_images(folder)}
    found = {}
    wanted = {file: name for name in photos if (file := files.get(Path(name).with_suffix("").as_posix()))}
    for file, image in read_each(wanted):
        name = wanted[file]
        mask = image.convert("L").resize(photos[name].shape[1::-1], Image.Resampling.BILINEAR)
        found[name] = np.asarray(mask) > 127
    return found
