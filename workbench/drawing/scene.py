"""Draws a photo of any size in a look."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import region_labels, region_means
from workbench.drawing import flats, lines, scale
from workbench.drawing.flow import Array, fold
from workbench.drawing.look import LOOKS, Look


def draw(pixels: NDArray[np.uint8], look: Look | str = "comic", detail: float = 1.0) -> NDArray[np.uint8]:
    """The drawing of an RGB picture (H, W, 3), same size and type.

    Regions and lines are computed on a working picture whose short side is ``look.side × detail`` and then
    rendered at the size of the photo, so that a large photo gets the same drawing as a small one, with lines
    that scale with it and stay sharp.

    Args:
        pixels: uint8 RGB (H, W, 3), any H and W ≥ 1.
        look: a :class:`Look` or a name in :data:`LOOKS`.
        detail: above 1 gives finer lines and smaller regions in large photos, below 1 coarser ones.

    Raises:
        ValueError: pixels of another shape or type, an unknown look, or ``detail`` ≤ 0.
    """
    look = checked(pixels, look, detail)
    photo = working_picture(pixels, look.side * detail).astype(np.float32) / 255
    return render(paint(photo, look), lines.ink(denoise(photo), look), pixels.shape, look)


def checked(pixels: NDArray[np.uint8], look: Look | str, detail: float) -> Look:
    """The look by its name; raises what :func:`draw` raises."""
    if isinstance(look, str):
        if look not in LOOKS:
            raise ValueError(f"Expected `look` to be one of {', '.join(LOOKS)} but got {look!r}.")
        look = LOOKS[look]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"Expected uint8 RGB (H, W, 3) but got {pixels.dtype} of shape {pixels.shape}.")
    if not detail > 0:
        raise ValueError(f"Expected `detail` above 0 but got {detail}.")
    return look


def render(color: Array, strength: Array, shape: tuple[int, ...], look: Look) -> NDArray[np.uint8]:
    """Colours and lines of a working picture as a drawing of ``shape`` (H, W, 3)."""
    if color.shape == shape:
        return _put_ink(color, strength, look)
    if color.shape[0] > shape[0]:  # of an enlarged photo
        large = _put_ink(color, strength, look)
        return np.asarray(cv2.resize(large, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    drawing = np.empty(shape, np.uint8)
    strength = cv2.GaussianBlur(strength, (0, 0), 0.7)  # smooths pixel staircases
    low, high = scale.around(color)
    windows = scale.Windows(color.shape[:2], (shape[0], shape[1]))
    for rows, columns in windows:
        hard = (windows.smooth(strength, rows, columns) - 0.42) * windows.factor**0.7 + 0.5
        paints = windows.hard(color, low, high, rows, columns)
        drawing[rows, columns] = _put_ink(paints, np.clip(hard, 0, 1), look)
    return drawing


LARGEST = 1.5e6  # most pixels of a working picture; bounds the memory of scrolls
_LONGEST = 30_000  # longest side of a working picture; OpenCV is limited to 32,766


def working_picture(pixels: NDArray[np.uint8], side: float) -> NDArray[np.uint8]:
    """``pixels`` scaled down to a short side of ``side`` if larger, within the limits of a drawing."""
    return scale.working_picture(pixels, side, LARGEST, _LONGEST)


def _put_ink(color: Array, strength: Array, look: Look) -> NDArray[np.uint8]:
    """Composite lines over colours, as uint8."""
    strength = look.line_opacity * strength[..., None]
    pen = look.line_tint * color + (1 - look.line_tint) * np.array(look.line_color, np.float32)
    return (np.clip(color * (1 - strength) + pen * strength, 0, 1) * 255 + 0.5).astype(np.uint8)


def denoise(photo: Array) -> Array:
    """Denoised lightness (H, W) in [0, 1], the input of line detection."""
    return cv2.cvtColor(cv2.bilateralFilter(photo, 5, 0.06, 2), cv2.COLOR_RGB2LAB)[..., 0] / 100


def paint(photo: Array, look: Look) -> Array:
    """Graded flat colours (H, W, 3) in [0, 1] of a photo, without lines."""
    base = photo
    for _ in range(2):
        base = cv2.bilateralFilter(base, 7, 0.08, 3)
    shapes = np.clip(fold(base, look.folds, shock=look.fold_shock), 0, 1)
    base, lab = (cv2.cvtColor(x, cv2.COLOR_RGB2LAB) for x in (base, shapes))
    labels = region_labels(shapes, look.region_scale, 0.6, look.region_smallest)
    flat = flats.region_colors(lab, labels)
    share = flat_share(lab, flat, labels, look)
    mixed = flat * share + lab * (1 - share)
    mixed[..., 0] = 100 * fold_shadows(mixed[..., 0] / 100, labels, look)
    for c in range(3):
        mixed[..., c] = flats.guided(base[..., c] / 100, mixed[..., c], 2, 2e-4)
    graded = grade(mixed, look)
    return wash(graded, look) if look.paper else np.clip(cv2.cvtColor(graded, cv2.COLOR_LAB2RGB), 0, 1)


def flat_share(lab: Array, flat: Array, labels: NDArray, look: Look) -> Array:
    """Share of the regions' colour in the drawing, (H, W, 1) in [0, 1]; the rest is the photo's.

    The share is constant within a region, as a varying one would show as a halo around objects. Areas without
    steps (skies, blur) keep the photo's gradients; strips along borders, whose colour belongs to neither
    side, and small features (eyes, letters) keep the photo.

    Args:
        lab: of the photo, (H, W, 3).
        flat: of the regions, the same shape.
        labels: (H, W) of the regions.
    """
    solid = lines.ramp(flats.inner_radii(labels), 2.5, 5)
    steps = edge(lab) * lines.ramp(lines.stepness(lab[..., 0] / 100), 1.3, 1.9)
    stepped = lines.ramp(region_means(steps, labels)[labels, 0], 0.01, 0.08)
    # no flat colour where a region leaked over a soft border
    weights = np.array([1, 1.5, 1.5], np.float32)  # of lightness and chroma
    leak = np.linalg.norm((flat - cv2.GaussianBlur(lab, (0, 0), 2.5)) * weights, axis=-1)
    trusted = 1 - lines.ramp(cv2.GaussianBlur(leak, (0, 0), 1.5), 6, 14)
    share: Array = look.flatness * solid * (0.2 + 0.8 * stepped) * trusted
    return cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.5)[..., None]


def fold_shadows(lightness: Array, labels: NDArray, look: Look) -> Array:
    """Lightness (H, W) in [0, 1] quantised to tones at shadow borders, but not in smooth skies.

    Args:
        labels: (H, W) of the regions.
    """
    smooth = cv2.GaussianBlur(lightness, (0, 0), 1.5)
    x, y = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    slope = region_means(np.minimum(cv2.magnitude(x, y), 0.02), labels)[labels, 0]
    dark = 1 - 0.8 * lines.ramp(lightness, 0.6, 0.8)  # quantised highlights look like blots
    share: Array = look.tone_strength * lines.ramp(slope, 0.0025, 0.006) * dark
    share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.5)
    return lightness + share * (flats.gather(lightness, look.tones) - lightness)


def edge(lab: Array) -> Array:
    """(H, W) in [0, 1]: 1 on a visible edge."""
    x, y = (cv2.Sobel(lab[..., 0], cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return lines.ramp(cv2.magnitude(x, y), 0.6, 2.5)


def grade(lab: Array, look: Look) -> Array:
    """Colour grading of Lab: levels, lifted shadows, contrast, stronger medium chromas; grays stay gray."""
    ramp = lines.ramp
    lightness = lab[..., 0] / 100 + look.blue_lift * ramp(lab[..., 2], 0, -40)
    lightness = ramp(lightness, *look.levels) ** look.gamma
    lightness = lightness - look.contrast / (2 * np.pi) * np.sin(2 * np.pi * lightness)
    a, b = lab[..., 1], lab[..., 2]
    chroma = cv2.magnitude(a, b)
    blue = ramp(-b, 4, 16) * ramp(lightness, 0.35, 0.6)
    lift = 1 + (look.saturation + look.blues * blue) * ramp(chroma, 0, 18) * (1 - ramp(chroma, 45, 85))
    b = b * (1 - look.blush * ramp(a, 4, 14) * ramp(b, 4, 14))
    shade = (1 - ramp(lightness, 0.2, 0.55)) * ramp(lightness, 0, 0.15) * ramp(chroma.mean(), 3, 8)
    a, b = a * lift + look.shadow_tint[0] * shade, b * lift + look.shadow_tint[1] * shade
    return np.dstack([100 * np.clip(lightness, 0, 1), a, b]).astype(np.float32)


def wash(lab: Array, look: Look) -> Array:
    """Ink washes on paper from graded Lab, RGB (H, W, 3) in [0, 1]."""
    density = (1 - lab[..., :1] / 100) * lines.ramp(lab[..., :1] / 100, 1.0, 0.9)
    ink, paper = np.array(look.line_color, np.float32), np.array(look.paper, np.float32)
    gray = np.dstack([lab[..., 0], np.zeros_like(lab[..., 1:])])
    tinted = gray + look.paper_chroma * np.dstack([np.zeros_like(lab[..., 0]), lab[..., 1:]])
    tint = cv2.cvtColor(tinted, cv2.COLOR_LAB2RGB) - cv2.cvtColor(gray, cv2.COLOR_LAB2RGB)
    return np.clip(paper * (1 - density) + ink * density + tint, 0, 1)
