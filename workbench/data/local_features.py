"""One painting in two files, found by local features that agree on one similarity transform.

Features of a whole picture miss a second reproduction with another crop, mount or colour: one painting that
is in a collection of 396 Chinese paintings twice has a cosine of .77, below that of many different ones.
SIFT keypoints that match both ways and move together are sure: that pair has 103, any other of 2,487 near
pairs at most 15. Of 60 of the paintings that were reproduced once more (cropped, turned, smaller, in other
colours, on a mount) the threshold finds 49 (70 to 89 %), and no wrong one; the cosine finds none. A drawing
of few lines has few keypoints: among 218 children's drawings the threshold finds one of five pairs that show
one drawing photographed twice, and 14 of 60 reproductions, again without a false alarm. The threshold was
chosen on near pairs of the paintings (``workbench study near_duplicates``,
``reports/results/near_duplicates.csv``).

Sources: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004; Arandjelović and
Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012 (RootSIFT).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

INLIERS = 40  # keypoints that agree, from which two files show one painting
_SIDE = 512  # pixels of the longer side that is looked at
_KEYPOINTS = 400
_RATIO = 0.8  # Lowe's: distance of the best match over that of the second best
_TOLERANCE = 8.0  # pixels from the common transform
_SCALES = (0.2, 5.0)  # of a plausible transform


class LocalFeatures(NamedTuple):
    """SIFT keypoints of a picture."""

    points: NDArray[np.float32]  # (K, 2) x, y in pixels of the reduced picture
    descriptors: NDArray[np.float32]  # (K, 128) RootSIFT


def local_features(image: Image.Image) -> LocalFeatures:
    """At most 400 keypoints of a picture, reduced to 512 pixels if it is larger."""
    gray = image.convert("L")
    gray.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    sift = cv2.SIFT_create(_KEYPOINTS)  # type: ignore[attr-defined]
    keypoints, descriptors = sift.detectAndCompute(np.asarray(gray), None)
    if descriptors is None:
        return LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-9))
    return LocalFeatures(np.array([k.pt for k in keypoints], np.float32), roots.astype(np.float32))


def agreeing_keypoints(first: LocalFeatures, second: LocalFeatures) -> int:
    """Number of keypoints that match both ways and lie where one rotation, scale and shift puts them."""
    if min(len(first.points), len(second.points)) < 3:
        return 0
    cosine = first.descriptors @ second.descriptors.T  # RootSIFT has unit length
    rows = np.arange(len(cosine))
    best = cosine.argmax(1)
    top = cosine[rows, best]
    cosine[rows, best] = -1
    nearest, next_nearest = (np.sqrt(np.maximum(2 - 2 * c, 0)) for c in (top, cosine.max(1)))
    cosine[rows, best] = top
    matched = (nearest < _RATIO * next_nearest) & (cosine.argmax(0)[best] == rows)
    if matched.sum() < 3:
        return 0
    transform, agree = cv2.estimateAffinePartial2D(
        first.points[matched],
        second.points[best[matched]],
        method=cv2.RANSAC,
        ransacReprojThreshold=_TOLERANCE,
    )
    if transform is None or not _SCALES[0] < np.hypot(*transform[:, 0]) < _SCALES[1]:
        return 0
    return int(agree.sum())
