"""What a stylizer did to one photo: content and lines kept, colour moved, surfaces flattened.

KID (:mod:`workbench.metrics.kid`) and the spectral profile (:mod:`workbench.metrics.spectrum`) judge a set of
drawings against a style; the measures here judge a drawing against its photo. The untouched photo is perfect
by most of them, so perfection is no goal: read them beside KID.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class EdgeScore(NamedTuple):
    """Edges of a drawing against those of its photo, each in [0, 1].

    A share of no pixels is nan. F1 is not, unless neither has an edge: a drawing without any of the photo's
    lines, or with lines where the photo has none, has 0.
    """

    precision: float  # share of the drawing's edge pixels near an edge of the photo
    recall: float  # share of the photo's edge pixels near an edge of the drawing
    f1: float  # their harmonic mean


def content_distance(photo: Sequence[NDArray], drawing: Sequence[NDArray]) -> float:
    """Mean cosine distance of two pictures' feature maps: 0 is the same content, 1 unrelated directions.

    The distance is taken at every position and averaged over positions, then over maps: LPIPS without learned
    weights, halved.

    Args:
        photo: feature maps (C, h, w) of a frozen network, one a stage.
        drawing: those of the drawing, of the same shapes.

    Source: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018.
    """
    if len(photo) != len(drawing) or not len(photo):
        raise ValueError(f"Expected maps of both, at least one, but got {len(photo)} and {len(drawing)}.")
    distances = []
    for a, b in zip(photo, drawing, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if a.shape != b.shape or a.ndim != 3:
            raise ValueError(f"Expected feature maps (C, h, w) of one shape but got {a.shape} and {b.shape}.")
        norms = np.maximum(np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0), 1e-12)
        distances.append(1 - ((a * b).sum(0) / norms).mean())
    return float(np.mean(distances))


def edge_f1(photo: NDArray[np.uint8], drawing: NDArray[np.uint8], tolerance: int = 2) -> EdgeScore:
    """Canny edges of the drawing against those of the photo, matched within ``tolerance`` pixels.

    Hysteresis thresholds are 60 and 160 on the luma's Sobel gradient after a Gaussian blur of one pixel.

    Args:
        photo: (H, W, 3) RGB.
        drawing: the same shape.
        tolerance: radius of a match in pixels, as in the boundary benchmark of BSDS.

    Source: Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", PAMI 2004 (distance
        tolerance); Canny, PAMI 1986.
    """
    _check_pair(photo, drawing)
    before, after = (_canny(p) for p in (photo, drawing))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * tolerance + 1,) * 2)
    near_seen, near_drawn = (cv2.dilate(e.astype(np.uint8), disc).astype(bool) for e in (before, after))
    precision, recall = _share(near_seen, after), _share(near_drawn, before)
    if not before.any() and not after.any():
        return EdgeScore(precision, recall, float("nan"))
    known = before.any() and after.any() and precision + recall > 0
    return EdgeScore(precision, recall, 2 * precision * recall / (precision + recall) if known else 0.0)


def _canny(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    luma = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    return cv2.Canny(luma, 60, 160) > 0


def _share(near: NDArray, edges: NDArray) -> float:
    return float(near[edges].mean()) if edges.any() else float("nan")


def color_drift(photo: NDArray[np.uint8], drawing: NDArray[np.uint8], pool: int = 8) -> float:
    """Mean CIEDE2000 in Lab between a photo and its drawing after averaging ``pool``-pixel squares: ink is
    free, a cast is not. Below 1 nobody sees it.

    Args:
        photo: (H, W, 3) RGB.
        drawing: the same shape.
        pool: side of the squares; those cut by the border average what they have.

    Source: Luo, Cui and Rigg, "The development of the CIE 2000 colour-difference formula", 2001.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab

    _check_pair(photo, drawing)
    low = [rgb2lab(_pooled(p, pool)) for p in (photo, drawing)]
    return float(deltaE_ciede2000(*low).mean())


def color_difference(
    photo: NDArray[np.uint8], drawing: NDArray[np.uint8], formula: str = "CIEDE2000"
) -> float:
    """Mean colour difference of the pixels in Lab, lines included: how far a drawing is from its photo.

    Args:
        photo: (H, W, 3) RGB.
        drawing: the same shape.
        formula: "CIEDE2000" or "CIE76", the Euclidean distance.

    Raises:
        ValueError: another formula, or pictures of different shapes.
    """
    from skimage.color import deltaE_cie76, deltaE_ciede2000, rgb2lab

    _check_pair(photo, drawing)
    formulas: dict[str, Callable] = {"CIEDE2000": deltaE_ciede2000, "CIE76": deltaE_cie76}
    if formula not in formulas:
        raise ValueError(f"Expected `formula` to be one of {sorted(formulas)} but got {formula!r}.")
    return float(formulas[formula](rgb2lab(photo), rgb2lab(drawing)).mean())


def _pooled(picture: NDArray[np.uint8], pool: int) -> NDArray[np.float64]:
    """Means of ``pool``-pixel squares in [0, 1]."""
    rows, columns = (np.arange(0, side, pool) for side in picture.shape[:2])
    total = np.add.reduceat(np.add.reduceat(picture.astype(np.float64), rows, 0), columns, 1)
    height = np.diff(np.append(rows, picture.shape[0]))
    width = np.diff(np.append(columns, picture.shape[1]))
    return total / (255 * height[:, None, None] * width[None, :, None])


def within_region_variance(picture: NDArray[np.uint8], labels: NDArray[np.integer]) -> float:
    """Variance of the pixels about the mean colour of their region, averaged over pixels and channels, in
    levels² of 255: 0 is flat colour in every region.

    Args:
        picture: (H, W, 3) RGB.
        labels: (H, W) regions ≥ 0, those of the *photo*, so that all drawings of it are judged alike.
    """
    if labels.shape != picture.shape[:2] or labels.min() < 0:
        raise ValueError(f"Expected labels ≥ 0 of shape {picture.shape[:2]} but got {labels.shape}.")
    flat, pixels = labels.ravel(), picture.reshape(-1, picture.shape[2]).astype(np.float64)
    count = np.maximum(np.bincount(flat), 1)
    total = 0.0
    for channel in pixels.T:
        mean = np.bincount(flat, channel) / count
        total += np.square(channel - mean[flat]).mean()
    return float(total / pixels.shape[1])


def background_psnr(photo: NDArray[np.uint8], drawing: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Peak signal-to-noise ratio outside the mask in dB: infinite if nothing changed there.

    Args:
        photo: (H, W, 3) RGB.
        drawing: the same shape.
        mask: (H, W), True on what may change.

    Raises:
        ValueError: shapes differ, or the mask leaves no background.
    """
    _check_pair(photo, drawing)
    outside = ~_check_mask(mask)
    if outside.shape != photo.shape[:2] or not outside.any():
        raise ValueError(f"Expected a mask {photo.shape[:2]} that leaves background but got {outside.shape}.")
    error = np.square(photo[outside].astype(np.float64) - drawing[outside]).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def mask_iou(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; two empty ones agree: 1."""
    predicted, true = _check_mask(predicted), _check_mask(true)
    if predicted.shape != true.shape:
        raise ValueError(f"Expected masks of one shape but got {predicted.shape} and {true.shape}.")
    union = (predicted | true).sum()
    return float((predicted & true).sum() / union) if union else 1.0


def _check_mask(mask: NDArray) -> NDArray[np.bool_]:
    if mask.dtype != bool:
        raise ValueError(f"Expected a mask of booleans but got {mask.dtype}. Threshold it first.")
    return mask


def _check_pair(photo: NDArray, drawing: NDArray) -> None:
    if photo.shape != drawing.shape or photo.ndim != 3 or {photo.dtype, drawing.dtype} != {np.dtype("uint8")}:
        raise ValueError(
            f"Expected two uint8 pictures (H, W, 3) of one shape but got {photo.dtype} {photo.shape} and "
            f"{drawing.dtype} {drawing.shape}."
        )
