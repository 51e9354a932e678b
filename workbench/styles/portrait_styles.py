"""Styles that redraw people: a portrait network's own, and the one that joins it with the scene style."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from workbench.core.errors import ImageError, WeightsError, WorkbenchError
from workbench.models import weights
from workbench.styles import portrait

if TYPE_CHECKING:
    from torch import nn

KIND = "portrait_stylizer"  # of the cards
FUSION = "portrait_and_scene"
FUSION_TITLE = "Anime people in a comic scene (AFGAN and FSGAN)"
FUSION_DESCRIPTION = (
    "Faces, hair and shoulders become anime portraits and everything else a comic panel, in one picture "
    "without a seam. Where no face is found, the scene style draws the whole picture."
)
_PEOPLE, _SCENE = "afgan_portrait", "fsgan_pepper"

Progress = Callable[[float], None]
Faces = Sequence[portrait.FoundFace]


class Draw(Protocol):
    """Draws a picture (H, W, 3) uint8; ``faces`` says where they are if that is known."""

    def __call__(
        self, pixels: np.ndarray, progress: Progress | None, faces: Faces | None = None
    ) -> np.ndarray: ...


def cards() -> list[weights.Card]:
    """Cards of the shipped portrait networks."""
    return [weights.card(name, weights.SHIPPED) for name in weights.trained(KIND, weights.SHIPPED)]


def has_fusion() -> bool:
    """Whether both networks that the joint style needs are there."""
    return _PEOPLE in weights.trained(KIND, weights.SHIPPED) and _SCENE in weights.trained(
        "stylizer", weights.SHIPPED
    )


def is_portrait(style: str) -> bool:
    """Whether ``style``, a name or a path of weights, redraws people."""
    if style == FUSION:
        return has_fusion()
    if Path(style).suffix == ".safetensors":
        try:
            return weights.card(style).kind == KIND
        except WeightsError:
            return False  # the loader says what is wrong with it
    return style in weights.trained(KIND, weights.SHIPPED)


def frame_by_frame(
    draw: Draw, track: Callable[[np.ndarray], Faces]
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """``draw`` for the frames of a film: those that show no face stay as they are.

    Args:
        draw: of one frame.
        track: gives the faces of each frame in turn.
    """

    def one(frame: np.ndarray) -> np.ndarray:
        try:
            return draw(frame, None, track(frame))
        except ImageError:
            return frame

    return lambda frames: [one(frame) for frame in frames]


def drawer(style: str, runtime: str, load: Callable) -> Draw:
    """The function that draws in a portrait style.

    Args:
        style: a name or path for which :func:`is_portrait` is true.
        runtime: only "torch".
        load: ``load(name or path, kind)`` gives a network.

    Raises:
        WorkbenchError: another runtime.
    """
    if runtime != "torch":
        raise WorkbenchError(
            f"Expected the runtime torch for a portrait style but got {runtime}: people are drawn crop by "
            "crop, not in tiles. Use torch."
        )
    if style != FUSION:
        network = load(style, KIND)
        return functools.partial(_people_alone, network)
    people, scene = load(_PEOPLE, KIND), load(_SCENE, "stylizer")

    def draw(pixels: np.ndarray, progress: Progress | None, faces: Faces | None = None) -> np.ndarray:
        from workbench.styles.tiling import run_tiled

        def part(first: float, last: float):
            return None if progress is None else lambda done: progress(first + (last - first) * done)

        base = run_tiled(scene, pixels, progress=part(0.0, 0.8))
        return portrait.draw(people, pixels, base, part(0.8, 1.0), faces)

    return draw


def _people_alone(
    network: nn.Module, pixels: np.ndarray, progress: Progress | None, faces: Faces | None = None
) -> np.ndarray:
    return portrait.draw(network, pixels, None, progress, faces)
