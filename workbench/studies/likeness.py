"""Likeness of drawn portraits to their photos, and how much they look like drawings.

Likeness is measured by the displacement of landmarks, the change of skin tone, and the correlation of lumas
with the photo's in the hair, around the eyes, and around mouth and chin. Flatness of regions and the amount
of ink say how much it looks like a drawing. Distances of face-recognition embeddings are not measured, since
no such network is available in a package under a free licence.

Portraits on which a drawing was tuned should not report how good it is: a table of roles leaves them out, and
the column "split" says whether there was one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import ImageError
from workbench.core.pixels import luma, region_labels
from workbench.data.images import list_images, read_each
from workbench.data.scenes import names_to_report
from workbench.drawing.face_shapes import Shape
from workbench.drawing.faces import Face, find_faces
from workbench.metrics.bootstrap import bootstrap, columns
from workbench.metrics.checks import weighted_mean
from workbench.metrics.stylization import within_region_variance
from workbench.studies.study import Rows, TableStudy, register
from workbench.styles.style import Style
from workbench.styles.stylize import get

TONES = {"dark": (0, 50), "medium": (50, 65), "fair": (65, 101)}  # L* of the cheeks
_BANDS = {  # top, bottom and half the width, in interocular distances from the point between the eyes
    "hair": (-1.9, -0.75, 1.3),
    "eyes": (-0.6, 0.4, 1.1),
    "beard": (0.7, 2.0, 0.9),
}
_CROP = 96  # pixels between the eyes of a face that is compared


@register
@dataclasses.dataclass(frozen=True)
class Likeness(TableStudy):
    """Can the person in the photo be recognised in the drawing?

    One row per style and group of skin tones ("all" for everybody): means over people, with 95 % intervals by
    a bootstrap over them. ``landmarks``: mean displacement of a landmark, in interocular distances. ``skin``:
    CIELAB distance between the medians of the skin. ``hair``, ``eyes``, ``beard``: correlation of the lumas
    of drawing and photo. ``lost``: share of drawings in which no face is found; these are left out of the
    mean of landmarks. ``roughness``: variance within regions, without the ink, relative to the photo's.
    ``ink``: share of pixels that are much darker than their surroundings and were not so in the photo.
    """

    version = 4  # gray irises of drawn portraits: blue if they are so beside the white
    keys = ("style",)
    sources = ("portraits", "weights", "roles")

    portraits: str  # folder of portraits, one person each
    weights: tuple[str, ...] = ()  # other portrait stylizers, as .safetensors files
    styles: tuple[str, ...] = ("drawn_portrait", "drawn_comic", "fsgan_comic")  # by name
    people: int = 120  # an equal number from each group of skin tones, if the folder has them
    seed: int = 0
    samples: int = 2000  # of the bootstrap
    roles: str = ""  # CSV of photo and role: only portraits that "report" are drawn

    def plan(self) -> list[dict]:
        return [{"style": name} for name in (*self.styles, *(Path(w).stem for w in self.weights))]

    def prepare(self, out: Path) -> Callable[..., Rows]:
        files = list_images(self.portraits)
        if self.roles:
            names = {file.relative_to(self.portraits).as_posix(): file for file in files}
            files = [names[name] for name in names_to_report(self.roles, names)]
        rule = {"split": f"{Path(self.roles).name}: report" if self.roles else "all portraits"}
        most = -(-self.people // len(TONES))
        groups: dict[str, list[tuple[NDArray[np.uint8], Face]]] = {tone: [] for tone in TONES}
        order = np.random.default_rng(self.seed).permutation(len(files))
        for _, image in read_each(files[index] for index in order):
            if all(len(group) >= most for group in groups.values()):
                break
            photo = np.asarray(image)
            if faces := find_faces(photo):
                light = Shape(faces[0].landmarks, photo.astype(np.float32) / 255).tone[0]
                group = next(groups[tone] for tone, (low, high) in TONES.items() if low <= light < high)
                if len(group) < most:
                    group.append((photo, faces[0]))
        people = [person for group in groups.values() for person in group]
        paths = {Path(w).stem: w for w in self.weights}

        def rows(style: str) -> list[dict]:
            drawing_style = get(paths.get(style, style))
            measured = [measure(photo, face, _drawn(drawing_style, photo)) for photo, face in people]
            return [row | rule for tone in ("all", *TONES) if (row := self._mean(measured, tone))]

        return rows

    def _mean(self, measured: list[dict], tone: str) -> dict:
        """The row of one group; empty without people in it."""
        low, high = TONES.get(tone, (0, 101))
        own = [m for m in measured if low <= m["lightness"] < high]
        if not own:
            return {}
        row: dict = {"tone": tone, "people": len(own)}
        for name in own[0]:
            if name == "lightness":
                continue
            values = np.array([m[name] for m in own], float)
            values = values[np.isfinite(values)]
            if len(values) == 0:
                continue
            row[name] = float(values.mean())
            if len(values) > 1:
                shares = {"": len(values)} if name == "lost" else None  # of people, each in one portrait
                found = bootstrap(weighted_mean, values, samples=self.samples, seed=self.seed, shares=shares)
                row |= columns(name, row[name], found.low, found.high)
        return row


def _drawn(style: Style, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The drawing, or the photo if the style finds no face."""
    try:
        return style.draw(photo)
    except ImageError:
        return photo


def measure(photo: NDArray[np.uint8], face: Face, drawing: NDArray[np.uint8]) -> dict[str, float]:
    """The measures of one drawing; see :class:`Likeness`.

    Args:
        photo: (H, W, 3).
        face: in it.
        drawing: the same shape.
    """
    shape = Shape(face.landmarks, photo.astype(np.float32) / 255)
    before, after = (
        np.median(
            cv2.cvtColor(p[shape.window].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[shape.skin > 0.5], 0
        )
        for p in (photo, drawing)
    )
    faces = [f for f in find_faces(drawing) if np.linalg.norm(f.middle - face.middle) < face.interocular_px]
    moved = np.linalg.norm(faces[0].landmarks - face.landmarks, axis=1).mean() if faces else np.nan
    row = {
        "lightness": float(shape.tone[0]),
        "landmarks": float(moved / face.interocular_px),
        "lost": float(not faces),
        "skin": float(np.linalg.norm(after - before)),
    }
    crops = [_upright(p, face) for p in (photo, drawing)]
    for name, (top, bottom, half) in _BANDS.items():
        rows = slice(*(round(_CROP * (2 + y)) for y in (top, bottom)))
        columns = slice(*(round(_CROP * (1.5 + x)) for x in (-half, half)))
        pair = [cv2.GaussianBlur(luma(c)[rows, columns], (0, 0), 0.03 * _CROP).ravel() for c in crops]
        row[name] = float(np.asarray(np.corrcoef(pair))[0, 1])
    inked, dark = (_dark(p, face) for p in (drawing, photo))
    bare = cv2.dilate(inked.astype(np.uint8), np.ones((5, 5))) == 0
    labels = region_labels(photo)[bare][None]
    rough = [within_region_variance(p[bare][None], labels) for p in (photo, drawing)]
    row["roughness"] = rough[1] / max(rough[0], 1e-6)
    row["ink"] = float((inked & (cv2.dilate(dark.astype(np.uint8), np.ones((3, 3))) == 0)).mean())
    return row


def _upright(picture: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
    """The head, upright, with the eyes :data:`_CROP` pixels apart and centred at (1.5, 2) times that."""
    across = face.eyes[1] - face.eyes[0]
    matrix = cv2.getRotationMatrix2D(
        face.middle.tolist(), float(np.degrees(np.arctan2(across[1], across[0]))), _CROP / face.interocular_px
    )
    matrix = np.asarray(matrix, float) + [[0, 0, v] for v in np.array([1.5, 2.0]) * _CROP - face.middle]
    return np.asarray(
        cv2.warpAffine(picture, matrix, (3 * _CROP, 4 * _CROP), borderMode=cv2.BORDER_REPLICATE)
    )


def _dark(picture: NDArray[np.uint8], face: Face) -> NDArray[np.bool_]:
    """(H, W) bool: much darker than the surroundings, as a line is."""
    light = luma(picture)
    return np.asarray(light < cv2.GaussianBlur(light, (0, 0), 0.12 * face.interocular_px) - 24)
