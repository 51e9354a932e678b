"""Nearest neighbours, pairs that look alike, and outliers, by the cosine of features.

Neighbours are exact, by faiss. Pictures whose features are equal are compared once, so that a folder of
thousands of copies gives as many pairs as it has copies and not their square.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 1024  # queries at once


class Pairs(NamedTuple):
    """M pairs of pictures that look alike, the most alike first."""

    first: NDArray[np.int64]  # (M,) index of a picture
    second: NDArray[np.int64]  # (M,) index of another, above `first`
    similarity: NDArray[np.float32]  # (M,) cosine


def nearest(vectors: ArrayLike, count: int = 10) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest pictures of each, without itself, by cosine.

    Args:
        vectors: (N, D).
        count: of neighbours; at most N - 1 are given.

    Returns:
        Indices and cosines, both (N, min(count, N - 1)), nearest first.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    x = _unit(vectors, (2,))
    count = max(0, min(count, len(x) - 1))
    cosines, indices = _index(x).search(x, count + 1)
    own = indices == np.arange(len(x))[:, None]
    own[~own.any(1), -1] = True  # among many equal pictures its own index may be missing: drop the last
    keep = ~own
    return indices[keep].reshape(len(x), count), cosines[keep].reshape(len(x), count)


def alike_pairs(vectors: ArrayLike, threshold: float = 0.9) -> Pairs:
    """Pairs at or above a cosine. Of equal vectors each is paired with the first of them only.

    Args:
        vectors: (N, D), or (N, V, D) with V views of each picture, the upright one first: the similarity of
            two pictures is the greatest cosine of either upright view with any view of the other.
        threshold: least cosine, in (0, 1].

    Raises:
        ValueError: another shape, values that are not finite, or a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"Expected a threshold in (0, 1] but got {threshold}.")
    x = _unit(vectors, (2, 3))
    x = x.reshape(len(x), -1, x.shape[-1])  # (N, V, D)
    _, first, member = np.unique(x.reshape(len(x), -1), axis=0, return_index=True, return_inverse=True)
    copies = np.flatnonzero(first[member] != np.arange(len(x)))
    distinct = np.sort(first)
    index = _index(x[distinct, 0])
    least = float(np.nextafter(np.float32(threshold), np.float32(0)))
    pairs = [(first[member[copies]], copies, np.ones(len(copies), np.float32))]
    for view in range(x.shape[1]):
        for start in range(0, len(distinct), _BLOCK):
            block = distinct[start : start + _BLOCK]
            limits, cosines, columns = index.range_search(np.ascontiguousarray(x[block, view]), least)
            rows, columns = np.repeat(block, np.diff(limits).astype(np.int64)), distinct[columns]
            keep = rows != columns
            pair = np.minimum(rows, columns)[keep], np.maximum(rows, columns)[keep]
            pairs.append((*pair, cosines[keep]))
    i, j, similarity = (np.concatenate(column) for column in zip(*pairs, strict=True))
    order = np.lexsort((-similarity, j, i))  # every pair once, by its greatest cosine
    i, j, similarity = i[order].astype(np.int64), j[order].astype(np.int64), similarity[order].clip(max=1)
    once = np.flatnonzero(np.diff(i, prepend=-1) | np.diff(j, prepend=-1))
    order = once[np.lexsort((j[once], i[once], -similarity[once]))]
    return Pairs(i[order], j[order], similarity[order])


def outlier_scores(vectors: ArrayLike, count: int = 10) -> NDArray[np.float32]:
    """(N,) distance of each picture to its ``count`` nearest: 1 minus their mean cosine; nan if it is alone.

    Source: Ramaswamy, Rastogi and Shim, Efficient algorithms for mining outliers from large data sets, 2000.
    """
    _, cosines = nearest(vectors, count)
    return 1 - cosines.mean(1) if cosines.shape[1] else np.full(len(cosines), np.nan, np.float32)


def _index(rows: NDArray[np.float32]):
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(np.ascontiguousarray(rows))
    return index


def _unit(vectors: ArrayLike, dimensions: tuple[int, ...]) -> NDArray[np.float32]:
    x = np.asarray(vectors, dtype=np.float32)
    if x.ndim not in dimensions or not len(x):
        shapes = " or ".join(f"(N, {'V, ' * (d - 2)}D)" for d in dimensions)
        raise ValueError(f"Expected vectors of shape {shapes} with N of 1 or more but got {x.shape}.")
    bad = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(1))
    if len(bad):
        raise ValueError(f"Expected finite vectors but row {bad[0]} has a NaN or an infinity.")
    return np.ascontiguousarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12))
