"""The same picture twice: equal files, second photographs of one drawing, and series by one person.

A model recognises a picture that is also in its training set, so the test score is too high. Equal files
are found by their digest. A second photograph of a drawing (rotated, slightly cropped, in different light)
differs in every byte and often in its perceptual hash, but hardly in the features of a frozen ImageNet
network. Similarity is therefore the cosine of the pooled features of EfficientNet-lite0, with the second
picture also mirrored and rotated by multiples of 90°.

The two thresholds were chosen by inspecting the pairs of 218 children's drawings in order of similarity:

- :data:`SAME` .96: all five pairs above it are one drawing photographed twice, four of them rotated; none of
  the 27 pairs from .93 to .96 is. It finds 46 % of simulated second photographs (rotated by up to 5° plus any
  multiple of 90°, cropped by up to 7 % per corner, in other light, blurred, compressed again).
- :data:`SERIES` .90: it finds 94 % of those (99 % of milder, 63 % of much rougher ones). 92 of the 97 pairs
  above it show the same motif in the same pen on the same kind of paper (for example five hearts in a row).
  They are different drawings, but a split between them leaks as a split within one painter does.
  From .88 to .90 one pair in six has different pens; lower thresholds chain a quarter of the collection into
  one group.

No two of 396 Chinese paintings have a similarity above .86, although one is there twice. So the pictures that
are nearest to each other are compared by local features, too (:mod:`workbench.data.local_features`). Grouping
joins what they find and pairs from :data:`SERIES`; pictures are reported as the same from :data:`SAME`, or if
local features say so. Hits and false alarms of both are in ``reports/results/near_duplicates.csv``, measured
by ``workbench study near_duplicates``: neither detector finds what the other does.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from workbench.core.cache import Cache, key, user_cache
from workbench.core.files import file_digest
from workbench.data.images import read_image
from workbench.data.local_features import INLIERS, agreeing_keypoints, local_features
from workbench.data.neighbours import alike_pairs, nearest
from workbench.data.paintings import NEAR_DUPLICATES, PictureList

if TYPE_CHECKING:
    from workbench.models.features import FrozenFeatures

log = logging.getLogger(__name__)
Pictures = TypeVar("Pictures", bound=PictureList)

SAME = 0.96  # least cosine of two photographs or scans of one picture
NEIGHBOURS = 8  # that each picture is compared with by local features
SERIES = 0.90  # least cosine of pictures that share maker, tool and motif: no split should separate them
SIDE = 224  # pixels of the squeezed picture that the network sees
_QUARTERS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
TURNS = (None, Image.Transpose.FLIP_LEFT_RIGHT, *_QUARTERS)


class Pair(NamedTuple):
    """Two pictures that look alike."""

    first: int  # index of a picture
    second: int  # index of another, above `first`
    similarity: float  # cosine in [-1, 1]
    keypoints: int = 0  # local features that agree; 0 if they were not compared


def equal_files(files: Iterable[Path]) -> list[tuple[int, ...]]:
    """Indices of the files that have the same content, two or more in each tuple."""
    where = defaultdict(list)
    for index, file in enumerate(files):
        where[file_digest(file)].append(index)
    return [tuple(members) for members in where.values() if len(members) > 1]


def turned_features(
    root: Path, names: Sequence[str], cache: Path | None = None, progress: bool = True
) -> NDArray[np.float32]:
    """Features of each picture resized to a square: upright, mirrored, and rotated by 90, 180 and 270°.

    Takes about 0.15 s per picture on one core.

    Args:
        root: folder of the pictures.
        names: N paths relative to it.
        cache: folder that keeps the features by content; by default one in the user's cache.
        progress: show a progress bar.

    Returns:
        (N, 5, 1280) float32, rows of unit length.

    Raises:
        ImageError: a picture cannot be read.
        WeightsError: the package with the ImageNet weights is missing.
    """
    import torch

    from workbench.models.features import FrozenFeatures

    @functools.cache
    def network() -> FrozenFeatures:
        return FrozenFeatures("lite0").to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def measure(path: Path) -> dict[str, NDArray[np.float32]]:
        x = torch.from_numpy(_turned(read_image(path))).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        rows = network()(x.contiguous(memory_format=torch.channels_last)).numpy()
        return {"x": rows / np.linalg.norm(rows, axis=1, keepdims=True)}

    kept = Cache(cache or user_cache("duplicates"))
    features = np.empty((len(names), len(TURNS), 1280), np.float32)
    for i, name in enumerate(tqdm(names, desc="features", unit="picture", disable=not progress or None)):
        path = root / name
        run = key("turned-features", 1, picture=path)
        features[i] = kept.arrays(run, functools.partial(measure, path))["x"]
    return features


def similar_pairs(features: ArrayLike, threshold: float = SERIES) -> list[Pair]:
    """Pairs of :func:`~workbench.data.neighbours.alike_pairs`, one by one."""
    pairs = alike_pairs(features, threshold)
    return [Pair(*pair) for pair in zip(*(column.tolist() for column in pairs), strict=True)]


def same_paintings(
    root: Path, names: Sequence[str], features: NDArray, cache: Path | None = None, progress: bool = True
) -> list[Pair]:
    """Pairs of files that show one painting by their local features, the surest first.

    Each picture is compared with its nearest ones; about 0.03 s per picture on one core.

    Args:
        root: folder of the pictures.
        names: N paths relative to it.
        features: (N, V, D) of :func:`turned_features`, which say which pictures are near.
        cache: folder that keeps the pairs of these pictures; by default one in the user's cache.
    """
    upright = np.asarray(features)[:, 0]
    near, _ = nearest(upright, NEIGHBOURS)
    pairs = sorted({(min(i, int(j)), max(i, int(j))) for i, row in enumerate(near) for j in row})

    def compare() -> list[Pair]:
        local = [
            local_features(read_image(root / name))
            for name in tqdm(names, desc="keypoints", unit="picture", disable=None if progress else True)
        ]
        found = []
        for i, j in tqdm(pairs, desc="comparing", unit="pair", disable=None if progress else True):
            keypoints = agreeing_keypoints(local[i], local[j])
            if keypoints >= INLIERS:
                found.append(Pair(i, j, float(upright[i] @ upright[j]), keypoints))
        return sorted(found, key=lambda pair: (-pair.keypoints, pair.first, pair.second))

    run = key("same-paintings", 1, pairs, pictures=[root / name for name in names])
    kept = Cache(cache or user_cache("duplicates")).json(run, compare)
    return [Pair(*pair) for pair in kept]


def merge_groups(groups: ArrayLike, joined: Iterable[Sequence[int]]) -> NDArray[np.str_]:
    """Merge the groups of ``joined`` pictures; a merged group takes the alphabetically first name.

    Args:
        groups: (N,) group of each picture. Pictures of one group stay together.
        joined: tuples of indices of pictures that belong together.
    """
    names, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    edges = [(codes[m[0]], codes[other]) for m in joined for other in m[1:]]
    if not edges:
        return names[codes]
    rows, columns = np.array(edges).T
    graph = coo_array((np.ones(len(edges)), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)  # names are sorted
    return names[first[component]][codes]


def group_near_duplicates(
    paintings: Pictures,
    features: ArrayLike | None = None,
    threshold: float = SERIES,
    cache: Path | None = None,
) -> Pictures:
    """The same pictures with near-duplicates in one group, so that no grouped split divides them.

    Known groups (painters) are never divided: a pair of pictures by two painters merges both groups.

    Args:
        paintings: labelled or rated pictures.
        features: (N, D) or (N, V, D), as for :func:`similar_pairs`; computed here if None. The default
            ``threshold`` is meant for those of :func:`turned_features`.
        threshold: least cosine of a pair.
        cache: see :func:`turned_features`.
    """
    if features is None:
        features = turned_features(paintings.root, paintings.paths, cache)
    features = np.asarray(features)
    if len(features) != len(paintings):
        raise ValueError(f"Expected features of {len(paintings)} pictures but got {len(features)}.")
    pairs = similar_pairs(features, threshold)
    if features.ndim == 3:
        pairs += same_paintings(paintings.root, paintings.paths, features, cache=cache)
    groups = merge_groups(paintings.groups, [pair[:2] for pair in pairs])
    log.info(
        "%d pairs of near-duplicates: %d groups become %d.",
        len(pairs),
        len(np.unique(paintings.groups)),
        len(np.unique(groups)),
    )
    by = " and ".join(filter(None, (paintings.grouped_by, NEAR_DUPLICATES)))
    return dataclasses.replace(paintings, groups=groups, grouped_by=by)  # type: ignore[type-var]


def _turned(image: Image.Image) -> NDArray[np.uint8]:
    """(5, 224, 224, 3): the resized picture in each of :data:`TURNS`."""
    factor = min(image.size) // (2 * SIDE)
    image = image.reduce(factor) if factor > 1 else image
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.stack([np.asarray(image if t is None else image.transpose(t)) for t in TURNS])
