"""The portrait teacher: redraws a photo with known landmarks as an anime face by classical image processing.

A few minutes of adversarial training do not teach a generator to enlarge eyes; paired drawings do. The person
is segmented into skin, hair and clothes, each is painted in a few flat tones, and the features are redrawn as
curves in the face's frame: large eyes with lashes and highlights, a narrow chin, a hint of nose and mouth, a
fringe. The background is not changed.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing import portrait_features as features
from workbench.drawing.portrait_regions import (
    BACKGROUND,
    CLOTHES,
    FACE,
    HAIR,
    NECK,
    Face,
    fringe,
    is_bald,
    nearest,
    regions,
)
from workbench.drawing.skin import LIGHTEN, painted
from workbench.drawing.teacher import kuwahara

WIDTH = 448  # width in pixels at which drawings are made, before they are scaled down


@dataclasses.dataclass(frozen=True)
class PortraitTeacherConfig:
    """Settings of the teacher. Lengths are in units of the distance between the irises."""

    eye: float = 1.75  # width of the drawn eye relative to the real one
    chin: float = 0.77  # width of the jaw at the chin relative to the real one
    lighten: float = LIGHTEN  # share by which dark skin moves towards white
    line: float = 0.026  # width of contours
    fringe: float = 1.0  # length of the strands on the forehead relative to the usual one


def draw(
    photo: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    mask: NDArray[np.uint8],
    config: PortraitTeacherConfig | None = None,
) -> NDArray[np.uint8]:
    """The drawing of a portrait, same size; outside the mask it equals the photo.

    Args:
        photo: RGB (H, W, 3).
        landmarks: (478, 2) pixel positions (x, y) of MediaPipe's face mesh with irises.
        mask: (H, W), 255 on the person and 0 elsewhere.
        config: defaults if None.
    """
    config = config or PortraitTeacherConfig()
    height, width = photo.shape[:2]
    big, person, face = _enlarged(photo, landmarks, mask, config.chin)
    labels = regions(big, person, face)
    strands = fringe(labels, face, config.fringe)
    skin = skin_tones(big, labels, face, config.lighten)
    kept = np.where(strands > 0, BACKGROUND, labels)
    above = np.where(face.grid(big.shape)[1] > face.local[10, 1], BACKGROUND, kept)
    hair = hair_tones(big, above if (above == HAIR).sum() >= 50 else kept)
    labels[strands > 0] = HAIR
    canvas = _paint(big, labels, face, skin, hair, strands > 0)
    canvas = features.draw(canvas, big, labels, face, config.eye, skin, hair)
    canvas = _contours(canvas, labels, face, config)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = (cv2.GaussianBlur(mask, (0, 0), 0.6).astype(np.float32) / 255)[..., None]
    alpha[mask == 0] = 0
    return np.clip(small * alpha + photo * (1 - alpha) + 0.5, 0, 255).astype(np.uint8)


def is_rare(photo: NDArray[np.uint8], landmarks: NDArray[np.float32], mask: NDArray[np.uint8]) -> bool:
    """Whether the person is bald or wears glasses, cases that are rare in training."""
    big, person, face = _enlarged(photo, landmarks, mask, 1.0)
    return features.glasses(big, face) > 0 or is_bald(big, person, face)


def _enlarged(
    photo: NDArray[np.uint8], landmarks: NDArray[np.float32], mask: NDArray[np.uint8], chin: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], Face]:
    """Photo :data:`WIDTH` pixels wide, the person in it, and the face."""
    factor = WIDTH / photo.shape[1]
    size = (WIDTH, round(photo.shape[0] * factor))
    big = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC)
    matte = cv2.GaussianBlur(cv2.resize(mask, size, interpolation=cv2.INTER_CUBIC), (0, 0), factor * 0.8)
    return big, matte > 127, Face(landmarks * factor, chin)


def _lab(color) -> NDArray[np.float32]:
    return cv2.cvtColor(np.float32(color).reshape(1, -1, 3) / 255, cv2.COLOR_RGB2LAB)[0]


def _rgb(lab) -> NDArray[np.float32]:
    return 255 * np.clip(cv2.cvtColor(np.float32(lab).reshape(1, -1, 3), cv2.COLOR_LAB2RGB)[0], 0, 1)


def skin_tones(photo: NDArray, labels: NDArray, face: Face, lighten: float) -> NDArray[np.float32]:
    """Base, shadow and blush (3, 3) RGB of the skin: the photo's tones, lighter and cleaner."""
    cheeks = photo[(labels == FACE) & face.cheeks(photo.shape)]
    base = np.median(_lab(cheeks), 0)
    light, *chroma = painted(base, lighten)
    shadow = [light - 15, chroma[0] + 7, chroma[1] + 1] if any(chroma) else [light - 15, 0, 0]
    blush = [light - 7, chroma[0] + 13, chroma[1] + 2] if any(chroma) else [light - 4, 0, 0]
    return _rgb([[light, *chroma], shadow, blush])


def hair_tones(photo: NDArray, labels: NDArray) -> NDArray[np.float32]:
    """Dark, base, light and highlight (4, 3) RGB of the hair; colours other than black get more vivid."""
    pixels = photo[labels == HAIR]
    if len(pixels) < 50:
        pixels = np.full((50, 3), 60, np.uint8)
    lab = _lab(pixels)
    light = float(np.median(lab[:, 0]))
    base = lab[(lab[:, 0] > light - 8) & (lab[:, 0] < light + 14)].mean(0)
    chroma = np.hypot(*base[1:])
    level = 16 + 0.84 * light
    gain = np.clip(2.2 - chroma / 45, 1.2, 2.2)
    a, b = base[1] * gain + (2 if chroma > 3 else 0), base[2] * gain
    if chroma <= 5:  # highlights of black and grey hair are drawn blue
        a, b = base[1] + 2, base[2] - 9
    return _rgb(
        [
            [level * 0.62, a, b * 0.8],
            [level, a, b],
            [level + 10, a, b],
            [min(level + 30, 97), a * 0.7, b * 0.8],
        ]
    )


def _wide_blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur with a large radius, computed at a quarter of the size."""
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return cv2.resize(
        cv2.GaussianBlur(small, (0, 0), sigma / 4), image.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )


def _paint(
    photo: NDArray, labels: NDArray, face: Face, skin_colors: NDArray, hair_colors: NDArray, strands: NDArray
) -> NDArray[np.float32]:
    """Flat tones of every region, without features and lines."""
    smooth = _wide_blur(photo.astype(np.float32) @ np.float32([0.3, 0.59, 0.11]), 0.16 * face.interocular_px)
    base, shadow, blush = skin_colors
    canvas = photo.astype(np.float32)
    # clothes: brush-like patches, more colour
    reduced = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    flat = cv2.resize(kuwahara(reduced, 6, 10.0), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    luma = flat @ np.float32([0.3, 0.59, 0.11])
    flat = np.clip(luma[..., None] + 1.5 * (flat - luma[..., None]), 0, 1) ** 0.8
    canvas[labels == CLOTHES] = 255 * flat[labels == CLOTHES]
    # skin: two tones with a soft border, blush on the cheeks
    skin = (labels == FACE) | (labels == NECK)
    level = np.median(smooth[labels == FACE])
    limit = min(0.80 * level, np.percentile(smooth[labels == FACE], 14))
    shade = np.clip((limit - smooth) / (0.03 * level) + 0.5, 0, 1)
    shade = np.maximum(shade, face.chin_shadow(photo.shape)) * (labels == NECK) + shade * (labels == FACE)
    color = base + (shadow - base) * shade[..., None]
    color += (blush - base) * face.blush(photo.shape)[..., None] * (1 - shade[..., None])
    canvas[skin] = color[skin]
    # hair: dark and base tones along the strands, a band of light around the crown
    dark, middle, light, shine = hair_colors
    inside = labels == HAIR
    if inside.any():
        fine = cv2.GaussianBlur(photo, (0, 0), 0.07 * face.interocular_px).astype(np.float32) @ np.float32(
            [0.3, 0.59, 0.11]
        )
        weight = inside.astype(np.float32)
        wide = _wide_blur(fine * weight, 0.35 * face.interocular_px) / (
            _wide_blur(weight, 0.35 * face.interocular_px) + 1e-3
        )
        spread = (fine - wide)[inside].std() + 1e-3
        relief = np.where(strands, 0, (fine - wide) / spread)
        low = np.clip((-1.0 - relief) / 0.25 + 0.5, 0, 1)[..., None]
        high = np.clip((1.1 - relief) / -0.25 + 0.5, 0, 1)[..., None]
        color = middle + (dark - middle) * low + (light - middle) * high
        color = color + (dark - color) * 0.8 * face.strand_lines(photo.shape)[..., None]
        band = face.shine(photo.shape)[..., None]
        color = color + (shine - color) * band
        canvas[inside] = color[inside]
    return canvas


def _contours(
    canvas: NDArray, labels: NDArray, face: Face, config: PortraitTeacherConfig
) -> NDArray[np.float32]:
    """Ink along region borders and the strongest edges within clothes and hair."""
    width = config.line * face.interocular_px
    height = face.grid(labels.shape)[1]
    kernel = np.ones((3, 3), np.uint8)
    skin = np.where(labels == NECK, FACE, labels)  # ears and forehead belong to the face
    ink = np.zeros(labels.shape, np.float32)
    for label in (HAIR, FACE, CLOTHES):
        border = cv2.morphologyEx((skin == label).astype(np.uint8), cv2.MORPH_GRADIENT, kernel)
        ink = np.maximum(ink, border.astype(np.float32))
    jaw = cv2.morphologyEx((labels == FACE).astype(np.uint8), cv2.MORPH_GRADIENT, kernel)
    jaw = jaw * (cv2.dilate((labels == NECK).astype(np.uint8), kernel) > 0)
    ink = np.maximum(ink, jaw * np.clip((height - 0.45) / 0.3, 0, 1))
    clothes = (labels == CLOTHES).astype(np.float32)
    ink = np.clip(1.6 * cv2.GaussianBlur(ink, (0, 0), 0.55 * width) * max(0.55 * width, 1), 0, 0.85)
    luma = cv2.GaussianBlur(canvas, (0, 0), 0.5 * width) @ np.float32([0.3, 0.59, 0.11]) / 255
    difference = cv2.GaussianBlur(luma, (0, 0), 1.6 * width) - cv2.GaussianBlur(luma, (0, 0), width)
    ink = np.maximum(ink, clothes * np.clip((difference - 0.008) * 60, 0, 0.75))
    ink *= labels != BACKGROUND
    local = nearest(canvas, labels)
    color = 0.22 * cv2.GaussianBlur(local, (0, 0), 2 * width) + np.float32([14, 8, 10])
    return canvas + (color - canvas) * ink[..., None]
