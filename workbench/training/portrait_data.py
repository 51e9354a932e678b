"""The pictures of a portrait stylizer's training: people with landmarks and masks, scenes, anime faces.

Training portraits get the teacher's drawings, and some are repeated with darker skin.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core import options
from workbench.core.cache import Cache
from workbench.data.faces import Portrait, load_portraits, split_by_person
from workbench.data.scenes import load_pictures, split
from workbench.drawing.face_shapes import Shape
from workbench.drawing.faces import Face
from workbench.drawing.portrait import PortraitSettings, draw
from workbench.training.configs import PortraitConfig
from workbench.training.targets import Cost, make_targets

log = logging.getLogger(__name__)
DARK = (24.0, 42.0)  # range of the lightness L* of the cheeks in variants with dark skin


@dataclasses.dataclass(frozen=True)
class PortraitData:
    """All pictures, decoded."""

    training: dict[str, Portrait]  # by file name
    validation: dict[str, Portrait]  # people for choosing the weights
    test: dict[str, Portrait]  # people for measuring the chosen weights
    scenes: list[NDArray[np.uint8]]  # backgrounds of the training
    unseen_scenes: list[NDArray[np.uint8]]
    style: list[NDArray[np.uint8]]  # anime faces
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)  # what was passed over, and why


def load_data(config: PortraitConfig) -> PortraitData:
    """Read all folders, and split people and scenes; what cannot be read is passed over and named.

    Raises:
        DatasetError: too few pictures are left, or annotations do not fit.
    """
    skipped: dict[str, str] = {}
    portraits = load_portraits(config.portraits, config.annotations, skipped=skipped)
    parts = split_by_person(list(portraits), config.held_out, config.seed, config.person)
    training, validation, test = ({name: portraits[name] for name in part} for part in parts)
    scenes = load_pictures(config.scenes, config.crop, skipped=skipped)
    learnt, held_out = split(list(scenes), max(2, len(scenes) // 10), config.seed)
    style = list(load_pictures(config.style, 256, skipped=skipped).values())
    log.info(
        "%d portraits to train on, %d and %d held out, %d scenes, %d style pictures",
        len(training), len(validation), len(test), len(learnt), len(style),
    )  # fmt: skip
    learnt_scenes, unseen_scenes = ([scenes[name] for name in part] for part in (learnt, held_out))
    return PortraitData(training, validation, test, learnt_scenes, unseen_scenes, style, skipped)


def teacher_settings(config: PortraitConfig) -> PortraitSettings:
    """How the teacher draws.

    Raises:
        WorkbenchError: ``config.drawing`` names a setting that it does not have.
    """
    return options.build(PortraitSettings, config.drawing)


def taught_portraits(
    portraits: Mapping[str, Portrait], config: PortraitConfig, cache: Cache
) -> tuple[list[Portrait], Cost]:
    """The training portraits with drawings, some of them repeated with dark skin, and the cost of these."""
    darker, cost = dark_skin_variants(portraits, config.dark_skin_fraction, config.seed, cache)
    everyone, settings = {**portraits, **darker}, teacher_settings(config)

    def one(portrait: Portrait) -> dict[str, NDArray]:
        faces = [Face(portrait.landmarks, 1.0)]
        return {"drawing": draw(portrait.photo, faces=faces, **dataclasses.asdict(settings))}

    arrays, more = make_targets(cache, "portrait", 4, settings, everyone, one)
    taught = [dataclasses.replace(p, drawing=arrays[name]["drawing"]) for name, p in everyone.items()]
    return taught, cost + more


def dark_skin_variants(
    portraits: Mapping[str, Portrait], fraction: float, seed: int, cache: Cache
) -> tuple[dict[str, Portrait], Cost]:
    """A ``fraction`` of the portraits, chosen by ``seed``, with dark skin (``NAME#dark``), and their cost."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(sorted(portraits))[: round(fraction * len(portraits))]
    wanted = {f"{name}#dark": (portraits[name], float(rng.uniform(*DARK))) for name in chosen}
    made, cost = make_targets(
        cache, "dark-skin", 2, None, wanted, lambda item: {"photo": with_dark_skin(*item).photo}
    )
    return {n: dataclasses.replace(wanted[n][0], photo=arrays["photo"]) for n, arrays in made.items()}, cost


def with_dark_skin(portrait: Portrait, lightness: float) -> Portrait:
    """The same person with dark skin; hair, eyes, teeth, clothes and backdrop are unchanged.

    With few photos of dark-skinned people, a network learns to paint all faces fair. Recoloured photos are no
    substitute for such photos, but their skin has realistic tone, light and shadow.

    Args:
        portrait: with fair skin; its drawing is dropped.
        lightness: L* of the cheeks in the result, [0, 100].
    """
    photo = portrait.photo.astype(np.float32) / 255
    shape = Shape(portrait.landmarks, photo)
    lab = cv2.cvtColor(photo[shape.window], cv2.COLOR_RGB2LAB)
    factor = lightness / max(float(shape.tone[0]), 1.0)
    chroma = np.array([11, 14], np.float32) * np.clip(lightness / 36, 0.7, 1.1)
    # highlights stay lighter than their surroundings but not as light as on fair skin
    dark = lab * np.array([factor, 0.6, 0.6], np.float32)
    dark[..., 1:] += chroma - 0.6 * shape.tone[1:]
    lab = lab + shape.skin[..., None] * (dark - lab)
    photo[shape.window] = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    return Portrait(np.rint(255 * photo).astype(np.uint8), portrait.landmarks, portrait.mask)
