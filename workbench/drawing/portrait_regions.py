"""Skin, hair and clothes regions of a portrait, and the frame of its face."""

from __future__ import annotations

import copy

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUND, FACE, NECK, HAIR, CLOTHES = range(5)

# indices into MediaPipe's face mesh; "left" is the viewer's left
OVAL = (
    10,
    338,
    297,
    332,
    284,
    251,
    389,
    356,
    454,
    323,
    361,
    288,
    397,
    365,
    379,
    378,
    400,
    377,
    152,
    148,
    176,
)
OVAL += (149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
EYES = (  # outer corner, upper lid, inner corner, lower lid
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
BROWS = ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336))  # outer to inner
TEMPLES = (234, 454)  # where the face is widest, before the ears
LIPS_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LIPS_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)


class Face:
    """The face's frame: origin between the eyes, x to the viewer's right, y to the chin, in units of the
    distance between the eyes.

    Args:
        landmarks: (478, 2) pixels.
        chin: width of the jaw at the chin relative to the real one.
    """

    def __init__(self, landmarks: NDArray[np.float32], chin: float):
        self.points = landmarks.astype(np.float32)
        left = landmarks[[33, 133]].mean(0)
        right = landmarks[[263, 362]].mean(0)
        self.origin = (left + right) / 2
        across = right - left
        self.interocular_px = float(np.hypot(*across))
        x = across / self.interocular_px
        self.axes = np.stack([x, [-x[1], x[0]]]).astype(np.float32)  # rows: x and y in pixels
        self.local = self.to_local(self.points)
        sides = self.local[[*TEMPLES], 0]
        self.middle, self.half_width = sides.mean(), np.ptp(sides) / 2  # of the face, across
        self.jaw = self._jaw(chin)
        self._grid: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def moved(self, left: int, top: int) -> Face:
        """The same face in the coordinates of a crop with its corner at (left, top)."""
        face = copy.copy(self)
        face.origin = self.origin - np.float32([left, top])
        face.points = self.points - np.float32([left, top])
        face._grid = None
        return face

    def to_local(self, points: NDArray) -> NDArray[np.float32]:
        """Pixels (N, 2) to the face's frame."""
        return ((points - self.origin) @ self.axes.T / self.interocular_px).astype(np.float32)

    def to_pixels(self, points) -> NDArray[np.float32]:
        """The face's frame (N, 2) to pixels."""
        return (np.float32(points) @ self.axes * self.interocular_px + self.origin).astype(np.float32)

    def _jaw(self, chin: float) -> NDArray[np.float32]:
        """The face's oval (N, 2) in its frame, with the lower half narrowed and slightly shortened."""
        oval = self.local[list(OVAL)].copy()
        bottom, middle = oval[:, 1].max(), float(self.middle)
        t = np.clip((oval[:, 1] - 0.15) / (bottom - 0.15), 0, 1)
        axis = middle + (self.local[152, 0] - middle) * t
        oval[:, 0] = axis + (oval[:, 0] - axis) * (1 - (1 - chin) * t**0.8)
        oval[:, 1] -= 0.06 * t
        return oval

    def grid(self, shape) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every pixel's x and y in the face's frame, each (H, W)."""
        if self._grid is None or self._grid[0].shape != tuple(shape[:2]):
            y, x = np.ogrid[: shape[0], : shape[1]]
            x, y = (x - self.origin[0]).astype(np.float32), (y - self.origin[1]).astype(np.float32)
            (xx, xy), (yx, yy) = self.axes / self.interocular_px
            self._grid = xx * x + xy * y, yx * x + yy * y
        return self._grid

    def polygon(self, shape, points) -> NDArray[np.uint8]:
        """Mask (H, W) of a polygon given in the face's frame."""
        pixels = np.round(self.to_pixels(points) * 8).astype(np.int32)
        return cv2.fillPoly(np.zeros(shape[:2], np.uint8), [pixels], 1, cv2.LINE_8, 3)

    def cheeks(self, shape) -> NDArray[np.bool_]:
        """Two discs below the eyes."""
        x, y = self.grid(shape)
        return np.minimum(np.hypot(x - 0.5, y - 0.55), np.hypot(x + 0.5, y - 0.55)) < 0.25

    def blush(self, shape) -> NDArray[np.float32]:
        """Strength of the blush, [0, 0.8]."""
        x, y = self.grid(shape)
        spots = [np.exp(-(((x - s * 0.62) / 0.22) ** 2) - ((y - 0.62) / 0.11) ** 2) for s in (-1, 1)]
        return 0.8 * np.maximum(*spots)

    def chin_shadow(self, shape) -> NDArray[np.float32]:
        """The head's shadow on the neck, [0, 1]."""
        shadow = self.polygon(shape, self.jaw + np.float32([0.05, 0.42])).astype(np.float32)
        return cv2.GaussianBlur(shadow, (0, 0), 0.02 * self.interocular_px)

    def strand_lines(self, shape) -> NDArray[np.float32]:
        """Lines from the crown along the hair, [0, 1]."""
        x, y = self.grid(shape)
        y = y - (self.local[10, 1] - 0.75)
        radius, angle = np.hypot(x, y), np.arctan2(x, y + 0.15)
        wave = angle * 9 + 0.9 * np.sin(2.2 * radius + 1.3 * np.sin(3 * angle))
        gap = np.abs((wave % 2) - 1)  # 0 on a line
        lines = np.clip((0.05 * (0.4 + radius) - gap * np.maximum(radius, 0.2) / 9 * 4) / 0.03 + 0.5, 0, 1)
        return lines * np.clip((radius - 0.3) / 0.3, 0, 1)

    def shine(self, shape) -> NDArray[np.float32]:
        """A zigzag band of light around the crown, [0, 1]."""
        x, y = self.grid(shape)
        x, y = x - 0.05, y + 0.15
        radius, angle = np.hypot(x, y * 0.92), np.arctan2(x, -y)
        teeth = 0.16 * np.abs(((angle * 5.5) % 2) - 1)
        middle, half = 1.18 + 0.2 * teeth, 0.05 + 0.45 * teeth
        band = np.clip((half - np.abs(radius - middle)) / 0.03 + 0.5, 0, 1)
        return band * np.clip((1.15 - np.abs(angle + 0.1)) / 0.1, 0, 1) * 0.85


def nearest(picture: NDArray, labels: NDArray) -> NDArray:
    """``picture`` with background pixels replaced by the nearest pixel of the person."""
    _, index = cv2.distanceTransformWithLabels(
        (labels == BACKGROUND).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros((int(index.max()) + 1, *picture.shape[2:]), picture.dtype)
    source[index[labels != BACKGROUND]] = picture[labels != BACKGROUND]
    return source[index]


def is_bald(photo: NDArray[np.uint8], person: NDArray[np.bool_], face: Face) -> bool:
    """Whether the crown has the colour and smoothness of the forehead.

    Always False for photos without colour, in which white hair looks the same.
    """
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB).astype(np.float32)
    x, y = face.grid(photo.shape)
    x = np.abs(x - face.middle) / face.half_width
    oval = face.polygon(photo.shape, face.local[list(OVAL)]).astype(bool)
    forehead = oval & person & (x < 0.6) & (y < -0.4)
    lowest = face.local[10, 1] - 0.15
    column = person & (x < 0.42) & (y < lowest)
    if not forehead.any() or column.sum() < 40:
        return False
    highest = np.percentile(y[column], 4)
    crown = column & (y > highest) & (y < highest + 0.67 * (lowest - highest))
    skin = np.median(lab[forehead], 0)
    if not crown.any() or np.abs(skin[1:] - 128).sum() < 5:
        return False
    alike = ((lab[crown] - skin) / np.float32([26, 4, 5.5])) ** 2
    strands = np.abs(lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 0.035 * face.interocular_px))[
        crown
    ].mean()
    return bool((alike.sum(-1) < 4).mean() > 0.55 and strands < 4.5)


def regions(photo: NDArray[np.uint8], person: NDArray[np.bool_], face: Face) -> NDArray[np.uint8]:
    """Label map (H, W) of ``BACKGROUND, FACE, NECK, HAIR, CLOTHES``.

    Pixels are classified by position in the face's frame and by colour, with colour models from reliable
    areas (cheeks; a ring above the forehead; the picture's bottom).
    """
    shape = photo.shape
    lab = cv2.cvtColor(cv2.bilateralFilter(photo, 9, 30, 6), cv2.COLOR_RGB2LAB).astype(np.float32)
    x, y = face.grid(shape)
    oval = face.polygon(shape, face.local[list(OVAL)]).astype(bool)
    top, chin = face.local[10, 1], face.local[152, 1]
    center = (top + chin) / 2
    half_width = face.half_width
    radius = np.hypot((x - face.middle) / half_width, (y - center) / ((chin - top) / 2))

    skin_sure = oval & (np.abs(y - 0.45) < 0.4) & person
    skin = np.median(lab[skin_sure], 0)
    deviation = np.maximum(lab[skin_sure].std(0), [14, 4, 4])
    # shaded skin is darker but has the same hue, so lightness has less weight
    distance_skin = np.sqrt((((lab - skin) / deviation / [1.5, 1, 1]) ** 2).sum(-1))
    ring = person & (radius > 1.15) & (radius < 1.8) & (y < top + 0.25)
    crown = np.zeros(shape[:2], bool)
    if is_bald(photo, person, face):  # hair at most beside the face
        aside = np.abs(x - face.middle) / half_width
        crown = person & (radius < 2.1) & (y < top + 0.3) & ((aside < 0.72) | (distance_skin < 2.2))
        ring = person & (radius > 1.05) & (radius < 1.8) & (aside > 0.72) & (np.abs(y) < 0.7)
    unlike = next((t for t in (3.2, 2.2) if (ring & (distance_skin > t)).sum() > 0.25 * ring.sum()), 1.9)
    hair_pixels = lab[ring & (distance_skin > unlike)]
    labels = np.zeros(shape[:2], np.uint8)
    has_hair = ring.any() and len(hair_pixels) > 0.12 * ring.sum()
    if has_hair:
        hair = np.median(hair_pixels, 0)
        spread = np.maximum(hair_pixels.std(0), [16, 5, 5])
        distance_hair = np.sqrt((((lab - hair) / spread) ** 2).sum(-1))
    else:
        distance_hair = np.full(shape[:2], 99, np.float32)
    is_hair = person & ((distance_hair < distance_skin) | ((distance_skin > 3.2) & (y < 0.3)))
    head = radius < 2.1
    below = y > chin + 0.1
    is_hair &= head & ~(oval & (y > -0.50)) & ~((np.abs(x) < 0.95 * half_width) & (y > chin - 0.35))
    if has_hair:
        is_hair |= person & (y < top - 0.30) & head & (distance_skin > 1.6)
    else:
        is_hair &= False
    is_hair &= ~(below & (distance_hair > 2.5)) & ~crown
    narrow = np.abs(x - face.local[152, 0]) < 0.85 * half_width
    is_skin = person & (distance_skin < 3.0) & (radius < 2.6) & (y < chin + 1.5) & ((y < chin - 0.3) | narrow)
    labels[person] = CLOTHES
    labels[person & (y < chin - 0.3) & (radius < 1.3) & ((np.abs(x) < 1.25 * half_width) | (y < 0.7))] = NECK
    if has_hair:
        labels[person & (radius < 1.7) & (y < 0.2) & (distance_skin > 2.5) & ~crown] = HAIR
    labels[is_skin | crown] = NECK
    labels[is_hair] = HAIR
    labels[oval & person & ~(is_hair & (y < -0.50))] = FACE
    labels = _clean(labels, person, int(0.06 * face.interocular_px) | 1)
    parts = cv2.connectedComponents((labels == HAIR).astype(np.uint8))[1]
    rooted = np.unique(parts[(labels == HAIR) & (y < top + 0.3)])
    loose = (labels == HAIR) & ~np.isin(parts, rooted)
    labels[loose] = np.where((y[loose] > chin) | ((y[loose] > 0.6) & ~narrow[loose]), CLOTHES, NECK)
    throat = face.polygon(shape, face.local[list(OVAL)] * [0.8, 1] + [0, 0.22]).astype(bool)
    labels[throat & ((labels == HAIR) | (labels == CLOTHES)) & (y > chin - 0.4)] = NECK
    # pixels uncovered by the narrowed jaw join the region beside them
    jaw = face.polygon(shape, face.jaw).astype(bool)
    uncovered = (labels == FACE) & ~jaw & (y > 0.1)
    seen = labels.copy()
    seen[uncovered | (labels == FACE)] = BACKGROUND
    filled = nearest(labels, np.where((seen == BACKGROUND) | (labels == BACKGROUND), 0, labels))
    labels[uncovered] = np.where((filled[uncovered] == HAIR) & (y[uncovered] < 0.8), HAIR, NECK)
    return labels


def _clean(labels: NDArray[np.uint8], person: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    """Smooth ragged borders and merge specks into their surroundings."""
    smoothed = np.stack(
        [cv2.GaussianBlur((labels == k).astype(np.float32), (0, 0), size / 2.2) for k in range(1, 5)]
    )
    cleaned = (1 + smoothed.argmax(0)).astype(np.uint8)
    for label in (HAIR, NECK, CLOTHES):
        count, parts, stats, _ = cv2.connectedComponentsWithStats((cleaned == label).astype(np.uint8))
        small = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] < 14 * size * size]
        speck = np.isin(parts, small) & person
        if speck.any() and not speck[person].all():
            known = np.where(person & ~speck, cleaned, BACKGROUND)
            cleaned[speck] = nearest(known, known)[speck]
    cleaned[~person] = BACKGROUND
    return cleaned


def fringe(labels: NDArray[np.uint8], face: Face, length: float) -> NDArray[np.uint8]:
    """Mask (H, W) of 0 and 1: strands of hair on the forehead and beside the cheeks, below existing hair."""
    x, y = face.grid(labels.shape)
    top = face.local[10, 1]
    half, middle = face.half_width, face.middle
    strands = np.zeros(labels.shape, np.uint8)
    hair = (labels == HAIR) & (y < -0.4) & (y > top - 0.95)
    lines = []  # the hairline above five points of the forehead
    for place in (-0.7, -0.35, 0.0, 0.35, 0.7):
        column = hair & (np.abs(x - middle - place * half) < 0.06)
        lines.append(np.percentile(y[column], 97) if column.any() else np.nan)
    if np.isnan(lines).sum() > 2:
        return strands
    lines = np.where(np.isnan(lines), np.nanmin(lines), lines)
    for base, wide, tip, depth in (
        (-0.80, 0.34, -0.95, 0.95),
        (-0.50, 0.34, -0.62, 0.72),
        (-0.15, 0.34, -0.30, 0.88),
        (0.18, 0.30, 0.08, 0.70),
        (0.48, 0.32, 0.52, 0.85),
        (0.80, 0.34, 0.93, 1.0),
    ):
        arch = float(np.interp(base, [-0.7, -0.35, 0.0, 0.35, 0.7], lines))
        reach = arch + length * depth * (-0.22 - arch)
        t = np.linspace(0, 1, 12)[:, None]
        ends = np.float32([[base - wide, arch - 0.12], [base + wide, arch - 0.12]])
        peak = np.float32([tip, reach])
        bend = np.float32([0.0, 0.14])
        sides = [e + (peak - e) * t + bend * (1 - t) * t * 4 * (0.6, 1.0)[i] for i, e in enumerate(ends)]
        points = np.concatenate([sides[0], sides[1][::-1]]) * [half, 1] + [middle, 0]
        strands |= face.polygon(labels.shape, points)
    forehead = (y < np.interp(x, np.float32([-0.7, -0.35, 0.0, 0.35, 0.7]) * half + middle, lines)) & (
        y > top - 1.0
    )
    strands |= (forehead & (np.abs(x - middle) < 0.9 * half) & (labels != HAIR)).astype(np.uint8)
    for side in (-1, 1):  # locks beside the cheeks
        t = np.linspace(0, 1, 14)
        outer = np.stack([side * (1.10 - 0.05 * t), top + 0.05 + t * (0.85 - top)], -1)
        inner = np.stack([side * (0.74 + 0.31 * t**1.5), top + 0.05 + t * (0.85 - top)], -1)
        strands |= face.polygon(labels.shape, np.concatenate([outer, inner[::-1]]) * [half, 1] + [middle, 0])
    strands[labels == BACKGROUND] = 0
    strands[labels == CLOTHES] = 0
    return strands
