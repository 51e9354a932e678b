"""A drawn portrait with known landmarks and mask, for tests of what redraws people."""

import cv2
import numpy as np

from workbench.drawing.faces import Face

# mean place of the points that the teacher uses, in units of the distance between the eyes
MEAN_FACE = {
    2: (-0.01, 0.74),
    7: (-0.68, 0.01),
    10: (-0.01, -0.88),
    13: (-0, 1.05),
    14: (0, 1.16),
    21: (-1.07, -0.38),
    33: (-0.72, -0.01),
    54: (-0.97, -0.57),
    58: (-1.01, 1.09),
    61: (-0.49, 1.02),
    63: (-0.83, -0.31),
    66: (-0.47, -0.35),
    67: (-0.58, -0.82),
    70: (-0.93, -0.23),
    93: (-1.11, 0.55),
    103: (-0.81, -0.72),
    105: (-0.67, -0.36),
    107: (-0.24, -0.32),
    109: (-0.32, -0.87),
    127: (-1.14, 0.07),
    132: (-1.08, 0.81),
    133: (-0.28, 0.01),
    136: (-0.78, 1.46),
    144: (-0.59, 0.04),
    145: (-0.51, 0.04),
    148: (-0.2, 1.86),
    149: (-0.5, 1.71),
    150: (-0.63, 1.61),
    152: (0.01, 1.88),
    153: (-0.43, 0.03),
    154: (-0.35, 0.02),
    155: (-0.31, 0.02),
    157: (-0.37, -0.05),
    158: (-0.46, -0.08),
    159: (-0.54, -0.08),
    160: (-0.62, -0.07),
    161: (-0.67, -0.04),
    162: (-1.12, -0.18),
    163: (-0.64, 0.03),
    172: (-0.9, 1.3),
    173: (-0.31, -0.01),
    176: (-0.37, 1.8),
    234: (-1.13, 0.31),
    246: (-0.7, -0.03),
    249: (0.68, 0.01),
    251: (1.08, -0.39),
    263: (0.72, -0.01),
    284: (0.97, -0.58),
    288: (1.05, 1.08),
    291: (0.5, 1.02),
    293: (0.82, -0.32),
    296: (0.45, -0.35),
    297: (0.56, -0.82),
    300: (0.93, -0.24),
    323: (1.15, 0.55),
    332: (0.81, -0.73),
    334: (0.66, -0.36),
    336: (0.22, -0.32),
    338: (0.3, -0.87),
    356: (1.17, 0.06),
    361: (1.12, 0.81),
    362: (0.28, 0.01),
    365: (0.82, 1.46),
    373: (0.59, 0.03),
    374: (0.51, 0.04),
    377: (0.22, 1.86),
    378: (0.52, 1.71),
    379: (0.66, 1.6),
    380: (0.43, 0.03),
    381: (0.35, 0.02),
    382: (0.3, 0.02),
    384: (0.37, -0.05),
    385: (0.46, -0.08),
    386: (0.54, -0.09),
    387: (0.62, -0.07),
    388: (0.67, -0.05),
    389: (1.14, -0.19),
    390: (0.64, 0.02),
    397: (0.94, 1.3),
    398: (0.31, -0.01),
    400: (0.38, 1.8),
    454: (1.16, 0.3),
    466: (0.7, -0.03),
    468: (-0.52, -0.03),
    473: (0.52, -0.03),
}


def landmarks(x: float, y: float, unit: float) -> np.ndarray:
    """(478, 2) points of an upright face whose eyes' middle is at (x, y); unused points lie there too."""
    points = np.zeros((478, 2), np.float32)
    for index, place in MEAN_FACE.items():
        points[index] = place
    return points * unit + [x, y]


def face_at(x: float, y: float, unit: float) -> Face:
    """A face whose eyes' middle is at (x, y)."""
    return Face(landmarks(x, y, unit), 1.0)


def with_glasses(photo, points, unit: float, color=(30, 25, 25)):
    """The photo with round frames around the eyes, and their bridge."""
    photo = photo.copy()
    x, y = points[[33, 263]].mean(0)
    reach, thick = round(0.36 * unit), max(1, round(0.05 * unit))
    centers = [(round(x + side * unit / 2), round(y + 0.05 * unit)) for side in (-1, 1)]
    for center in centers:
        cv2.circle(photo, center, reach, color, thick, cv2.LINE_AA)
    (left, level), (right, _) = centers
    cv2.line(photo, (left + reach, level), (right - reach, level), color, thick, cv2.LINE_AA)
    return photo


def portrait(height: int = 160, width: int = 128, unit: float = 26.0, seed: int = 0, glasses: bool = False):
    """(photo, landmarks, mask) of a plain head with dark hair on shoulders."""
    rng = np.random.default_rng(seed)
    x, y = width / 2, 0.42 * height
    points = landmarks(x, y, unit)
    mask = np.zeros((height, width), np.uint8)
    center = (round(x), round(y + 0.4 * unit))
    cv2.ellipse(mask, center, (round(1.35 * unit), round(1.75 * unit)), 0, 0, 360, 255, -1)
    cv2.rectangle(mask, (round(x - 0.6 * unit), round(y + unit)), (round(x + 0.6 * unit), height), 255, -1)
    cv2.rectangle(mask, (round(x - 2 * unit), round(y + 2.3 * unit)), (round(x + 2 * unit), height), 255, -1)
    photo = np.full((height, width, 3), (96, 128, 160), np.uint8)
    photo[mask > 0] = (60, 70, 110)  # clothes
    hair = np.zeros_like(mask)
    cv2.ellipse(hair, center, (round(1.35 * unit), round(1.75 * unit)), 0, 0, 360, 255, -1)
    photo[hair > 0] = (62, 40, 30)
    skin = np.zeros_like(mask)
    cv2.ellipse(
        skin, (round(x), round(y + 0.6 * unit)), (round(1.1 * unit), round(1.25 * unit)), 0, 0, 360, 255, -1
    )
    cv2.rectangle(
        skin,
        (round(x - 0.6 * unit), round(y + unit)),
        (round(x + 0.6 * unit), round(y + 2.3 * unit)),
        255,
        -1,
    )
    photo[skin > 0] = (214, 168, 140)
    for side in (-1, 1):
        eye = (round(x + side * unit / 2), round(y))
        cv2.ellipse(photo, eye, (round(0.22 * unit), round(0.08 * unit)), 0, 0, 360, (240, 240, 240), -1)
        cv2.circle(photo, eye, max(1, round(0.07 * unit)), (60, 40, 30), -1)
    cv2.line(
        photo,
        (round(x - 0.3 * unit), round(y + 1.15 * unit)),
        (round(x + 0.3 * unit), round(y + 1.15 * unit)),
        (150, 70, 70),
        2,
    )
    if glasses:
        photo = with_glasses(photo, points, unit)
    noise = rng.normal(0, 3, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8), points, mask
