"""Draws eyes, brows, nose and mouth of a portrait as filled curves in the face's frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.portrait_regions import BACKGROUND, BROWS, EYES, HAIR, TEMPLES, Face

INK = np.float32([38, 22, 26])
IRIS = {"brown": ((70, 30, 22), (205, 120, 62)), "green": ((18, 62, 52), (88, 190, 128))}
IRIS |= {"blue": ((22, 44, 110), (92, 178, 236)), "gray": ((38, 38, 44), (150, 150, 160))}  # top, bottom


class Canvas:
    """Draws filled polygons given in the face's frame onto a float picture, within the person."""

    def __init__(self, picture: NDArray[np.float32], allowed: NDArray[np.bool_], face: Face):
        self.picture, self.face = picture, face
        self.allowed = allowed

    def mask(self, points) -> NDArray[np.float32]:
        pixels = np.round(self.face.to_pixels(points) * 16).astype(np.int32)
        mask = cv2.fillPoly(np.zeros(self.picture.shape[:2], np.uint8), [pixels], 255, cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    def fill(self, points, color, alpha: float = 1.0, within: NDArray | None = None) -> None:
        self.blend(self.mask(points) * alpha, color, within)

    def blend(self, mask: NDArray[np.float32], color, within: NDArray | None = None) -> None:
        mask = mask * self.allowed if within is None else mask * within * self.allowed
        self.picture += (np.float32(color) - self.picture) * mask[..., None]

    def stroke(self, points, widths, color, alpha: float = 1.0) -> None:
        """A line along ``points`` (N, 2) that is ``widths`` (N,) wide."""
        points = np.float32(points)
        direction = np.gradient(points, axis=0)
        normal = direction[:, ::-1] * [-1, 1] / (np.linalg.norm(direction, axis=1, keepdims=True) + 1e-6)
        offset = normal * np.float32(widths)[:, None] / 2
        self.fill(np.concatenate([points + offset, (points - offset)[::-1]]), color, alpha)


def _ellipse(center, rx: float, ry: float, count: int = 48) -> NDArray[np.float32]:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([center[0] + rx * np.cos(t), center[1] + ry * np.sin(t)], -1).astype(np.float32)


def iris_color(photo: NDArray[np.uint8], face: Face) -> str:
    """ "brown", "green", "blue" or "gray", from the colour of the irises relative to the skin."""
    samples, skin = [], []
    for center in (468, 473):
        x, y = face.points[center]
        radius = max(2, round(0.075 * face.interocular_px))
        y, x = int(y), int(x)
        samples.append(photo[y : y + radius, x - radius : x + radius].reshape(-1, 3))
    cheek = face.cheeks(photo.shape)
    skin = cv2.cvtColor(photo[cheek].reshape(1, -1, 3), cv2.COLOR_RGB2LAB)[0].astype(float).mean(0) - [
        0,
        128,
        128,
    ]
    pixels = np.concatenate(samples)
    if not len(pixels):
        return "brown"
    lab = cv2.cvtColor(pixels.reshape(1, -1, 3), cv2.COLOR_RGB2LAB)[0].astype(float).mean(0) - [0, 128, 128]
    if np.hypot(*skin[1:]) < 4:
        return "gray"
    if lab[0] > 60 and lab[2] < 0.12 * skin[2]:
        return "blue"
    return "green" if lab[0] > 60 and lab[2] < 0.42 * skin[2] else "brown"


def glasses(photo: NDArray[np.uint8], face: Face) -> float:
    """Width of the glasses' frame to draw; 0 without glasses.

    A frame is detected as a dark line across the bridge of the nose; a pale one must also show below both
    eyes.
    """
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    gray = cv2.GaussianBlur(gray, (0, 0), 0.02 * face.interocular_px)
    gray *= 160 / max(float(np.median(gray[face.cheeks(photo.shape)])), 1.0)  # dark skin has less contrast

    def away(xs, ys) -> NDArray[np.float32]:
        """Row means of a patch, minus their smoothed values."""
        grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
        at = np.float32(face.to_pixels(grid)).reshape(len(ys), len(xs), 2)
        rows = cv2.remap(gray, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).mean(1)
        window = np.hanning(2 * (len(ys) // 6) + 7)
        wide = len(window) // 2
        return np.convolve(np.pad(rows, wide, mode="edge"), window / window.sum(), "valid") - rows

    bridge = away(np.linspace(-0.1, 0.1, 9), np.linspace(-0.25, 0.3, 56))[6:-6].max()
    below = (away(s * np.linspace(0.35, 0.65, 13), np.linspace(0.12, 0.5, 39))[4:-4] for s in (-1, 1))
    if bridge <= 12 and not (bridge > 8.5 and min(np.abs(b).max() for b in below) > 2.2):
        return 0.0
    return float(np.interp(bridge, [10, 30], [0.026, 0.05]))


def _eye_box(face: Face, side: int, scale: float) -> tuple[float, float, float, float]:
    """Centre, width and height of the drawn eye."""
    contour = face.local[list(EYES[0 if side < 0 else 1])]
    real = np.ptp(contour[:, 0])
    openness = np.ptp(contour[:, 1]) / real
    width = scale * np.clip(real, 0.38, 0.50)
    height = 0.50 * np.clip(0.85 + 1.2 * (openness - 0.28), 0.74, 1.1)
    return contour[:, 0].mean() * 1.02, contour[:, 1].mean() + 0.08, width, height


def _glasses(canvas: Canvas, face: Face, scale: float, width: float) -> None:
    """Rounded frames around the drawn eyes, their bridge and the arms to the ears."""
    t = np.linspace(0, 2 * np.pi, 80)
    inner = []
    for side, ear in zip((-1, 1), face.local[[*TEMPLES]], strict=True):
        cx, cy, wide, high = _eye_box(face, side, scale)
        rx, ry = min(0.56 * wide, abs(cx) - 0.06), 0.74 * high
        across = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.6
        down = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.7
        rim = np.stack([cx + rx * across, cy + 0.03 + ry * down], -1)
        canvas.fill(rim, (255, 255, 255), 0.12)
        canvas.stroke(rim, np.full(len(t), width), INK)
        inner.append((cx - side * rx, cy - 0.06))
        arm = np.linspace((cx + side * rx, cy - 0.08), (ear[0], min(ear[1], cy) - 0.1), 8)
        if (arm[-1, 0] - arm[0, 0]) * side > 0.03:
            canvas.stroke(arm, np.full(8, 0.8 * width), INK)
    u = np.linspace(0, 1, 15)
    (x0, y0), (x1, y1) = inner
    bridge = np.stack([x0 + (x1 - x0) * u, y0 + (y1 - y0) * u - 0.05 * np.sin(np.pi * u)], -1)
    canvas.stroke(bridge, np.full(15, width), INK)


def _eye(canvas: Canvas, face: Face, side: int, scale: float, color: str, crease) -> None:
    cx, cy, width, height = _eye_box(face, side, scale)

    def lid(u, depth: float, power: float) -> NDArray[np.float32]:
        corner = np.interp(u, [-1, 1], [0.14, -0.04])  # the inner corner is lower
        y = cy + height * (corner + depth * (1 - np.abs(u) ** power))
        return np.stack([cx + side * u * width / 2, y], -1).astype(np.float32)

    u = np.linspace(-1, 1, 40)
    upper, lower = lid(u, -0.60, 2.6), lid(u, 0.44, 2.4)
    white = canvas.mask(np.concatenate([upper, lower[::-1]]))
    canvas.blend(white, (250, 248, 250))
    top, bottom = (np.float32(c) for c in IRIS[color])
    center = (cx - 0.02 * side * width, cy + 0.02 * height)
    rx, ry = 0.29 * width, 0.56 * height
    iris = canvas.mask(_ellipse(center, rx, ry)) * white
    canvas.blend(iris, top * 0.75)
    y = face.grid(canvas.picture.shape)[1]
    shade = np.clip((y - (center[1] - 0.45 * ry)) / (1.25 * ry), 0, 1)[..., None]
    inner = canvas.mask(_ellipse(center, 0.86 * rx, 0.9 * ry)) * white * canvas.allowed
    canvas.picture += (top + (bottom - top) * shade - canvas.picture) * inner[..., None]
    canvas.fill(_ellipse((center[0], center[1] - 0.05 * ry), 0.42 * rx, 0.46 * ry), top * 0.35, 0.95, white)
    canvas.fill(
        _ellipse((center[0], center[1] + 0.62 * ry), 0.5 * rx, 0.2 * ry), bottom * 0.6 + 102, 0.7, white
    )
    shadow = canvas.mask(np.concatenate([upper, (upper + np.float32([0, 0.17 * height]))[::-1]]))
    canvas.blend(shadow * white * 0.35, (60, 50, 90))
    canvas.fill(
        _ellipse((center[0] - 0.38 * rx, center[1] - 0.42 * ry), 0.33 * rx, 0.25 * ry), (255, 255, 255)
    )
    canvas.fill(
        _ellipse((center[0] + 0.42 * rx, center[1] + 0.42 * ry), 0.16 * rx, 0.12 * ry), (255, 255, 255), 0.9
    )
    # lashes: a thick line that ends in a wing, a thin one below, the crease above
    v = np.linspace(-1.0, 1.14, 44)
    line = lid(np.clip(v, -1, 1), -0.60, 2.6)
    line[:, 0] = cx + side * v * width / 2
    line[v > 1, 1] += 0.25 * (v[v > 1] - 1) * height
    thick = 0.045 + 0.055 * np.clip((v + 1) / 1.6, 0, 1) ** 1.2
    thick *= np.clip((1.14 - v) / 0.22, 0.05, 1) * np.clip((v + 1.05) / 0.3, 0.25, 1)
    canvas.fill(
        np.concatenate([line + np.float32([0, 0.012]), (line - np.stack([0 * v, thick], -1))[::-1]]), INK
    )
    part = (u > -0.15) & (u < 0.88)
    canvas.stroke(lower[part], np.full(part.sum(), 0.022), INK, 0.8)
    part = (u > -0.75) & (u < 0.8)
    fold = upper[part] - [0, 0.105]
    canvas.stroke(fold, 0.02 * np.sin(np.linspace(0.2, np.pi - 0.2, part.sum())), crease, 0.9)


def _brow(canvas: Canvas, face: Face, index: int, color) -> None:
    points = face.local[list(BROWS[index])]
    x = np.linspace(points[0, 0], points[-1, 0], 24)
    coefficients = np.polyfit(points[:, 0], points[:, 1], 2)
    y = np.polyval(coefficients, x)
    y += min(0.0, -0.40 - y.mean())
    widths = np.linspace(0.022, 0.06, 24) * np.clip(np.linspace(5, 0.8, 24), 0, 1)
    canvas.stroke(np.stack([x, y], -1), widths, color)


def _mouth(canvas: Canvas, face: Face, line) -> None:
    corners = face.local[[61, 291]]
    upper, lower = face.local[13], face.local[14]
    opening = lower[1] - upper[1]
    center = corners.mean(0) * 0.35 + (upper + lower) / 2 * 0.65
    half = 0.31 * np.ptp(corners[:, 0])
    smile = np.clip((upper[1] + lower[1]) / 2 - corners[:, 1].mean() + 0.03, -0.03, 0.14)
    u = np.linspace(-1, 1, 31)
    y0 = center[1] - 0.04
    top = np.stack([center[0] + u * half, y0 + smile * (1 - u**2) * 0.55 - 0.35 * smile], -1)
    if opening > 0.055:
        depth = np.clip(0.9 * opening + 0.08, 0.10, 0.3)
        bottom = np.stack([center[0] + u * half * 0.98, top[:, 1] + depth * (1 - np.abs(u) ** 2.2)], -1)
        shape = canvas.mask(np.concatenate([top, bottom[::-1]]))
        canvas.blend(shape, (158, 62, 66))
        teeth = np.concatenate(
            [top, (top + np.stack([0 * u, 0.42 * depth * (1 - np.abs(u) ** 3)], -1))[::-1]]
        )
        canvas.blend(canvas.mask(teeth) * shape, (252, 248, 246))
        canvas.stroke(bottom, np.full(31, 0.016), line)
        canvas.stroke(top, 0.034 * np.clip(1.3 - np.abs(u) ** 2, 0.4, 1), INK)
    else:
        canvas.stroke(top, 0.036 * np.clip(1.25 - np.abs(u) ** 2, 0.3, 1), INK * 0.6 + np.float32(line) * 0.4)
        under = np.stack([center[0] + u * half * 0.3, y0 + 0.14 + 0.015 * (1 - u**2)], -1)
        canvas.stroke(under, 0.018 * (1 - u**2), line, 0.8)


def _nose(canvas: Canvas, face: Face, shadow, line) -> None:
    x, y = face.local[2] * [1, 0.96]
    canvas.fill(
        [(x - 0.015, y - 0.13), (x + 0.085, y - 0.01), (x + 0.02, y + 0.02), (x - 0.05, y)], shadow, 0.9
    )
    u = np.linspace(-1, 1, 15)
    canvas.stroke(np.stack([x + 0.06 * u, y + 0.015 * (1 - u**2)], -1), 0.022 * (1 - u**2) + 0.004, line)


def draw(
    picture: NDArray[np.float32],
    photo: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    face: Face,
    scale: float,
    tones: NDArray[np.float32],
    hair: NDArray[np.float32],
) -> NDArray[np.float32]:
    """All features onto ``picture`` (H, W, 3) in [0, 255], in place; returns it.

    Args:
        picture: flat tones so far.
        photo: RGB, same size.
        labels: regions.
        face: frame and landmarks.
        scale: width of the drawn eyes relative to the real ones.
        tones: base, shadow and blush of the skin.
        hair: dark, base, light and highlight of the hair.
    """
    whole, outline = picture, face.to_pixels(face.jaw)
    left, top = np.maximum(outline.min(0) - 0.4 * face.interocular_px, 0).astype(int)
    right, bottom = (outline.max(0) + 0.4 * face.interocular_px).astype(int) + 1
    window = slice(top, bottom), slice(left, right)  # drawing costs as much as the window's area
    picture, photo, labels, face = picture[window], photo[window], labels[window], face.moved(left, top)
    canvas = Canvas(picture, (labels != BACKGROUND).astype(np.float32), face)
    line = tones[1] * 0.55 + np.float32([20, 4, 6])
    _nose(canvas, face, tones[1], line)
    _mouth(canvas, face, line)
    color = iris_color(photo, face)
    for side in (-1, 1):
        _eye(canvas, face, side, scale, color, line)
    brow = hair[0] * 0.75 if (labels == HAIR).any() else line
    for index in (0, 1):
        _brow(canvas, face, index, brow)
    frame = glasses(photo, face)
    if frame:
        _glasses(canvas, face, scale, frame)
    return whole
