"""The same picture twice: equal files, second photographs of one drawing, and series by one hand.

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
  They are different drawings, but a split between them leaks the hand as a split within one painter does.
  From .88 to .90 one pair in six has different pens; lower thresholds chain a quarter of the collection into
  one group.

No two of 396 Chinese paintings have a similarity above .86, although one is there twice. So the pictures that
are nearest to each other are compared by local features, too (:mod:`workbench.data.local_features`). Grouping
joins what they find and pairs from :data:`SERIES`; pictures are reported as the same from :data:`SAME`, or if
local features say so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from workbench.core.files import write_whole
from workbench.data.images import read_image
from workbench.data.local_features import INLIERS, agreeing_keypoints, local_features

if TYPE_CHECKING:
    from workbench.data.paintings import Paintings

log = logging.getLogger(__name__)

SAME = 0.96  # cosine from which two files are one picture photographed or scanned twice
SERIES = 0.90  # cosine from which they share hand, tool and motif: no split should separate them
SIDE = 224  # pixels of the squeezed picture that the network sees
_QUARTERS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
TURNS = (None, Image.Transpose.FLIP_LEFT_RIGHT, *_QUARTERS)


class Pair(NamedTuple):
    """Two pictures that look alike."""

    first: int  # index of a picture
    second: int  # index of another, above `first`
    similarity: float  # cosine in [-1, 1]
    keypoints: int = 0  # local features that agree; 0 if they were not compared


def file_digests(root: Path, names: Iterable[str]) -> list[str]:
    """SHA-256 of each file, as hexadecimal digits."""
    digests = []
    for name in names:
        with (root / name).open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests


def equal_files(digests: Sequence[str]) -> list[tuple[int, ...]]:
    """Indices of the files that share a digest, two or more in each tuple."""
    where = defaultdict(list)
    for index, digest in enumerate(digests):
        where[digest].append(index)
    return [tuple(members) for members in where.values() if len(members) > 1]


def turned_features(
    root: Path, names: Sequence[str], cache: Path | None = None, progress: bool = True
) -> NDArray[np.float32]:
    """Features of each picture resized to a square: upright, mirrored, and rotated by 90, 180 and 270°.

    Takes about 0.15 s per picture on one core.

    Args:
        root: folder of the pictures.
        names: N paths relative to it.
        cache: a ``.npz`` file that keeps the features by file digest; created if missing. A changed file is
            read again, a renamed one is not.
        progress: show a progress bar.

    Returns:
        (N, 5, 1280) float32, rows of unit length.

    Raises:
        ImageError: a picture cannot be read.
        WeightsError: the package with the ImageNet weights is missing.
    """
    import torch

    from workbench.models.features import FrozenFeatures

    digests = file_digests(root, names)
    known = _read_cache(cache)
    todo = [i for i, d in enumerate(digests) if d not in known]
    if todo:
        network = FrozenFeatures("lite0").to(memory_format=torch.channels_last)
        with torch.inference_mode():
            for i in tqdm(todo, desc="features", unit="picture", disable=None if progress else True):
                views = _turned(read_image(root / names[i]))
                x = torch.from_numpy(views).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
                rows = network(x.contiguous(memory_format=torch.channels_last)).numpy()
                known[digests[i]] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        if cache is not None:
            _write_cache(cache, known)
    return np.stack([known[d] for d in digests]) if digests else np.empty((0, len(TURNS), 1280), np.float32)


def similar_pairs(features: ArrayLike, threshold: float = SERIES) -> list[Pair]:
    """Pairs at or above a cosine, the most alike first.

    Args:
        features: (N, D), or (N, V, D) with V views of each picture, the upright one first: the similarity of
            two pictures is the greatest cosine of either upright view with any view of the other.
        threshold: least cosine, in (0, 1].

    Raises:
        ValueError: another shape, or a threshold outside (0, 1].
    """
    x = np.asarray(features, dtype=np.float32)
    if x.ndim not in (2, 3):
        raise ValueError(f"Expected features of shape (N, D) or (N, V, D) but got {x.shape}.")
    if not 0 < threshold <= 1:
        raise ValueError(f"Expected a threshold in (0, 1] but got {threshold}.")
    x = x[:, None] if x.ndim == 2 else x
    x = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    best: dict[tuple[int, int], float] = {}
    for start in range(0, len(x), 512):  # in blocks, to avoid an N × N matrix
        block = x[start : start + 512, 0]
        cosine = np.max([block @ x[:, view].T for view in range(x.shape[1])], axis=0)
        for i, j in zip(*np.nonzero(cosine >= threshold), strict=True):
            key = (min(i + start, j), max(i + start, j))
            if key[0] != key[1]:
                best[key] = max(best.get(key, -1.0), float(cosine[i, j]))
    found = [Pair(int(i), int(j), min(value, 1.0)) for (i, j), value in best.items()]
    return sorted(found, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def same_paintings(
    root: Path, names: Sequence[str], features: NDArray, neighbours: int = 8, progress: bool = True
) -> list[Pair]:
    """Pairs of files that show one painting by their local features, the surest first.

    Each picture is compared with its nearest ones; about 0.3 s per picture on one core.

    Args:
        root: folder of the pictures.
        names: N paths relative to it.
        features: (N, V, D) of :func:`turned_features`, which say which pictures are near.
        neighbours: of each picture.
    """
    upright = np.asarray(features)[:, 0]
    near = nearest(upright, neighbours)
    pairs = sorted({(min(i, int(j)), max(i, int(j))) for i, row in enumerate(near) for j in row})
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


def nearest(features: NDArray, count: int) -> NDArray[np.int64]:
    """(N, min(count, N - 1)) indices of the rows with the greatest cosine to each; they have unit length."""
    count = min(count, len(features) - 1)
    rows = []
    for start in range(0, len(features), 512):
        cosine = features[start : start + 512] @ features.T
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -np.inf
        rows.append(np.argpartition(-cosine, max(count - 1, 0), axis=1)[:, :count])
    return np.concatenate(rows)


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
    paintings: Paintings,
    features: ArrayLike | None = None,
    threshold: float = SERIES,
    cache: Path | None = None,
) -> Paintings:
    """The same pictures with near-duplicates in one group, so that no grouped split divides them.

    Known groups (painters) are never divided: a pair of pictures by two painters merges both groups.

    Args:
        paintings: labelled pictures.
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
        pairs += same_paintings(paintings.root, paintings.paths, features)
    groups = merge_groups(paintings.groups, [pair[:2] for pair in pairs])
    log.info(
        "%d pairs of near-duplicates: %d groups become %d.",
        len(pairs),
        len(np.unique(paintings.groups)),
        len(np.unique(groups)),
    )
    by = " and ".join(filter(None, (paintings.grouped_by, "near-duplicates")))
    return dataclasses.replace(paintings, groups=groups, grouped_by=by)


def _turned(image: Image.Image) -> NDArray[np.uint8]:
    """(5, 224, 224, 3): the resized picture in each of :data:`TURNS`."""
    factor = min(image.size) // (2 * SIDE)
    image = image.reduce(factor) if factor > 1 else image
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.stack([np.asarray(image if t is None else image.transpose(t)) for t in TURNS])


def _read_cache(cache: Path | None) -> dict[str, NDArray]:
    if cache is None or not cache.is_file():
        return {}
    try:
        with np.load(cache, allow_pickle=False) as stored:
            digests, features = stored["digests"], stored["features"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s is not a cache of features (%s): it is made again.", cache, error)
        return {}
    return dict(zip(digests.tolist(), features, strict=True))


def _write_cache(cache: Path, known: dict[str, NDArray]) -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, digests=np.array(list(known)), features=np.stack(list(known.values())))
    write_whole(buffer.getbuffer(), cache)
