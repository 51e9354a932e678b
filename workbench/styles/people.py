"""Styles that redraw people: drawn with their own features, or by a trained portrait network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.core import cards
from workbench.core.errors import ImageError
from workbench.core.pixels import as_gray
from workbench.styles.networks import load_network
from workbench.styles.options import DrawOptions
from workbench.styles.style import Draw, Drawer, Pixels, Progress, Style

if TYPE_CHECKING:
    import torch

    from workbench.drawing.faces import Face

KIND = "portrait_stylizer"  # of the cards
Faces = Sequence["Face"] | None  # positions of the faces, if known


@dataclasses.dataclass(frozen=True)
class PortraitStyle(Style):
    """People as a portrait network draws them, and everything else as it is."""

    path: Path  # of the .safetensors file
    kind = "portrait"
    needs = shows = "a face"
    stateful = True  # faces are followed from frame to frame
    keeps_gray = True

    def load(self, runtime: str, device: torch.device) -> Draw:
        """See :meth:`Style.load`."""
        draw = self._load(runtime, device)
        return lambda pixels, progress: draw(pixels, progress, None)

    def load_frames(self, runtime: str, device: torch.device) -> Drawer:
        """See :meth:`Style.load_frames`: a frame without a face is returned unchanged."""
        from workbench.styles.face_tracker import FaceTracker

        draw, track = self._load(runtime, device), FaceTracker()

        def one(frame: Pixels) -> Pixels:
            try:
                return draw(frame, None, track(frame))
            except ImageError:
                return frame

        return lambda frames: [one(frame) for frame in frames]

    def without_color(self, photo: Pixels, drawing: Pixels) -> Pixels:
        """See :meth:`Style.without_color`: what surrounds the people keeps its values exactly."""
        same = (drawing == photo).all(axis=2, keepdims=True)
        return np.where(same, photo, as_gray(drawing))

    def _load(self, runtime: str, device: torch.device) -> Callable[[Pixels, Progress | None, Faces], Pixels]:
        from workbench.styles import portrait

        network = load_network(self.path, device, KIND)
        return lambda pixels, progress, faces: portrait.draw(network, pixels, None, progress, faces)


@dataclasses.dataclass(frozen=True)
class DrawnPeopleStyle(Style):
    """People with their own features, and all else in the same lines and colours; without a network."""

    look: str
    detail: float = DrawOptions().detail
    deform: float = DrawOptions().deform
    kind = "portrait"
    stateful = True  # faces are followed from frame to frame
    keeps_gray = True
    shows = "a face"
    limits = (
        "It runs on the processor alone and takes longer than a network.",
        "A face that is not found, as it is small, turned away or covered, is drawn as part of the scene.",
    )

    def load(self, runtime: str, device: torch.device) -> Draw:
        """See :meth:`Style.load`."""
        from workbench.drawing import portrait

        return lambda pixels, progress: portrait.draw(pixels, self.look, self.detail, self.deform)

    def load_frames(self, runtime: str, device: torch.device) -> Drawer:
        """See :meth:`Style.load_frames`: a frame without a face is drawn as a scene."""
        from workbench.drawing import portrait
        from workbench.styles.face_tracker import FaceTracker

        track = FaceTracker()
        return lambda frames: [
            portrait.draw(frame, self.look, self.detail, self.deform, track(frame)) for frame in frames
        ]

    def adjusted(self, options: DrawOptions) -> Style:
        """See :meth:`Style.adjusted`."""
        return dataclasses.replace(self, detail=options.detail, deform=options.deform)


def of_card(card: cards.Card, path: Path) -> PortraitStyle:
    """The style of a portrait network's weights."""
    return PortraitStyle(card.name, card.title, card.description, card.licence, path)


DRAWN = DrawnPeopleStyle(
    "drawn_portrait",
    "Portrait, drawn",
    "People as a comic artist draws them, with their own features, in a scene of the same lines and colours. "
    "The exaggeration of eyes and jaws can be chosen. "
    "Computed without a network: a second or two for one person, four for seven.",
    "Apache-2.0",
    "comic",
)
